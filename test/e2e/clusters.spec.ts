import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ResourceTable } from './pages/resourceTable.ts'
import { needs, unique } from './support/names.ts'
import { expect, test } from './support/test.ts'

interface Context {
  clusters: object[]
  users: object[]
  contexts: object[]
}

const context = (name: string, server: string): Context => ({
  clusters: [{ name, cluster: { server } }],
  users: [{ name, user: { token: 'none' } }],
  contexts: [{ name, context: { cluster: name, user: name } }],
})

function writeKubeconfig(path: string, contexts: readonly Context[]): void {
  writeFileSync(
    path,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: contexts.flatMap((each) => each.clusters),
      users: contexts.flatMap((each) => each.users),
      contexts: contexts.flatMap((each) => each.contexts),
    }),
  )
}

/** A kubeconfig with a cluster that refuses, and one that accepts connections and never says a word. */
async function prepare(directory: string): Promise<Record<string, string>> {
  const silent = createServer()
  silent.unref()
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  const { port } = silent.address() as { port: number }
  const path = join(directory, 'kubeconfig')
  const refusing = context('refusing', 'https://127.0.0.1:1')
  const mute = context('mute', `https://127.0.0.1:${String(port)}`)
  writeKubeconfig(path, [refusing, mute])
  return { KUBECONFIG: path }
}

test.use({ setup: { label: 'clusters', prepare } })

test('clusters that cannot be reached say so and never hold up the one that can @page', async ({ app }) => {
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

test('a cluster that is protected asks for the name, a read-only one refuses @page', async ({ app }) => {
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

test('who may read one namespace only is told so, and reads that one @page', async ({ app }) => {
  needs('kubectl')
  const { frame, page } = app
  const table = new ResourceTable(frame)
  const own = unique('own')
  await frame.chooseCluster('Local cluster')
  await frame.live()
  await app.kubectl(['create', 'namespace', own])
  await app.kubectl(['-n', own, 'create', 'serviceaccount', 'reader'])
  await app.kubectl(['-n', own, 'create', 'role', 'reader', '--verb=get,list,watch', '--resource=pods'])
  await app.kubectl(['-n', own, 'create', 'rolebinding', 'reader', '--role=reader', `--serviceaccount=${own}:reader`])
  await app.kubectl(['-n', own, 'run', 'inside', '--image=nginx'])
  const read = (path: string): Promise<string> => app.kubectl(['config', 'view', '--raw', '-o', `jsonpath={${path}}`])
  // `kubectl create token` is younger than the oldest kubectl this runs with.
  const path = `/api/v1/namespaces/${own}/serviceaccounts/reader/token`
  const answer = await app.kubectl(['create', '--raw', path, '-f', '-'], { input: '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}' })
  const { token } = (JSON.parse(answer) as { status: { token: string } }).status
  const server = await read('.clusters[0].cluster.server')
  const ca = await read('.clusters[0].cluster.certificate-authority-data')
  writeKubeconfig(join(app.directory, 'kubeconfig'), [
    {
      clusters: [{ name: own, cluster: { server, 'certificate-authority-data': ca } }],
      users: [{ name: own, user: { token } }],
      contexts: [{ name: own, context: { cluster: own, user: own } }],
    },
  ])
  await frame.chooseCluster(own)
  await frame.open('Pods')
  await expect(frame.main.getByRole('alert')).toContainText('You may not read this')
  await expect(frame.main.getByRole('alert')).toContainText(`User "system:serviceaccount:${own}:reader" cannot list resource "pods"`)
  const namespace = page.getByRole('textbox', { name: 'Namespace' })
  await namespace.fill(own)
  await namespace.press('Enter')
  await expect(table.row('inside')).toHaveCount(1)
  await expect(frame.main.getByRole('alert')).toHaveCount(0)
  await frame.chooseCluster('Local cluster')
  await frame.live()
})
