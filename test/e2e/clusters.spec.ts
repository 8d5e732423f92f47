import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ResourceTable } from './pages/resourceTable.ts'
import { needs, unique } from './support/names.ts'
import { expect, test } from './support/test.ts'

const context = (name: string, server: string): { clusters: object[]; users: object[]; contexts: object[] } => ({
  clusters: [{ name, cluster: { server } }],
  users: [{ name, user: { token: 'none' } }],
  contexts: [{ name, context: { cluster: name, user: name } }],
})

/** A kubeconfig with a cluster that refuses, and one that accepts connections and never says a word. */
async function prepare(directory: string): Promise<Record<string, string>> {
  const silent = createServer()
  silent.unref()
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  const { port } = silent.address() as { port: number }
  const path = join(directory, 'kubeconfig')
  const refusing = context('refusing', 'https://127.0.0.1:1')
  const mute = context('mute', `https://127.0.0.1:${String(port)}`)
  writeFileSync(
    path,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'refusing',
      clusters: [...refusing.clusters, ...mute.clusters],
      users: [...refusing.users, ...mute.users],
      contexts: [...refusing.contexts, ...mute.contexts],
    }),
  )
  return { KUBECONFIG: path }
}

test.use({ setup: { label: 'clusters', prepare } })

test('clusters that cannot be reached say so and never hold up the one that can', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const table = new ResourceTable(frame)
  const name = unique('meanwhile')
  await frame.live()
  const names = await frame.clusterNames()
  for (const expected of ['Local cluster', 'refusing', 'mute']) expect(names.join('\n')).toContain(expected)
  await frame.chooseCluster('refusing')
  await expect(frame.status).toHaveText('Unreachable')
  await expect(frame.main).toContainText(/ECONNREFUSED|refused/)
  await frame.chooseCluster('mute')
  await expect(frame.status).toHaveText(/Connecting|Unreachable/)
  await app.kubectl(['create', 'deployment', name, '--image=nginx'])
  await frame.chooseCluster('Local cluster')
  await frame.live()
  await frame.open('Pods')
  await table.filter.fill(name)
  await expect(table.row('Running')).toHaveCount(1)
  await frame.chooseCluster('refusing')
  await expect(frame.status).toHaveText('Unreachable')
  await frame.chooseCluster('Local cluster')
  await frame.live()
})

test('a cluster that is protected asks for the name, a read-only one refuses', async ({ app }) => {
  needs('kubectl')
  const { frame } = app
  const table = new ResourceTable(frame)
  const name = unique('guarded')
  await frame.chooseCluster('Local cluster')
  await frame.live()
  await app.kubectl(['run', name, '--image=nginx'])
  const protect = async (level: string): Promise<void> => {
    await frame.open('Settings')
    await frame.main.getByLabel('Protection: Local cluster').selectOption({ label: level })
  }
  await protect('Read-only')
  await frame.open('Pods')
  await table.filter.fill(name)
  await table.open(name)
  await expect(table.details.getByRole('button', { name: 'Delete', exact: true })).toBeDisabled()
  await protect('Protected')
  await frame.open('Pods')
  await table.filter.fill(name)
  await table.open(name)
  await table.details.getByRole('button', { name: 'Delete', exact: true }).click()
  await expect(frame.dialog.getByRole('button', { name: 'Delete', exact: true })).toBeDisabled()
  await frame.confirm('Delete', name)
  await expect(table.row(name)).toHaveCount(0, { timeout: 40_000 })
  await protect('Not protected')
})
