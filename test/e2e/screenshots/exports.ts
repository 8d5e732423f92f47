import { join } from 'node:path'
import { everyLook } from '../support/looks.ts'
import { expect, test } from '../support/test.ts'

// The export of resources in both themes and two sizes. Pictures to look at, not to compare.

test('takes the export of resources', async ({ app }) => {
  test.setTimeout(600_000)
  const { page, frame } = app
  await expect(frame.status).toHaveText('Live', { timeout: 120_000 })
  await frame.open('Backups')
  await expect(frame.main.getByRole('button', { name: 'Export…' })).toBeVisible()
  await everyLook(page, 'backups-export')
  await frame.main.getByRole('button', { name: 'Export…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel(/^An empty or new folder/).fill(join(app.directory, 'exported'))
  await dialog.getByLabel('In one file, encrypted with age and a passphrase').check()
  await dialog.getByLabel('Passphrase', { exact: true }).fill('correct horse')
  await dialog.getByLabel('Passphrase, once more').fill('correct horse')
  await dialog.getByRole('button', { name: 'Export' }).click()
  await expect(dialog.getByText(/^\d+ objects in/)).toBeVisible({ timeout: 240_000 })
  await everyLook(page, 'backups-exported')
})
