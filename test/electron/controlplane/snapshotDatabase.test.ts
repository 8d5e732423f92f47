import { join } from 'node:path'
import { writeFileSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Database } from '#electron/controlplane/etcd/database.ts'
import { openEtcdStore } from '#electron/controlplane/etcd/embeddedEtcd.ts'
import { mainOf } from '#electron/controlplane/etcd/revision.ts'
import { loadStore } from '#electron/controlplane/etcd/loadStore.ts'
import { SnapshotDatabase } from '#electron/controlplane/snapshotDatabase.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { SnapshotFile } from '#electron/snapshot/snapshotFile.ts'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { sourceOf } from '../snapshot/source.ts'

const dir = temporaryDirectory('snapshot-database')
const { signal } = new AbortController()
let serial = 0

/** Small values and some that fill pages of their own, and deletes. */
async function snapshot(): Promise<string> {
  const path = join(dir, `${String(++serial)}.db`)
  await encodeSnapshot(sourceOf({ count: 1500, valueBytes: (index) => (index % 97 === 0 ? 20_000 : 100 + (index % 700)), deletes: 60 }), { path, signal })
  return path
}

/** The same contents, copied into a store as a twin has them. */
async function copied(path: string): Promise<Database> {
  const dataDir = `${path}.store`
  const file = new SnapshotFile(path)
  await loadStore(file.source(), { dataDir, signal })
  file.close()
  return new Database(dataDir)
}

describe('SnapshotDatabase', () => {
  it('reads a snapshot in place as the store reads a copy of it', async () => {
    const path = await snapshot()
    const [own, copy] = [new SnapshotDatabase(path), await copied(path)]
    const index = [...own.index()]
    expect(index).toEqual([...copy.index()].map((row) => ({ ...row, lease: 0n })))
    expect(index.length).toBeGreaterThan(1500)
    const plain = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value, (_, each: unknown) =>
          each instanceof Uint8Array ? Buffer.from(each).toString('base64') : typeof each === 'bigint' ? String(each) : each,
        ),
      )
    for (const { packed } of index) expect(plain(own.read(packed))).toEqual(plain(copy.read(packed)))
    expect(own.read(1)).toBeNull()
    const random = new SeededRandom(4)
    const last = index.at(-1)?.packed ?? 0
    for (let round = 0; round < 50; round++) {
      const [from, below, limit] = [random.below(last + 10), random.below(last + 10), 1 + random.below(300)]
      expect(plain(own.scan(from, below, limit))).toEqual(plain(copy.scan(from, below, limit)))
    }
    for (const name of ['revision', 'compactRevision']) expect(own.meta(name)).toBe(copy.meta(name))
    own.close()
    copy.close()
  })

  it('serves history, and refuses every write', async () => {
    const path = await snapshot()
    const options = { dataDir: join(dir, 'served'), clock: new FakeClock(), logger: silentLogger, memberName: 'opened' }
    const etcd = openEtcdStore({ ...options, still: new SnapshotDatabase(path) })
    const key = Buffer.from('/registry/configmaps/')
    const rangeEnd = Buffer.from('/registry/configmaps0')
    const now = await etcd.range({ key, rangeEnd, countOnly: true }, { signal })
    const before = await etcd.range({ key, rangeEnd, countOnly: true, revision: 1000 }, { signal })
    expect(before.count).toBeGreaterThan(900)
    expect(now.count).toBeGreaterThan(before.count)
    expect([...(etcd.still()?.keys() ?? [])].length).toBe(now.count)
    const refused = { code: 'PermissionDenied', message: expect.stringContaining('takes no writes') as string }
    await expect(etcd.put({ key: Buffer.from('a'), value: Buffer.from('b') }, { signal })).rejects.toMatchObject(refused)
    await expect(etcd.deleteRange({ key }, { signal })).rejects.toMatchObject(refused)
    await expect(etcd.compact({ revision: 1000 }, { signal })).rejects.toMatchObject(refused)
    await expect(etcd.leaseGrant({ ttlSeconds: 10 }, { signal })).rejects.toMatchObject(refused)
    await expect(etcd.defragment({ signal })).rejects.toMatchObject(refused)
    expect((await etcd.range({ key, rangeEnd, countOnly: true }, { signal })).count).toBe(now.count)
    await etcd.close()
  })

  it('shows the store as it was at a revision', async () => {
    const path = await snapshot()
    const options = { dataDir: join(dir, 'past'), clock: new FakeClock(), logger: silentLogger, memberName: 'opened' }
    const [now, past] = [new SnapshotDatabase(path), new SnapshotDatabase(path, 1000)]
    expect([...past.index()]).toEqual([...now.index()].filter(({ packed }) => mainOf(packed) <= 1000))
    expect(past.scan(0, Number.MAX_SAFE_INTEGER, 5000).at(-1)?.kv.modRevision).toBe(1000)
    now.close()
    const etcd = openEtcdStore({ ...options, still: past })
    const everything = await etcd.range({ key: Buffer.from([0]), rangeEnd: Buffer.from([0]), countOnly: true }, { signal })
    expect(everything).toMatchObject({ count: 999, header: { revision: 1000 } })
    await expect(etcd.range({ key: Buffer.from('a'), revision: 1001 }, { signal })).rejects.toThrow(/future revision/)
    await etcd.close()
    expect(() => new SnapshotDatabase(path, 9999)).toThrow(/does not hold revision 9999: it has 1 to \d+/)
  })

  it('says which page is damaged', async () => {
    const path = await snapshot()
    const bytes = readFileSync(path)
    // The ids of all pages from the fourth on.
    for (let page = 3; page * 4096 < bytes.length; page++) bytes.writeUInt8(bytes.readUInt8(page * 4096) ^ 1, page * 4096)
    writeFileSync(path, bytes)
    expect(() => [...new SnapshotDatabase(path).index()]).toThrow(/page \d+ says it is page/)
  })
})
