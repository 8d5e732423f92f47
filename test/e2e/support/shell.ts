import type { ElectronApplication, Page } from '@playwright/test'

/** How the app is shown: our stand-in for Electron, a browser on `drydock serve`, or a real Electron. */
export type Mode = 'standin' | 'serve' | 'electron'

/** One running app with its window. */
export interface Shell {
  page: Page
  /** Null where the page was served to a browser. */
  electron: ElectronApplication | null
  /** Where the app keeps everything. */
  dataDir: string
  /** Ends the app as a person does, and waits until its processes are gone. */
  close(): Promise<void>
}

export interface ShellOptions {
  /** Of the test; the app's data is below it. */
  directory: string
  /** Variables besides the test's own. */
  env: Record<string, string>
  /** What the page prints and what goes wrong on it is told here, from its first moment. */
  watch: (page: Page) => void
}

/** Longest wait for a start or an end on a busy machine. */
export const START_MS = 60_000

/** The test's environment without what would change the app. */
export function environment(own: Record<string, string>): Record<string, string> {
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !/^(ELECTRON_|NODE_OPTIONS$)/.test(entry[0]))
  return { ...Object.fromEntries(kept), ...own }
}
