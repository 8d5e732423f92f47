import { BackupsPage } from './pages/backupsPage.ts'
import { expect, test } from './support/test.ts'

// The page ends on another cluster than other specs expect.
test.use({ setup: { label: 'opened' } })

test('an opened backup is shown at an earlier revision of its file, and as it ended @page', async ({ app }) => {
  test.setTimeout(240_000)
  const { frame, page } = app
  await frame.live()
  await app.kubectl(['create', 'configmap', 'early', '--from-literal=a=b'])
  const revision = await app.kubectl(['get', 'configmap', 'early', '-o', 'jsonpath={.metadata.resourceVersion}'])
  await app.kubectl(['create', 'configmap', 'late', '--from-literal=a=b'])
  await app.kubectl(['delete', 'configmap', 'early'])
  await frame.open('Backups')
  await new BackupsPage(frame).backUpNow()
  await frame.main.getByRole('button', { name: 'Open as a cluster' }).click()
  const bar = page.getByRole('form', { name: 'Revision of the opened backup' })
  await expect(bar).toBeVisible({ timeout: 60_000 })
  await frame.open('ConfigMaps')
  await expect(frame.main.getByRole('gridcell', { name: 'late', exact: true })).toBeVisible()
  await expect(frame.main.getByRole('gridcell', { name: 'early', exact: true })).toBeHidden()
  await bar.getByRole('spinbutton', { name: 'As it was at revision' }).fill(revision.trim())
  await bar.getByRole('button', { name: 'Show' }).click()
  await expect(frame.main.getByRole('gridcell', { name: 'early', exact: true })).toBeVisible({ timeout: 60_000 })
  await expect(frame.main.getByRole('gridcell', { name: 'late', exact: true })).toBeHidden()
})
