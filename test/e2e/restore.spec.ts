import { BackupsPage } from './pages/backupsPage.ts'
import { needs, unique } from './support/names.ts'
import { expect, test } from './support/test.ts'

// Its own app: the cluster's data is replaced.
test.use({ setup: { label: 'restore' } })

test('a backup brings the cluster back as it was, and the counts say so @page', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const backups = new BackupsPage(frame)
  const kept = unique('kept')
  const late = unique('late')
  await frame.live()
  await app.kubectl(['create', 'namespace', kept])
  await frame.open('Backups')
  await backups.backUpNow()
  await app.kubectl(['create', 'namespace', late])
  await app.kubectl(['delete', 'namespace', kept])
  await backups.restore('Local cluster')
  const counts = await backups.counts()
  expect(counts.get('namespaces')).toEqual({ before: 5, after: 5 })
  await frame.live()
  const names = await app.kubectl(['get', 'namespaces', '-o', 'name'])
  expect(names).toContain(`namespace/${kept}\n`)
  expect(names).not.toContain(late)
  await frame.open('Namespaces')
  await expect(frame.main.getByRole('grid')).toContainText(kept)
  await expect(frame.main.getByRole('grid')).not.toContainText(late)
})
