import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EMBEDDED } from '#electron/clusters/localClusters.ts'
import { freePort, hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startApplication, type RunningApplication } from '#test/support/runningApplication.ts'

const v3 = { env: { ETCDCTL_API: '3' }, timeoutMs: 60_000 }
const peers = ['etcdctl', 'etcd', 'kubectl'].every((program) => hasProgram(program))

async function backup(app: RunningApplication): Promise<Extract<Awaited<ReturnType<typeof saved>>, { phase: 'done' }>['backup']> {
  const done = await saved(app)
  if (done.phase !== 'done') throw new Error('no backup')
  return done.backup
}
const saved = (app: RunningApplication) => app.first('backups.save', { clusterId: EMBEDDED }, ({ phase }) => phase === 'done')

interface Range {
  kvs: { key: string; value: string; mod_revision: number; create_revision: number; version: number }[]
}

/** Everything below /registry as etcdctl prints it, at a revision. */
async function registry(args: string[], revision: number): Promise<Range['kvs']> {
  const { stdout, stderr, code } = await runProgram('etcdctl', [...args, 'get', '/registry/', '--prefix', `--rev=${String(revision)}`, '-w', 'json'], v3)
  if (code !== 0) throw new Error(stderr)
  return (JSON.parse(stdout) as Range).kvs
}

describe.skipIf(!peers)('a backup made by the app', () => {
  it('is what etcdctl says it is, starts a real etcd with the same keys, and brings the embedded cluster back', { timeout: 180_000 }, async () => {
    const dir = temporaryDirectory('app-backup')
    const app = await startApplication(join(dir, 'data'))
    const clusters = await app.first('clusters.watch', {}, ([cluster]) => cluster?.connection.state === 'live')
    const kubeconfig = clusters[0]?.kubectlArgs[clusters[0].kubectlArgs.indexOf('--kubeconfig') + 1] ?? ''
    const kubectl = (...args: string[]): ReturnType<typeof runProgram> => runProgram('kubectl', ['--kubeconfig', kubeconfig, ...args])
    await kubectl('create', 'configmap', 'kept', '--from-literal=answer=42')
    const made = await backup(app)
    expect(made.verdict).toBe('good')

    // 1. The figures the app shows are etcdctl's.
    const status = await runProgram('etcdctl', ['snapshot', 'status', made.path, '-w', 'json'], v3)
    const { status: shown } = made
    expect({ hash: shown?.hash, revision: shown?.revision, totalKey: shown?.totalKeys, totalSize: shown?.totalSizeBytes }).toEqual(JSON.parse(status.stdout))

    // 2. A real etcd restored from it holds what the embedded etcd held at that revision.
    const pki = join(dir, 'data/cluster/nodes/controlplane/etc/kubernetes/pki/etcd')
    const embedded = [
      '--endpoints',
      clusters[0]?.etcdEndpoint ?? '',
      '--cacert',
      join(pki, 'ca.crt'),
      '--cert',
      join(pki, 'healthcheck-client.crt'),
      '--key',
      join(pki, 'healthcheck-client.key'),
    ]
    const expected = await registry(embedded, shown?.revision ?? 0)
    expect(expected.length).toBeGreaterThan(100)
    const restored = join(dir, 'restored')
    expect((await runProgram('etcdctl', ['snapshot', 'restore', made.path, '--data-dir', restored], v3)).code).toBe(0)
    const [client, peer] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${String(port)}`)
    const etcd = spawn(
      'etcd',
      ['--data-dir', restored, '--listen-client-urls', client ?? '', '--advertise-client-urls', client ?? '', '--listen-peer-urls', peer ?? ''],
      { stdio: 'ignore' },
    )
    try {
      expect((await runProgram('etcdctl', ['--endpoints', client ?? '', 'endpoint', 'health', '--command-timeout=30s'], v3)).code).toBe(0)
      expect(await registry(['--endpoints', client ?? ''], 0)).toEqual(expected)
    } finally {
      const ended = once(etcd, 'exit')
      etcd.kill()
      await ended
    }

    // 3. Restored into the embedded cluster, what was deleted since is back, what came since is gone, and revisions go on upwards.
    await kubectl('delete', 'configmap', 'kept')
    await kubectl('create', 'configmap', 'later')
    const result = await app.first('backups.restore', { id: made.id }, ({ phase }) => phase === 'done')
    if (result.phase !== 'done') throw new Error('no result')
    expect(result.revisionAfter).toBeGreaterThanOrEqual(result.revisionBefore)
    expect(result.after['configmaps']).toBe(made.objectCounts['configmaps'])
    const now = await app.first('clusters.watch', {}, ([cluster]) => cluster?.connection.state === 'live')
    const after = now[0]?.kubectlArgs[now[0].kubectlArgs.indexOf('--kubeconfig') + 1] ?? ''
    const names = await runProgram('kubectl', ['--kubeconfig', after, 'get', 'configmaps', '-o', 'name'])
    expect(names.stdout.split('\n')).toContain('configmap/kept')
    expect(names.stdout.split('\n')).not.toContain('configmap/later')
  })
})
