import { defineConfig } from '@playwright/test'
import type { Mode } from './support/shell.ts'

/** One folder of specs, run in three modes; and the pictures of every page, which are no test. */
export default defineConfig<object, { mode: Mode }>({
  testDir: '.',
  outputDir: '../../test-results/e2e',
  timeout: 180_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  // On a busy machine the stand-in's first window was once lost at its start. A spec that needs its second try is told as flaky.
  retries: process.env['CI'] === undefined ? 0 : 1,
  workers: 2,
  reporter: [['list']],
  use: { trace: 'retain-on-failure', screenshot: 'only-on-failure', actionTimeout: 30_000 },
  projects: [
    // Specs of the desktop shell have nothing to say about a browser; those that need a real Electron are skipped, and counted, where there is none.
    { name: 'serve', testMatch: '*.spec.ts', grepInvert: /@shell|@real/, use: { mode: 'serve' } },
    { name: 'standin', testMatch: '*.spec.ts', use: { mode: 'standin' } },
    { name: 'electron', testMatch: '*.spec.ts', use: { mode: 'electron' } },
    { name: 'screenshots', testMatch: 'screenshots/*.ts', use: { mode: 'serve', trace: 'off', screenshot: 'off' } },
  ],
})
