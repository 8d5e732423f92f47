import { expect, type Locator } from '@playwright/test'
import type { Frame } from './frame.ts'

/** What a drain would do, before it is started. */
export class DrainPage {
  readonly frame: Frame
  readonly start: Locator

  constructor(frame: Frame) {
    this.frame = frame
    this.start = frame.main.getByRole('button', { name: 'Start the drain' })
  }

  async opened(): Promise<void> {
    await expect(this.frame.heading('Drain')).toBeVisible()
    await this.frame.settled()
  }

  pods(node: string): Locator {
    return this.frame.main
      .getByRole('region', { name: node })
      .getByRole('row')
      .filter({ has: this.frame.page.getByRole('cell') })
  }

  pod(node: string, name: string): Locator {
    return this.pods(node).filter({ hasText: name })
  }

  async decide(name: string, action: string, reason: string): Promise<void> {
    await this.frame.main.getByRole('button', { name: `Decide on ${name}` }).click()
    await this.frame.dialog.getByRole('radio', { name: action }).check()
    await this.frame.dialog.getByRole('textbox').fill(reason)
    await this.frame.dialog.getByRole('button', { name: 'Decide', exact: true }).click()
    await expect(this.frame.dialog).toHaveCount(0)
  }
}
