import { expect, type Locator, type Page } from '@playwright/test'

/** What surrounds every page: top bar, sidebar, status bar, palette. */
export class Frame {
  readonly page: Page
  readonly sidebar: Locator
  readonly status: Locator
  readonly main: Locator
  /** The one dialog that is open: palette, map, question. */
  readonly dialog: Locator
  readonly messages: Locator

  constructor(page: Page) {
    this.page = page
    this.sidebar = page.getByRole('navigation', { name: 'Pages' })
    this.status = page.locator('footer').getByRole('status')
    this.main = page.locator('main')
    this.dialog = page.getByRole('dialog')
    this.messages = page.getByRole('region', { name: 'Messages' })
  }

  /** Resolves when the cluster on the screen is followed live. */
  async live(): Promise<void> {
    await expect(this.status).toHaveText('Live', { timeout: 30_000 })
  }

  /** Names of the sidebar's pages. A link's accessible name leaves out the key that stands beside it. */
  async links(): Promise<string[]> {
    await this.unfold()
    return this.sidebar.getByRole('link').evaluateAll((links) =>
      links.map((link) =>
        [...link.childNodes]
          .filter((node) => !(node instanceof HTMLElement) || node.ariaHidden !== 'true')
          .map((node) => node.textContent)
          .join('')
          .trim(),
      ),
    )
  }

  /** Opens every group of the sidebar. */
  async unfold(): Promise<void> {
    await expect(this.sidebar.getByRole('link').first()).toBeVisible()
    const folded = this.sidebar.getByRole('button', { expanded: false })
    while ((await folded.count()) > 0) await folded.first().click()
  }

  heading(name: string): Locator {
    return this.main.getByRole('heading', { level: 1, name, exact: true })
  }

  /** Opens a page by its link in the sidebar and waits until it shows something. */
  async open(name: string): Promise<void> {
    await this.unfold()
    await this.sidebar.getByRole('link', { name, exact: true }).click()
    await expect(this.heading(name)).toBeVisible()
    await this.settled()
  }

  /** Resolves when no part of the page says that it is loading. */
  async settled(): Promise<void> {
    await expect(this.main.locator('.skeleton')).toHaveCount(0, { timeout: 20_000 })
  }

  async chooseCluster(name: string): Promise<void> {
    await this.page.locator('header.top').getByRole('button').first().click()
    await this.page.getByRole('menuitem').filter({ hasText: name }).click()
    await expect(this.page.getByRole('menu')).toHaveCount(0)
  }

  /** Names in the switcher, which is closed again. */
  async clusterNames(): Promise<string[]> {
    await this.page.locator('header.top').getByRole('button').first().click()
    const names = await this.page.getByRole('menuitem').allInnerTexts()
    await this.page.keyboard.press('Escape')
    await expect(this.page.getByRole('menu')).toHaveCount(0)
    return names.map((each) => each.replace(/\s+/g, ' ').trim())
  }

  /** Answers the open question; some want a name typed. */
  async confirm(action: string, typed = ''): Promise<void> {
    if (typed !== '') await this.dialog.getByRole('textbox').fill(typed)
    await this.dialog.getByRole('button', { name: action, exact: true }).click()
    await expect(this.dialog).toHaveCount(0)
  }
}
