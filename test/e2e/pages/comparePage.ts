import { expect, type Locator } from '@playwright/test'
import type { Frame } from './frame.ts'

/** Two sides compared, and restoring from the one into the other. */
export class ComparePage {
  readonly frame: Frame
  readonly tree: Locator

  constructor(frame: Frame) {
    this.frame = frame
    this.tree = frame.main.getByRole('region', { name: 'What differs' })
  }

  /** Resolves when both sides were read. The first time a backup is opened for it. */
  async compared(): Promise<void> {
    await expect(this.frame.main.getByText(/\d removed, /)).toBeVisible({ timeout: 90_000 })
    await this.frame.settled()
  }

  row(name: string): Locator {
    return this.tree.getByRole('button', { name: new RegExp(`^${name}\\b`) }).first()
  }

  tick(name: string): Locator {
    return this.tree.getByRole('checkbox', { name: `Restore ${name}`, exact: true }).first()
  }

  /** The rows of the plan or of its outcome, as `Kind namespace/name state`. */
  async items(): Promise<string[]> {
    const rows = this.frame.main
      .getByRole('region', { name: 'Objects to restore' })
      .getByRole('row')
      .filter({ has: this.frame.page.getByRole('cell') })
    await expect(rows.first()).toBeVisible({ timeout: 60_000 })
    return (await rows.all()).reduce<Promise<string[]>>(async (found, row) => {
      const [kind = '', object = ''] = await row.getByRole('cell').allInnerTexts()
      const state = await row.getByRole('cell').nth(2).locator('.pill').innerText()
      return [...(await found), `${kind} ${object} ${state}`.trim()]
    }, Promise.resolve([]))
  }
}
