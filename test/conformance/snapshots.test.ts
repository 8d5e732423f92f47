import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { fieldChanges } from '#shared/planning/compare/fieldChanges.ts'
import { restoreDataDir } from '#electron/snapshot/dataDir/restoreDataDir.ts'
import { etcdReleases, type EtcdRelease } from '#test/support/peerPrograms.ts'
import { runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startRealApiServer } from '#test/support/realApiServer.ts'
import { etcdctl, etcdPlace, startEtcd } from '#test/support/realEtcd.ts'
import { everyObject, kubectlOf, ran } from '#test/support/realSnapshot/everyObject.ts'
import { CUSTOM_OBJECT, makeMinimalObjects, MORE_OBJECTS } from '#test/support/realSnapshot/objects.ts'
import { cli, startCluster } from '#test/support/runningCluster.ts'

const BIN = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
const releases = etcdReleases()
const { signal } = new AbortController()
const drydock = (args: string[]): ReturnType<typeof runProgram> => runProgram(process.execPath, ['--disable-warning=ExperimentalWarning', cli, ...args])
const ROOT = ['--user', 'root:secret']
const BUMP = 1_000_000

/** The fields in which the two sides are not the same, by object. */
function differing(wanted: ReadonlyMap<string, KubeObject>, found: ReadonlyMap<string, KubeObject>): string[] {
  return [...new Set([...wanted.keys(), ...found.keys()])].flatMap((name) =>
    fieldChanges(wanted.get(name) ?? null, found.get(name) ?? null).map(
      ({ path, before, after }) => `${name} ${path}: ${JSON.stringify(before)?.slice(0, 200)} is now ${JSON.stringify(after)?.slice(0, 200)}`,
    ),
  )
}

/** A starting kube-apiserver registers the versions of custom resources anew: of those only the spec outlives a restart. */
function asAfterStart(objects: ReadonlyMap<string, KubeObject>): Map<string, KubeObject> {
  return new Map(
    [...objects].map(([name, object]) =>
      object.kind === 'APIService' && object.metadata.labels?.['kube-aggregator.kubernetes.io/automanaged'] === 'true'
        ? [name, { ...object, metadata: {}, status: {} }]
        : [name, object],
    ),
  )
}

/** Newer releases of etcd's tools draw their tables with lines. */
const plainBorders = (text: string): string =>
  text
    .replaceAll(/[┌┬┐├┼┤└┴┘]/g, '+')
    .replaceAll('│', '|')
    .replaceAll('─', '-')

describe.skipIf(BIN === '' || releases.length === 0).each(releases)("a snapshot of etcd $release with a real kube-apiserver's data", (etcd) => {
  const dir = temporaryDirectory(`snapshots-${etcd.release}`)
  const snapshot = join(dir, 'snapshot.db')
  const kubectl = join(BIN, 'kubectl')
  let captured = new Map<string, KubeObject>()
  let revision = 0

  beforeAll(async () => {
    const directory = join(dir, 'real')
    mkdirSync(directory)
    const real = await startRealApiServer({
      directory,
      bin: BIN,
      controllers: [
        'namespace',
        'serviceaccount',
        'deployment',
        'replicaset',
        'endpoint',
        'endpointslice',
        'root-ca-cert-publisher',
        'disruption',
        'statefulset',
      ],
      etcdProgram: etcd.etcd,
    })
    try {
      const admin = kubectlOf(kubectl, { kubeconfig: real.kubeconfig, cacheDir: join(dir, 'cache-real') })
      const ctl = (args: string[]): Promise<string> => etcdctl(etcd.etcdctl, ['--endpoints', real.etcd, ...args])
      const revisionNow = async (): Promise<number> =>
        (JSON.parse(await ctl(['endpoint', 'status', '-w', 'json'])) as { Status: { header: { revision: number } } }[])[0]?.Status.header.revision ?? 0
      await ran(admin, ['create', '-f', '-'], MORE_OBJECTS)
      expect(await makeMinimalObjects(real.transport, signal)).toEqual([])
      await vi.waitFor(() => ran(admin, ['create', '-f', '-'], CUSTOM_OBJECT), { timeout: 30_000, interval: 1000 })
      await vi.waitFor(async () => expect(await ran(admin, ['get', 'replicasets', '-n', 'team', '-o', 'name'])).toMatch(/web-/), {
        timeout: 30_000,
        interval: 500,
      })
      // Deletes, some of them of much that was changed, then a compaction below the last changes.
      await ran(admin, ['create', 'configmap', 'short-lived', '--from-literal=a=b'])
      for (const level of ['1', '2', '3']) await ran(admin, ['annotate', '--overwrite', 'pod', 'full', '-n', 'team', `level=${level}`])
      await ran(admin, ['delete', 'configmap', 'short-lived'])
      await ctl(['compact', String(await revisionNow())])
      await ran(admin, ['annotate', '--overwrite', 'pod', 'full', '-n', 'team', 'level=4'])
      await ran(admin, ['delete', 'secret', 'minimal'])
      await ran(admin, ['scale', 'deployment', 'web', '-n', 'team', '--replicas=3'])
      await real.stopControllers()
      await ctl(['lease', 'grant', '7200'])
      await ctl(['user', 'add', 'root:secret'])
      await ctl(['user', 'grant-role', 'root', 'root'])
      // The server writes now and then by itself: what counts is a moment in which it did not.
      for (;;) {
        const before = await revisionNow()
        captured = await everyObject(admin)
        revision = await revisionNow()
        if (revision === before) break
      }
      await ctl(['auth', 'enable'])
      await ctl([...ROOT, 'snapshot', 'save', snapshot])
      cpSync(real.pki, join(dir, 'pki'), { recursive: true })
    } finally {
      await real.stop()
    }
  }, 300_000)

  it('has the status that etcd tells of it, in every column and form', async () => {
    const [program, env] = etcd.etcdutl === '' ? [etcd.etcdctl, { ETCDCTL_API: '3' }] : [etcd.etcdutl, {}]
    for (const format of ['json', 'table', 'simple', 'fields']) {
      const theirs = await runProgram(program, ['snapshot', 'status', snapshot, '-w', format], { env })
      const ours = await drydock(['snapshot', 'status', snapshot, '-w', format])
      expect(theirs.stdout).not.toBe('')
      if (format === 'json') expect(JSON.parse(ours.stdout)).toEqual(JSON.parse(theirs.stdout))
      else expect(ours.stdout).toBe(plainBorders(theirs.stdout))
    }
    expect((JSON.parse((await drydock(['snapshot', 'status', snapshot, '-w', 'json'])).stdout) as { revision: number }).revision).toBe(revision)
    expect((await drydock(['snapshot', 'verify', snapshot])).stdout).toMatch(/: good$/m)
  })

  it('opens as a cluster in which every object is what kubectl saw', async () => {
    const cluster = await startCluster(join(dir, 'opened'), ['--from-snapshot', snapshot, '--read-only', '--kubernetes-version', 'v1.20.2'])
    try {
      const found = await everyObject(kubectlOf(kubectl, { kubeconfig: cluster.kubeconfig, cacheDir: join(dir, 'cache-opened') }))
      const kinds = new Set([...captured.keys()].map((name) => name.split(' ')[1]))
      process.stdout.write(`etcd ${etcd.release}: ${String(captured.size)} objects of ${String(kinds.size)} kinds, revision ${String(revision)}\n`)
      expect(differing(captured, found)).toEqual([])
      expect(captured.size).toBeGreaterThan(150)
    } finally {
      await cluster.end()
    }
  })

  /** etcd starts from files of its own release and of the one before. */
  const into = releases.filter(({ release }) => Number(release) >= Number(etcd.release))
  const cases = into.flatMap((target) => [
    { target, release: target.release, members: 1, bump: 0 },
    { target, release: target.release, members: 1, bump: BUMP },
    { target, release: target.release, members: 3, bump: 0 },
  ])

  it.each(cases)(
    'starts etcd $release with $members members, bumped by $bump, and kube-apiserver serves the same from it',
    async ({ target, members, bump }) => {
      const directory = join(dir, `restored-${target.release}-${String(members)}-${String(bump)}`)
      mkdirSync(directory)
      const places = await Promise.all(['a', 'b', 'c'].slice(0, members).map((name) => etcdPlace(name)))
      const initialCluster = places.map(({ name, peer }) => `${name}=${peer}`).join(',')
      for (const { name, peer } of places)
        await restoreDataDir({
          snapshot,
          dataDir: join(directory, name),
          name,
          initialCluster,
          initialClusterToken: 'restored',
          initialAdvertisePeerUrls: peer,
          bumpRevision: bump,
          signal,
        })
      const running = places.map((place) => startEtcd({ program: target.etcd, dataDir: join(directory, place.name), place, members: places }))
      try {
        for (const { client } of places) await etcdHealthy(target, client)
        const endpoints = places.map(({ client }) => client)
        const ctl = (args: string[]): Promise<string> => etcdctl(target.etcdctl, ['--endpoints', endpoints.join(','), ...ROOT, ...args])
        const status = JSON.parse(await ctl(['endpoint', 'status', '-w', 'json'])) as { Status: { header: { revision: number } } }[]
        const revisions = status.map((each) => each.Status.header.revision)
        expect(revisions).toHaveLength(members)
        for (const each of revisions) expect(each).toBe(bump === 0 ? revision : revision + bump)
        if (bump > 0) {
          const watch = await runProgram(
            target.etcdctl,
            ['--endpoints', endpoints[0] ?? '', ...ROOT, 'watch', '--prefix', '/registry', `--rev=${String(revision)}`],
            {
              env: { ETCDCTL_API: '3' },
              timeoutMs: 20_000,
            },
          )
          expect(watch.stdout + watch.stderr).toMatch(/required revision has been compacted/)
        }
        await ctl(['auth', 'disable'])
        const real = await startRealApiServer({ directory: join(directory, 'api'), bin: BIN, controllers: [], etcdServers: endpoints, pki: join(dir, 'pki') })
        try {
          const found = await everyObject(kubectlOf(kubectl, { kubeconfig: real.kubeconfig, cacheDir: join(directory, 'cache') }))
          expect(differing(asAfterStart(captured), asAfterStart(found))).toEqual([])
          if (bump > 0) {
            const { body } = await real.transport.request({
              method: 'GET',
              path: `/api/v1/configmaps?watch=1&timeoutSeconds=5&resourceVersion=${String(revision)}`,
              signal,
            })
            expect(Buffer.from(body).toString()).toContain('too old resource version')
          }
        } finally {
          await real.stop()
        }
      } finally {
        await Promise.all(running.map((member) => member.stop()))
      }
    },
  )

  /** Auth is on in what was restored. */
  async function etcdHealthy(target: EtcdRelease, client: string): Promise<void> {
    await vi.waitFor(() => etcdctl(target.etcdctl, ['--endpoints', client, ...ROOT, 'endpoint', 'status']), { timeout: 60_000, interval: 500 })
  }
})
