import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from './support/test.ts'

const PASSWORD = 'right-horse-7141'

/** A cluster of others, which nobody has to reach for its nodes' password to be given. */
function prepare(directory: string): Promise<Record<string, string>> {
  const path = join(directory, 'kubeconfig')
  const named = (name: string, of: object): object => ({ name, ...of })
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [named('remote', { cluster: { server: 'https://127.0.0.1:1' } })],
    users: [named('remote', { user: { token: 'none' } })],
    contexts: [named('remote', { context: { cluster: 'remote', user: 'remote' } })],
  }
  writeFileSync(path, JSON.stringify(config))
  return Promise.resolve({ KUBECONFIG: path })
}

test.use({ setup: { label: 'sudo', prepare } })

test('a password for sudo is given for a remote cluster, forgotten again, and written nowhere @page', async ({ app }) => {
  test.setTimeout(240_000)
  const { frame, page } = app
  await expect(frame.status).toHaveText('Live', { timeout: 120_000 })
  await frame.open('Settings')
  const field = page.getByLabel('Password for sudo on the nodes of remote')
  await expect(field).toBeHidden()
  await frame.chooseCluster('remote')
  await frame.open('Settings')
  await field.fill(PASSWORD)
  await frame.main.getByRole('button', { name: 'Use until Drydock ends' }).click()
  await expect(frame.messages.getByText('The password is used for sudo on these nodes')).toBeVisible()
  await expect(field).toHaveValue('')
  const files = readdirSync(app.shell.dataDir, { recursive: true })
    .map((name) => join(app.shell.dataDir, String(name)))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
  expect(files.length).toBeGreaterThan(10)
  for (const path of files) expect(readFileSync(path, 'latin1').includes(PASSWORD), path).toBe(false)
  await frame.main.getByRole('button', { name: 'Forget' }).click()
  await expect(frame.messages.getByText('The password is forgotten')).toBeVisible()
})
