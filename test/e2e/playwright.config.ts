import { defineConfig } from '@playwright/test'
import type { Mode } from './support/shell.ts'

/** Specs of what the shell has no part in (@page) run in one mode; build/e2e.mjs says in which. */
const pageMode = process.env['DRYDOCK_PAGE_MODE']
const notIn = (mode: Mode, others: string[] = []): { grepInvert?: RegExp } => {
  const tags = [...others, ...(pageMode === undefined || pageMode === mode ? [] : ['@page'])]
  return tags.length === 0 ? {} : { grepInvert: new RegExp(tags.join('|'), 'u') }
}

/** One folder of specs, run in three modes; and the pictures of every page, which are no test. */
export default defineConfig<object, { mode: Mode }>({
  testDir: '.',
  outputDir: '../../test-results/e2e',
  timeout: 180_000,
  expect: { timeout: 30_000 },
  forbidOnly: true,
  // On a busy machine the stand-in's first window was once lost at its start. A spec that needs its second try is told as flaky.
  retries: process.env['CI'] === undefined ? 0 : 1,
  workers: 3,
  reporter: [['list']],
  // A trace costs as much as the specs themselves where the processor draws: the second try has one, or every try with DRYDOCK_TRACE.
  use: { trace: process.env['DRYDOCK_TRACE'] === undefined ? 'on-first-retry' : 'retain-on-failure', screenshot: 'only-on-failure', actionTimeout: 30_000 },
  projects: [
    // Specs of the desktop shell have nothing to say about a browser; those that need a real Electron are skipped, and counted, where there is none.
    { name: 'serve', testMatch: '*.spec.ts', ...notIn('serve', ['@shell', '@real']), use: { mode: 'serve' } },
    { name: 'standin', testMatch: '*.spec.ts', ...notIn('standin'), use: { mode: 'standin' } },
    { name: 'electron', testMatch: '*.spec.ts', ...notIn('electron'), use: { mode: 'electron' } },
    { name: 'screenshots', testMatch: 'screenshots/*.ts', use: { mode: 'serve', trace: 'off', screenshot: 'off' } },
  ],
})
