import { BackupsPage } from './pages/backupsPage.ts'
import { needs, unique } from './support/names.ts'
import { expect, test } from './support/test.ts'

test.use({ setup: { label: 'restart' } })

test('objects, backups and settings are there again after the app was ended and started', async ({ app }) => {
  needs('kubectl')
  const name = unique('lasting')
  await app.frame.live()
  await app.kubectl(['create', 'namespace', name])
  const identity = await app.kubectl(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])
  await app.frame.open('Backups')
  await new BackupsPage(app.frame).backUpNow()
  await app.frame.open('Settings')
  await app.frame.main.getByRole('button', { name: 'Dark', exact: true }).click()
  await expect(app.page.locator('html')).toHaveAttribute('data-theme', 'dark')

  await app.restart()

  await app.frame.live()
  await expect(app.page.locator('html')).toHaveAttribute('data-theme', 'dark')
  expect(await app.kubectl(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])).toBe(identity)
  await app.frame.open('Namespaces')
  await expect(app.frame.main.getByRole('grid')).toContainText(name)
  await app.frame.open('Backups')
  await expect(new BackupsPage(app.frame).list).toHaveCount(1)
  await app.frame.open('Nodes')
  await expect(app.frame.main.getByRole('grid').getByRole('row').filter({ hasText: 'Ready' })).toHaveCount(3)
})
