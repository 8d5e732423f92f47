import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { membershipOf } from '#electron/snapshot/dataDir/membership.ts'
import { restoreDataDir, type RestoreDataDirOptions } from '#electron/snapshot/dataDir/restoreDataDir.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { freePort, hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { sourceOf } from '../source.ts'

const dir = temporaryDirectory('data-dir')
const snapshot = join(dir, 'snapshot.db')
const { signal } = new AbortController()
const v3 = { env: { ETCDCTL_API: '3' }, timeoutMs: 30_000 }
const alone = {
  name: 'default',
  initialCluster: 'default=http://localhost:2380',
  initialClusterToken: 'etcd-cluster',
  initialAdvertisePeerUrls: 'http://localhost:2380',
}
let serial = 0
const fresh = (): string => join(dir, `member-${String(++serial)}`)
const restore = (options: Partial<RestoreDataDirOptions> = {}): ReturnType<typeof restoreDataDir> =>
  restoreDataDir({ ...alone, snapshot, dataDir: fresh(), signal, ...options })

beforeAll(() => encodeSnapshot(sourceOf({ count: 400, valueBytes: () => 300, deletes: 20 }), { path: snapshot, signal }))

describe('membershipOf', () => {
  it.each([
    ['a name that is not in the cluster', { name: 'other' }, /couldn't find local name "other"/],
    ['a pair without a name', { initialCluster: 'http://localhost:2380' }, /not of the form name=peerURL/],
    ['a URL that is none', { initialCluster: 'default=localhost:2380' }, /must be http or https|is no URL/],
    ['an address without a port', { initialCluster: 'default=http://localhost', initialAdvertisePeerUrls: 'http://localhost' }, /host:port/],
    ['URLs that differ', { initialAdvertisePeerUrls: 'http://localhost:2381' }, /missing from --initial-advertise-peer-urls/],
    ['one URL for two members', { initialCluster: 'default=http://localhost:2380,b=http://localhost:2380' }, /to both default and b/],
  ])('refuses %s', (_, change, message) => {
    expect(() => membershipOf({ ...alone, ...change })).toThrow(message)
  })
})

describe('restoreDataDir', () => {
  it('leaves a directory that is not empty as it is', async () => {
    const dataDir = fresh()
    mkdirSync(dataDir)
    writeFileSync(join(dataDir, 'precious'), 'kept')
    await expect(restore({ dataDir })).rejects.toThrow(/not empty/)
    expect(readdirSync(dataDir)).toEqual(['precious'])
  })

  it.each([
    [
      'whose bytes are not those that were saved',
      (path: string) => {
        const bytes = readFileSync(path)
        bytes[5000] = (bytes[5000] ?? 0) ^ 1
        writeFileSync(path, bytes)
      },
      /SHA-256/,
    ],
    [
      'without its SHA-256',
      (path: string) => {
        truncateSync(path, readFileSync(path).length - 32)
      },
      /--skip-hash-check/,
    ],
  ])('refuses a file %s and makes nothing', async (_, damage, message) => {
    const path = join(dir, `damaged-${String(++serial)}.db`)
    copyFileSync(snapshot, path)
    damage(path)
    const dataDir = fresh()
    await expect(restore({ snapshot: path, dataDir })).rejects.toThrow(message)
    expect(existsSync(dataDir)).toBe(false)
    expect(readdirSync(dir).filter((name) => name.includes('restoring'))).toEqual([])
  })

  it.skipIf(!hasProgram('etcdctl'))('writes the raft snapshot and members of etcdctl to the byte', async () => {
    const flags = {
      name: 'b',
      initialCluster: 'a=http://127.0.0.1:1,b=http://127.0.0.1:2,c=http://127.0.0.1:3',
      initialClusterToken: 'fresh',
      initialAdvertisePeerUrls: 'http://127.0.0.1:2',
    }
    const [ours, theirs] = [fresh(), fresh()]
    await restore({ ...flags, dataDir: ours })
    const { code } = await runProgram(
      'etcdctl',
      [
        'snapshot',
        'restore',
        snapshot,
        '--data-dir',
        theirs,
        '--name',
        flags.name,
        '--initial-cluster',
        flags.initialCluster,
        '--initial-cluster-token',
        flags.initialClusterToken,
        '--initial-advertise-peer-urls',
        flags.initialAdvertisePeerUrls,
      ],
      v3,
    )
    expect(code).toBe(0)
    const snap = 'member/snap/0000000000000001-0000000000000003.snap'
    // Only the order of members in a JSON object may differ: Go sorts by text, and so do we.
    expect(readFileSync(join(ours, snap))).toEqual(readFileSync(join(theirs, snap)))
  })
})

describe.skipIf(!hasProgram('etcd') || !hasProgram('etcdctl'))('a restored data directory', () => {
  const started: ChildProcess[] = []
  afterAll(async () => {
    await Promise.all(
      started.map((child) => {
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        return ended
      }),
    )
  })
  const start = (name: string, dataDir: string, { client, peer, cluster }: { client: string; peer: string; cluster: string }): void => {
    started.push(
      spawn(
        'etcd',
        [
          '--name',
          name,
          '--data-dir',
          dataDir,
          '--listen-client-urls',
          client,
          '--advertise-client-urls',
          client,
          '--listen-peer-urls',
          peer,
          '--initial-advertise-peer-urls',
          peer,
          '--initial-cluster',
          cluster,
        ],
        { stdio: 'ignore' },
      ),
    )
  }
  const etcdctl = async (endpoints: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runProgram('etcdctl', ['--endpoints', endpoints, '--command-timeout=20s', ...args], v3)
    if (code !== 0) throw new Error(stderr)
    return stdout
  }
  const urls = async (): Promise<{ client: string; peer: string }> => ({
    client: `http://127.0.0.1:${String(await freePort())}`,
    peer: `http://127.0.0.1:${String(await freePort())}`,
  })

  it('starts a real etcd above the old revisions, where old watches are told that they are compacted', { timeout: 60_000 }, async () => {
    const { client, peer } = await urls()
    const dataDir = fresh()
    const { revision } = await restore({ name: 'a', dataDir, initialCluster: `a=${peer}`, initialAdvertisePeerUrls: peer, bumpRevision: 1_000_000 })
    start('a', dataDir, { client, peer, cluster: `a=${peer}` })
    await etcdctl(client, 'endpoint', 'health')
    const status = JSON.parse(await etcdctl(client, 'endpoint', 'status', '-w', 'json')) as { Status: { header: { revision: number } } }[]
    expect(status[0]?.Status.header.revision).toBe(revision)
    expect(revision).toBeGreaterThan(1_000_000)
    const watch = await runProgram('etcdctl', ['--endpoints', client, 'watch', '--prefix', '', '--rev=2'], { ...v3, timeoutMs: 10_000 })
    expect(watch.stdout + watch.stderr).toMatch(/required revision has been compacted/)
    await etcdctl(client, 'put', 'after', 'restore')
    expect(await etcdctl(client, 'get', 'after', '--print-value-only')).toBe('restore\n')
  })

  it('forms a cluster of three with equal contents', { timeout: 60_000 }, async () => {
    const names = ['a', 'b', 'c']
    const places = await Promise.all(names.map(urls))
    const cluster = names.map((name, index) => `${name}=${places[index]?.peer ?? ''}`).join(',')
    for (const [index, name] of names.entries()) {
      const place = places[index]
      if (place === undefined) continue
      const dataDir = fresh()
      await restore({ name, dataDir, initialCluster: cluster, initialClusterToken: 'new', initialAdvertisePeerUrls: place.peer })
      start(name, dataDir, { ...place, cluster })
    }
    const all = places.map(({ client }) => client).join(',')
    await etcdctl(all, 'endpoint', 'health')
    await etcdctl(places[0]?.client ?? '', 'put', 'after', 'restore')
    const hashes = await Promise.all(
      places.map(async ({ client }) => {
        // A read through consensus first: the member has then applied everything.
        expect(await etcdctl(client, 'get', 'after', '--print-value-only')).toBe('restore\n')
        const [{ HashKV }] = JSON.parse(await etcdctl(client, 'endpoint', 'hashkv', '-w', 'json')) as [{ HashKV: { hash: number } }]
        return HashKV.hash
      }),
    )
    expect(new Set(hashes).size).toBe(1)
    const members = JSON.parse(await etcdctl(all, 'member', 'list', '-w', 'json')) as { members: { name: string }[] }
    expect(members.members.map(({ name }) => name).sort()).toEqual(names)
  })
})
