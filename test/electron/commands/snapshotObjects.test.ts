import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { StoredRevision } from '#shared/etcd/snapshotSource.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { cli } from '#test/support/runningCluster.ts'

const dir = temporaryDirectory('snapshot-objects')
const [before, after] = [join(dir, 'before.db'), join(dir, 'after.db')]
const drydock = (...args: string[]): ReturnType<typeof runProgram> =>
  runProgram(process.execPath, ['--disable-warning=ExperimentalWarning', cli, 'snapshot', ...args])

/** Writes each object in turn; null deletes what is at the key. */
async function write(path: string, writes: readonly [key: string, object: KubeObject | Uint8Array | null][]): Promise<void> {
  await encodeSnapshot(
    {
      revision: writes.length + 1,
      compactRevision: 0,
      *revisions(): Iterable<StoredRevision> {
        for (const [index, [key, object]] of writes.entries()) {
          const main = index + 2
          const value = object === null ? new Uint8Array(0) : object instanceof Uint8Array ? object : encodeProtobuf(object)
          yield {
            main,
            sub: 0,
            tombstone: object === null,
            kv: { key: Buffer.from(key), createRevision: main, modRevision: main, version: 1, value, lease: 0n },
          }
        }
      },
      leases: [],
      members: [],
      clusterVersion: '3.5.0',
      otherBuckets: new Map(),
    },
    { path, signal: new AbortController().signal },
  )
}
const configMap = (name: string, data: Record<string, string>, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'team', uid: `uid-of-${name}`, ...more },
  data,
})
const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' }, status: { phase: 'Active' } }
const secret: KubeObject = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key', namespace: 'team' }, data: { k: 'dg==' } }
const owned = configMap('made', {}, { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u', controller: true }] })
const event: KubeObject = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'team' }, involvedObject: {} }
const at = (name: string): string => `/registry/configmaps/team/${name}`

beforeAll(async () => {
  await write(before, [
    ['/registry/namespaces/team', namespace],
    [at('settings'), configMap('settings', { colour: 'red' })],
    [at('settings'), configMap('settings', { colour: 'blue', size: 'large' })],
    [at('gone'), configMap('gone', {})],
    [at('gone'), null],
    [at('later-gone'), configMap('later-gone', {})],
    [at('made'), owned],
    ['/registry/secrets/team/key', secret],
    ['/registry/secrets/team/sealed', Buffer.from('k8s:enc:aescbc:v1:key1:????')],
    ['/registry/ranges/servicenodeports', Buffer.from('no object')],
  ])
  await write(after, [
    ['/registry/namespaces/team', namespace],
    [at('settings'), configMap('settings', { colour: 'green', size: 'large' })],
    [at('new'), configMap('new', {})],
    [at('made'), { ...owned, metadata: { ...owned.metadata, generation: 7 } }],
    ['/registry/secrets/team/key', secret],
    ['/registry/secrets/team/sealed', Buffer.from('k8s:enc:aescbc:v1:key1:????')],
    ['/registry/events/team/e', event],
  ])
})

describe('drydock snapshot, by objects', () => {
  it('lists what is alive, readable or not', async () => {
    const { stdout } = await drydock('ls', before, '--objects')
    expect(stdout.trim().split('\n')).toEqual([
      'configmaps/team/later-gone',
      'configmaps/team/made',
      'configmaps/team/settings',
      'namespaces/team',
      'secrets/team/key',
      'secrets/team/sealed',
    ])
    const rows = JSON.parse((await drydock('ls', before, '--objects', '-w', 'json')).stdout) as { name: string; readable: boolean; modRevision: number }[]
    expect(rows.find(({ name }) => name === 'sealed')).toMatchObject({ readable: false })
    expect(rows.find(({ name }) => name === 'settings')).toMatchObject({ readable: true, modRevision: 4 })
  })

  it('gets one object, now and at a revision, and says what to do where it cannot', async () => {
    const object = parse((await drydock('get', before, 'configmaps/settings', '-n', 'team')).stdout) as KubeObject
    expect(object['data']).toEqual({ colour: 'blue', size: 'large' })
    expect(object.metadata.resourceVersion).toBe('4')
    const old = JSON.parse((await drydock('get', before, 'configmaps/settings', '-n', 'team', '--rev', '3', '-w', 'json')).stdout) as KubeObject
    expect(old['data']).toEqual({ colour: 'red' })
    expect(await drydock('get', before, 'configmaps/gone', '-n', 'team')).toMatchObject({ code: 1, stderr: expect.stringContaining('ls --objects') as string })
    expect(await drydock('get', before, 'secrets/sealed', '-n', 'team')).toMatchObject({ code: 1, stderr: expect.stringContaining('encrypted') as string })
  })

  it('tells objects apart by their fields, without noise', async () => {
    const { code, stdout } = await drydock('diff', before, after, '--objects', '-w', 'json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toEqual([
      { change: 'removed', resource: 'configmaps', namespace: 'team', name: 'later-gone', fields: [] },
      { change: 'added', resource: 'configmaps', namespace: 'team', name: 'new', fields: [] },
      { change: 'changed', resource: 'configmaps', namespace: 'team', name: 'settings', fields: [{ path: '.data.colour', before: 'blue', after: 'green' }] },
    ])
    expect(await drydock('diff', before, before, '--objects')).toMatchObject({ code: 0, stdout: '' })
  })

  it('exports what can be applied again, Secrets only when asked', async () => {
    const folder = join(dir, 'exported')
    const report = JSON.parse((await drydock('export', before, '-o', folder, '--json')).stdout) as unknown
    expect(report).toEqual({
      output: folder,
      exported: 3,
      secretsPath: '',
      encryptedSecrets: 0,
      leftOut: {
        'a controller makes it': 1,
        'Secrets, which are written only when asked for': 1,
        'not readable, as what is encrypted is not: /registry/secrets': 1,
      },
    })
    expect(parse(readFileSync(join(folder, 'team/configmap/settings.yaml'), 'utf8'))).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'team' },
      data: { colour: 'blue', size: 'large' },
    })
    expect(existsSync(join(folder, '_cluster/namespace/team.yaml'))).toBe(true)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(await drydock('export', before, '-o', folder)).toMatchObject({ code: 1, stderr: expect.stringContaining('not empty') as string })
    const one = join(dir, 'one.yaml')
    await drydock('export', before, '-o', one, '--secrets', '--kind', 'secret')
    expect(parse(readFileSync(one, 'utf8'))).toMatchObject({ kind: 'Secret', data: { k: 'dg==' } })
    expect(statSync(one).mode & 0o777).toBe(0o600)
  })
})
