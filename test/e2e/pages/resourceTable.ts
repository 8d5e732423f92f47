import { expect, type Locator } from '@playwright/test'
import type { Frame } from './frame.ts'

/** A resource's table and the details beside it. */
export class ResourceTable {
  readonly frame: Frame
  readonly grid: Locator
  readonly filter: Locator
  readonly details: Locator

  constructor(frame: Frame) {
    this.frame = frame
    this.grid = frame.main.getByRole('grid')
    this.filter = frame.main.getByRole('searchbox', { name: 'Filter' })
    this.details = frame.main.getByRole('complementary')
  }

  /** Rows of objects; the first of the grid names the columns. */
  get rows(): Locator {
    return this.grid.getByRole('row').filter({ has: this.frame.page.getByRole('gridcell') })
  }

  row(text: string): Locator {
    return this.rows.filter({ hasText: text })
  }

  /** Opens an object's details by its row. */
  async open(text: string, tab?: string): Promise<void> {
    await this.row(text).first().click()
    await expect(this.details).toBeVisible()
    if (tab !== undefined) await this.details.getByRole('tab', { name: tab, exact: true }).click()
  }

  /** Takes the object whose details are open away. */
  async deleteOpened(): Promise<void> {
    await this.details.getByRole('button', { name: 'Delete', exact: true }).click()
    await this.frame.confirm('Delete')
  }
}
