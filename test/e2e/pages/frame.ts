import { expect, type Locator, type Page } from '@playwright/test'

/** What surrounds every page: top bar, sidebar, status bar, palette. */
export class Frame {
  readonly page: Page
  readonly sidebar: Locator
  readonly status: Locator
  readonly main: Locator

  constructor(page: Page) {
    this.page = page
    this.sidebar = page.getByRole('navigation', { name: 'Pages' })
    this.status = page.locator('footer').getByRole('status')
    this.main = page.locator('main')
  }

  /** Resolves when the cluster on the screen is followed live. */
  async live(): Promise<void> {
    await expect(this.status).toHaveText('Live', { timeout: 30_000 })
  }

  /** The sidebar's links, by what is written on them and where they lead. */
  async links(): Promise<{ name: string; href: string }[]> {
    await expect(this.sidebar.getByRole('link').first()).toBeVisible()
    return this.sidebar
      .getByRole('link')
      .evaluateAll((links) => links.map((link) => ({ name: link.textContent.trim(), href: link.getAttribute('href') ?? '' })))
  }

  /** Opens a page by its link in the sidebar and waits until it shows something. */
  async open(name: string): Promise<void> {
    await this.sidebar.getByRole('link', { name, exact: true }).click()
    await expect(this.main.getByRole('heading', { level: 1 })).toBeVisible()
    await this.settled()
  }

  /** Resolves when no part of the page says that it is loading. */
  async settled(): Promise<void> {
    await expect(this.main.locator('.skeleton')).toHaveCount(0, { timeout: 20_000 })
  }
}
