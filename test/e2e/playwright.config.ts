import { defineConfig } from '@playwright/test'
import type { Mode } from './support/shell.ts'

/** One folder of specs, run in three modes; and the pictures of every page, which are no test. */
export default defineConfig<object, { mode: Mode }>({
  testDir: '.',
  outputDir: '../../test-results/e2e',
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: true,
  retries: 0,
  workers: 2,
  reporter: [['list']],
  use: { trace: 'retain-on-failure', screenshot: 'only-on-failure', actionTimeout: 10_000 },
  projects: [
    { name: 'serve', testMatch: '*.spec.ts', grepInvert: /@shell|@real/, use: { mode: 'serve' } },
    { name: 'screenshots', testMatch: 'screenshots/*.ts', use: { mode: 'serve', trace: 'off', screenshot: 'off' } },
  ],
})
