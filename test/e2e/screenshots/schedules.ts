import { BackupsPage } from '../pages/backupsPage.ts'
import { everyLook } from '../support/looks.ts'
import { expect, test } from '../support/test.ts'

// Schedules and encrypted backups in both themes and two sizes. Pictures to look at, not to compare.

test('takes schedules and encrypted backups', async ({ app }) => {
  test.setTimeout(600_000)
  const { page, frame } = app
  const backups = new BackupsPage(frame)
  const dialog = page.getByRole('dialog')
  const take = (name: string): Promise<void> => everyLook(page, name)
  await frame.live()
  await frame.open('Backups')
  await take('schedule-none')
  await backups.schedule.getByRole('button', { name: 'Set a schedule…' }).click()
  await expect(dialog.getByRole('status')).toContainText('Next:')
  await take('schedule-dialog')
  await dialog.getByLabel('Cron expression').fill('@every 20s')
  await dialog.getByRole('button', { name: 'Save schedule' }).click()
  await expect(backups.schedule).toContainText(/Last run ?Good/, { timeout: 90_000 })
  await backups.changeSchedule('0 */6 * * *')
  await backups.list.first().click()
  await take('schedule')
  await frame.main.getByRole('button', { name: 'Options…' }).click()
  await dialog.getByLabel('For public keys').check()
  await take('back-up-recipients')
  await dialog.getByLabel('With a passphrase').check()
  await take('back-up-passphrase')
  await dialog.getByLabel('Passphrase', { exact: true }).fill('correct horse')
  await dialog.getByLabel('Passphrase, once more').fill('correct horse')
  await dialog.getByLabel(/^Save PKI/).check()
  await dialog.getByRole('button', { name: 'Back up now' }).click()
  await expect(frame.messages.getByText('The backup is verified').last()).toBeVisible({ timeout: 90_000 })
  await take('encrypted')
  await frame.main.getByRole('button', { name: 'Verify again' }).click()
  await take('unlock')
  await page.keyboard.press('Escape')
  await frame.open('Overview')
  await take('overview-target')
})
