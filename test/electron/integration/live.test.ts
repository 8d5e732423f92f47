import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { decodePackedTable } from '#shared/contract/packedTable.ts'
import type { ResourceName } from '#shared/contract/table.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startApplication, type RunningApplication } from '#test/support/runningApplication.ts'

const kubeconfig = process.env['DRYDOCK_LIVE_KUBECONFIG'] ?? ''
/** Where the cluster's etcd answers, and the folder with its ca.crt and healthcheck-client.{crt,key}. */
const etcdEndpoint = process.env['DRYDOCK_LIVE_ETCD'] ?? ''
const etcdPki = process.env['DRYDOCK_LIVE_ETCD_PKI'] ?? ''

const kubectl = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await runProgram('kubectl', ['--kubeconfig', kubeconfig, ...args])
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}
const keysByKubectl = async (resource: string): Promise<string[]> =>
  (await kubectl('get', resource, '-A', '-o', 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\\n"}{end}'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^\//, ''))
    .sort()

/** Rows of a table as they are once `wanted` holds of their keys. */
async function keysOnceThat(app: RunningApplication, clusterId: string, resource: ResourceName, wanted: (keys: Set<string>) => boolean): Promise<Set<string>> {
  const keys = new Set<string>()
  await app.first('table.watch', { clusterId, resource }, (message) => {
    if (message.type === 'snapshot') {
      keys.clear()
      for (const key of decodePackedTable(message.packed).keys) keys.add(key)
    } else if (message.type === 'delta') {
      for (const key of decodePackedTable(message.upserted).keys) keys.add(key)
      for (const key of message.removed) keys.delete(key)
    }
    return message.type !== 'connection' && wanted(keys)
  })
  return keys
}

describe.skipIf(kubeconfig === '' || !hasProgram('kubectl'))('a remote cluster (DRYDOCK_LIVE_KUBECONFIG)', () => {
  it('shows its nodes, pods and events live, and verifies a backup of its etcd', { timeout: 120_000 }, async () => {
    const { 'current-context': context } = parse(readFileSync(kubeconfig, 'utf8')) as { 'current-context': string }
    const dir = temporaryDirectory('live')
    const app = await startApplication(join(dir, 'data'), [kubeconfig])
    const clusters = await app.first('clusters.watch', {}, (list) => list.some(({ kind, name }) => kind === 'remote' && name === context))
    const clusterId = clusters.find(({ kind, name }) => kind === 'remote' && name === context)?.id ?? ''
    await app.invoke('clusters.open', { clusterId })
    await app.first('clusters.watch', {}, (list) => list.some(({ id, connection }) => id === clusterId && connection.state === 'live'))

    expect([...(await keysOnceThat(app, clusterId, 'nodes', ({ size }) => size > 0))].sort()).toEqual(await keysByKubectl('nodes'))

    const name = `drydock-live-${String(process.pid)}`
    const key = `default/${name}`
    const created = keysOnceThat(app, clusterId, 'pods', (keys) => keys.has(key))
    await kubectl('run', name, '--image=registry.k8s.io/pause:3.9', '--restart=Never')
    expect([...(await created)].sort()).toEqual(await keysByKubectl('pods'))
    const events = await keysOnceThat(app, clusterId, 'events', (keys) => [...keys].some((each) => each.startsWith(`${key}.`)))
    expect([...events].filter((each) => each.startsWith(`${key}.`))).not.toEqual([])
    // The pod's end reaches the same subscription that saw it.
    let seen = false
    const gone = keysOnceThat(app, clusterId, 'pods', (keys) => {
      seen ||= keys.has(key)
      return seen && !keys.has(key)
    })
    await kubectl('delete', 'pod', name, '--grace-period=0', '--force')
    expect(await gone).not.toContain(key)

    // The right comes by the second group alone, as a real server reads each from a header of its own.
    const binding = `drydock-live-${String(process.pid)}`
    await kubectl('create', 'clusterrolebinding', binding, '--clusterrole=view', '--group=drydock-live-b')
    try {
      for (const [verb, resource] of [
        ['list', 'pods'],
        ['list', 'secrets'],
      ] as const) {
        const subject = { kind: 'Group' as const, name: 'drydock-live-a', groups: ['drydock-live-b'] }
        const { allowed } = await app.invoke('access.canI', { clusterId, subject, verb, group: '', resource, namespace: 'default' })
        const groups = ['--as-group=drydock-live-a', '--as-group=drydock-live-b']
        const { stdout } = await runProgram('kubectl', ['--kubeconfig', kubeconfig, 'auth', 'can-i', verb, resource, '--as=anybody', ...groups])
        expect(`${resource}: ${allowed ? 'yes' : 'no'}`).toBe(`${resource}: ${stdout.trim()}`)
      }
    } finally {
      await kubectl('delete', 'clusterrolebinding', binding)
    }

    if (etcdEndpoint === '') return
    const tls = { caFile: join(etcdPki, 'ca.crt'), certFile: join(etcdPki, 'healthcheck-client.crt'), keyFile: join(etcdPki, 'healthcheck-client.key') }
    const done = await app.first('backups.save', { clusterId, etcd: { endpoint: etcdEndpoint, ...tls } }, ({ phase }) => phase === 'done')
    if (done.phase !== 'done') throw new Error('no backup')
    expect(done.backup.verdict).toBe('good')
    const status = await runProgram('etcdctl', ['snapshot', 'status', done.backup.path, '-w', 'json'], { env: { ETCDCTL_API: '3' } })
    const shown = done.backup.status
    expect({ hash: shown?.hash, revision: shown?.revision, totalKey: shown?.totalKeys, totalSize: shown?.totalSizeBytes }).toEqual(JSON.parse(status.stdout))
    // Objects counted from the file's keys are what the API server has.
    expect(done.backup.objectCounts['nodes'] ?? done.backup.objectCounts['minions']).toBe((await keysByKubectl('nodes')).length)
  })
})
