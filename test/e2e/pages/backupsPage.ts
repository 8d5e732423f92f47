import { expect, type Locator } from '@playwright/test'
import type { Frame } from './frame.ts'

/** Figures of one backup as the page shows them. */
export interface ShownBackup {
  path: string
  hash: string
  revision: number
  totalKeys: number
  sha256: string
}

export class BackupsPage {
  readonly frame: Frame
  readonly list: Locator
  readonly schedule: Locator

  constructor(frame: Frame) {
    this.frame = frame
    this.schedule = frame.main.getByRole('region', { name: 'Schedule' })
    this.list = frame.main
      .getByRole('region', { name: 'Backups', exact: true })
      .getByRole('row')
      .filter({ has: frame.page.getByRole('cell') })
  }

  /** One click, then the message that it was read back. */
  async backUpNow(): Promise<void> {
    await this.backUpBy(() => this.frame.main.getByRole('button', { name: 'Back up now' }).click())
  }

  /** What begins a backup, then the message that it was read back: not that of an earlier backup, which stays for some seconds. */
  async backUpBy(begin: () => Promise<void>, { timeoutMs = 30_000 } = {}): Promise<void> {
    const verified = this.frame.messages.getByText('The backup is verified')
    await expect(verified).toHaveCount(0, { timeout: 30_000 })
    await begin()
    await expect(verified).toBeVisible({ timeout: timeoutMs })
  }

  async changeSchedule(cron: string): Promise<void> {
    await this.schedule.getByRole('button', { name: 'Change…' }).click()
    const dialog = this.frame.page.getByRole('dialog')
    await dialog.getByLabel('Cron expression').fill(cron)
    await dialog.getByRole('button', { name: 'Save schedule' }).click()
    await expect(dialog).toBeHidden()
  }

  async removeSchedule(): Promise<void> {
    await this.schedule.getByRole('button', { name: 'Change…' }).click()
    await this.frame.page.getByRole('dialog').getByRole('button', { name: 'Remove schedule' }).click()
    await expect(this.frame.page.getByRole('dialog')).toBeHidden()
  }

  /** Of the backup whose details are open. */
  async shown(): Promise<ShownBackup> {
    const value = async (term: string): Promise<string> =>
      (
        await this.frame.main
          .locator('dt', { hasText: new RegExp(`^${term}$`) })
          .locator('xpath=following-sibling::dd[1]')
          .innerText()
      ).trim()
    const whole = (text: string): number => Number(text.replaceAll(/\D/g, ''))
    return {
      path: await value('File'),
      hash: await value('Hash'),
      revision: whole(await value('Revision')),
      totalKeys: whole(await value('Keys')),
      sha256: await value('SHA-256'),
    }
  }

  async restore(clusterName: string): Promise<void> {
    await this.frame.main.getByRole('button', { name: 'Restore', exact: true }).click()
    await this.frame.confirm('Restore', clusterName)
  }

  /** Counts before and after, by resource. */
  async counts(): Promise<Map<string, { before: number; after: number }>> {
    const table = this.frame.main.getByRole('table').filter({ hasText: 'Before' })
    await expect(table).toBeVisible({ timeout: 60_000 })
    const rows = await table
      .getByRole('row')
      .filter({ has: this.frame.page.getByRole('cell') })
      .all()
    const found = new Map<string, { before: number; after: number }>()
    for (const row of rows) {
      const [name = '', before = '', after = ''] = await row.getByRole('cell').allInnerTexts()
      found.set(name.trim(), { before: Number(before.replaceAll(/\D/g, '')), after: Number(after.replaceAll(/\D/g, '')) })
    }
    return found
  }
}
