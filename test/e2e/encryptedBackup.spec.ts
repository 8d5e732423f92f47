import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { BackupsPage } from './pages/backupsPage.ts'
import { expect, test } from './support/test.ts'

test('an encrypted backup is verified, opens only with its passphrase, and has PKI beside it @page', async ({ app }) => {
  test.setTimeout(240_000)
  const { frame, page } = app
  const backups = new BackupsPage(frame)
  await frame.live()
  await frame.open('Backups')
  await frame.main.getByRole('button', { name: 'Options…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('With a passphrase').check()
  await expect(dialog.getByRole('button', { name: 'Back up now' })).toBeDisabled()
  await dialog.getByLabel('Passphrase', { exact: true }).fill('correct horse')
  await dialog.getByLabel('Passphrase, once more').fill('correct horses')
  await expect(dialog.getByRole('status')).toHaveText('The two passphrases differ')
  await dialog.getByLabel('Passphrase, once more').fill('correct horse')
  await dialog.getByLabel(/^Save PKI/).check()
  await backups.backUpBy(() => dialog.getByRole('button', { name: 'Back up now' }).click(), { timeoutMs: 90_000 })
  const { path } = await backups.shown()
  expect(path).toMatch(/\.db\.zst\.age$/)
  expect(readFileSync(path).subarray(0, 21).toString()).toBe('age-encryption.org/v1')
  await expect(backups.list.first()).toContainText('5 checks')
  await expect(frame.main.getByText(/\.pki\.tar\.zst\.age$/)).toBeVisible()

  await frame.main.getByRole('button', { name: 'Test restore' }).click()
  await dialog.getByLabel('Passphrase').fill('wrong')
  await dialog.getByRole('button', { name: 'Open' }).click()
  await expect(frame.messages.getByText('the passphrase does not open the file')).toBeVisible({ timeout: 60_000 })
  await frame.main.getByRole('button', { name: 'Test restore' }).click()
  await dialog.getByLabel('Passphrase').fill('correct horse')
  await dialog.getByRole('button', { name: 'Open' }).click()
  await expect(frame.main.getByText(/objects of \d+ kinds were read through the API/)).toBeVisible({ timeout: 90_000 })

  const status = execFileSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'electron/cli.ts', 'snapshot', 'verify', path, '--passphrase-file', '-'],
    {
      input: 'correct horse\n',
      encoding: 'utf8',
    },
  )
  expect(status).toContain('good: envelope: decrypted and authenticated, then decompressed, its checksum right')
})
