import { execFile } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { deflateRawSync, crc32 } from 'node:zlib'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { etcdctl, etcdPlace, etcdReady, startEtcd } from '#test/support/realEtcd.ts'
import { cli, startCluster } from '#test/support/runningCluster.ts'

const run = promisify(execFile)
const snapshot = async (...args: string[]): Promise<string> =>
  (await run(process.execPath, ['--disable-warning=ExperimentalWarning', cli, 'snapshot', ...args], { encoding: 'utf8' })).stdout

const metadata = (name: string, namespace?: string): object => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  uid: '6f1c1c0e-6a5e-4d0f-9d6b-3c1b2f0d7a11',
  creationTimestamp: '2026-01-01T00:00:00Z',
})
const definition = (group: string, plural: string, kind: string): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: metadata(`${plural}.${group}`),
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } }],
    conversion: { strategy: 'None' },
  },
  status: {
    acceptedNames: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
    storedVersions: ['v1'],
    conditions: [{ type: 'Established', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z', reason: 'InitialNamesAccepted', message: '' }],
  },
})
const chart = {
  apiVersion: 'helm.cattle.io/v1',
  kind: 'HelmChart',
  metadata: metadata('traefik', 'kube-system'),
  spec: { chart: 'https://%{KUBERNETES_API}%/static/charts/traefik.tgz', set: { 'global.systemDefaultRegistry': '' } },
}
const addon = {
  apiVersion: 'k3s.cattle.io/v1',
  kind: 'Addon',
  metadata: metadata('ccm', 'kube-system'),
  spec: { source: '/var/lib/rancher/k3s/server/manifests/ccm.yaml', checksum: '0123' },
}
/** What k3s keeps for servers that join: salt and sealed archive, under a hash of the token. */
const BOOTSTRAP_KEY = '/bootstrap/9e107d9d372b'
const BOOTSTRAP = `77c0ffee:${Buffer.from('sealed with the cluster token').toString('base64')}`

const json = (object: object): string => `${JSON.stringify(object)}\n`
const ENTRIES: [key: string, value: string | Buffer][] = [
  [BOOTSTRAP_KEY, BOOTSTRAP],
  ['compact_rev_key', '1'],
  ['/registry/apiextensions.k8s.io/customresourcedefinitions/helmcharts.helm.cattle.io', json(definition('helm.cattle.io', 'helmcharts', 'HelmChart'))],
  ['/registry/apiextensions.k8s.io/customresourcedefinitions/addons.k3s.cattle.io', json(definition('k3s.cattle.io', 'addons', 'Addon'))],
  ['/registry/helm.cattle.io/helmcharts/kube-system/traefik', json(chart)],
  ['/registry/k3s.cattle.io/addons/kube-system/ccm', json(addon)],
  // A kind of which no definition is there.
  [
    '/registry/odd.cattle.io/gadgets/kube-system/one',
    json({ ...addon, apiVersion: 'odd.cattle.io/v1', kind: 'Gadget', metadata: metadata('one', 'kube-system') }),
  ],
  [
    '/registry/namespaces/kube-system',
    Buffer.from(
      encodeProtobuf({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: metadata('kube-system'),
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      }),
    ),
  ],
]

/** An archive of one deflated file, as `k3s etcd-snapshot save --etcd-snapshot-compress` writes it. */
function zipOf(name: string, bytes: Buffer): Buffer {
  const packed = deflateRawSync(bytes)
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(20, 4)
  header.writeUInt16LE(8, 8)
  header.writeUInt32LE(crc32(bytes), 14)
  header.writeUInt32LE(packed.length, 18)
  header.writeUInt32LE(bytes.length, 22)
  header.writeUInt16LE(name.length, 26)
  return Buffer.concat([header, Buffer.from(name), packed])
}

describe.skipIf(!hasProgram('etcd') || !hasProgram('etcdctl') || !hasProgram('kubectl'))('a snapshot as k3s keeps it', () => {
  it('shows keys of no Kubernetes object and custom resources of k3s, and loses none of them', { timeout: 240_000 }, async () => {
    const dir = temporaryDirectory('k3s')
    const place = await etcdPlace('k3s')
    const etcd = startEtcd({ program: 'etcd', dataDir: join(dir, 'etcd'), place })
    const file = join(dir, 'on-demand.db')
    const at = ['--endpoints', place.client]
    try {
      await etcdReady('etcdctl', place.client)
      for (const [key, value] of ENTRIES) await put(at, key, value)
      await etcdctl('etcdctl', [...at, 'snapshot', 'save', file])
    } finally {
      await etcd.stop()
    }
    const keys = ENTRIES.map(([key]) => key).sort()
    expect((await snapshot('ls', file)).trim().split('\n')).toEqual(keys)
    expect(await snapshot('get', file, BOOTSTRAP_KEY)).toBe(`${BOOTSTRAP}\n`)
    expect((await snapshot('ls', file, '--objects')).trim().split('\n')).toEqual([
      'addons.k3s.cattle.io/kube-system/ccm',
      'customresourcedefinitions.apiextensions.k8s.io/addons.k3s.cattle.io',
      'customresourcedefinitions.apiextensions.k8s.io/helmcharts.helm.cattle.io',
      'gadgets.odd.cattle.io/kube-system/one',
      'helmcharts.helm.cattle.io/kube-system/traefik',
      'namespaces/kube-system',
    ])
    const zipped = join(dir, 'on-demand.db.zip')
    writeFileSync(zipped, zipOf('on-demand.db', readFileSync(file)))
    expect((await snapshot('ls', zipped)).trim().split('\n')).toEqual(keys)
    expect(await snapshot('verify', zipped)).toMatch(/: good$/m)

    const cluster = await startCluster(join(dir, 'opened'), ['--from-snapshot', file, '--read-only'])
    try {
      const get = async (kind: string): Promise<object> =>
        JSON.parse((await cluster.kubectl(['get', kind, '-n', 'kube-system', '-o', 'json'])).stdout) as object
      expect(await get('helmcharts')).toMatchObject({ items: [{ metadata: { name: 'traefik' }, spec: chart.spec }] })
      expect(await get('addons.k3s.cattle.io')).toMatchObject({ items: [{ metadata: { name: 'ccm' }, spec: addon.spec }] })
      // Through its etcd too, nothing is missing.
      expect((await cluster.etcdctl(['get', BOOTSTRAP_KEY, '--print-value-only'])).stdout.trim()).toBe(BOOTSTRAP)
      expect((await cluster.etcdctl(['get', '', '--prefix', '--keys-only'])).stdout.split('\n').filter((line) => line !== '')).toEqual(keys)
    } finally {
      await cluster.end()
    }

    const restoredPlace = await etcdPlace('again')
    mkdirSync(join(dir, 'restored'))
    const dataDir = join(dir, 'restored', 'again')
    const peers = ['--initial-cluster', `again=${restoredPlace.peer}`, '--initial-advertise-peer-urls', restoredPlace.peer]
    await snapshot('restore', file, '--name', 'again', '--data-dir', dataDir, ...peers)
    const restored = startEtcd({ program: 'etcd', dataDir, place: restoredPlace })
    try {
      await etcdReady('etcdctl', restoredPlace.client)
      for (const [key, value] of ENTRIES) {
        const { kvs } = JSON.parse(await etcdctl('etcdctl', ['--endpoints', restoredPlace.client, 'get', key, '-w', 'json'])) as { kvs: { value: string }[] }
        expect(Buffer.from(kvs[0]?.value ?? '', 'base64').equals(Buffer.from(value)), key).toBe(true)
      }
    } finally {
      await restored.stop()
    }
    rmSync(dir, { recursive: true, force: true })
  })
})

/** etcdctl takes a value from standard input, bytes as they are. */
async function put(at: readonly string[], key: string, value: string | Buffer): Promise<void> {
  const child = execFile('etcdctl', [...at, 'put', key], { env: { ...process.env, ETCDCTL_API: '3' } })
  child.stdin?.end(value)
  await new Promise<void>((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`etcdctl put ${key} ends with ${String(code)}`))
    })
  })
}
