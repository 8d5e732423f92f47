import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, type Page } from '@playwright/test'

/** Where pictures are put: a folder for each look. */
export const picturesFolder = fileURLToPath(new URL('../../../test-results/screenshots', import.meta.url))

export const THEMES = ['light', 'dark'] as const
/** What a laptop shows, and the smallest window the pages are made for. */
export const SIZES = [
  { width: 1440, height: 900 },
  { width: 1024, height: 700 },
] as const

/** Puts the page into one look. @returns what takes a picture of it */
export async function look(page: Page, theme: (typeof THEMES)[number], size: (typeof SIZES)[number]): Promise<(name: string) => Promise<void>> {
  await page.emulateMedia({ colorScheme: theme })
  await page.setViewportSize(size)
  await expect(page.locator('html')).toHaveAttribute('data-theme', theme)
  const into = join(picturesFolder, `${theme}-${String(size.width)}`)
  mkdirSync(into, { recursive: true })
  return async (name) => {
    await page.screenshot({ path: join(into, `${name}.png`), animations: 'disabled' })
  }
}

/** Takes what the page shows now in every look, and leaves it in the first size. */
export async function everyLook(page: Page, name: string): Promise<void> {
  for (const theme of THEMES) for (const size of SIZES) await (await look(page, theme, size))(name)
  await page.setViewportSize(SIZES[0])
}
