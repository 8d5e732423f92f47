import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from './support/test.ts'

test('the resources of a cluster are exported as files, Secrets encrypted @page', async ({ app }) => {
  test.setTimeout(240_000)
  const { frame, page } = app
  await expect(frame.status).toHaveText('Live', { timeout: 120_000 })
  await app.kubectl(['create', 'configmap', 'exported', '--from-literal=colour=blue'])
  await app.kubectl(['create', 'secret', 'generic', 'exported', '--from-literal=word=hunter22'])
  await frame.open('Backups')
  await frame.main.getByRole('button', { name: 'Export…' }).click()
  const dialog = page.getByRole('dialog')
  const folder = join(app.directory, 'exported')
  await dialog.getByLabel(/^An empty or new folder/).fill(folder)
  await dialog.getByLabel('In one file, encrypted with age and a passphrase').check()
  await expect(dialog.getByRole('button', { name: 'Export' })).toBeDisabled()
  await dialog.getByLabel('Passphrase', { exact: true }).fill('correct horse')
  await dialog.getByLabel('Passphrase, once more').fill('correct horse')
  await dialog.getByRole('button', { name: 'Export' }).click()
  await expect(dialog.getByText(/^\d+ objects in/)).toBeVisible({ timeout: 120_000 })
  await expect(dialog.getByText(join(folder, 'secrets.yaml.age'), { exact: true })).toBeVisible()
  const files = readdirSync(folder, { recursive: true }).map(String)
  expect(files).toContain('default/configmap/exported.yaml')
  expect(files.filter((name) => name.includes('/secret/'))).toEqual([])
  expect(readFileSync(join(folder, 'secrets.yaml.age'), 'latin1')).toMatch(/^age-encryption\.org\/v1\n-> scrypt /)
  // The same folder again would mix old with new.
  await dialog.getByLabel('Left out').check()
  await dialog.getByRole('button', { name: 'Export' }).click()
  await expect(frame.messages.getByText(/is not empty/)).toBeVisible()
  // Specs that come after share the app.
  await page.keyboard.press('Escape')
  await expect(dialog).toHaveCount(0)
})
