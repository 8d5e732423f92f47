import { existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Backups, type BackupsOptions } from '#electron/snapshot/backups.ts'
import { Catalogue } from '#electron/snapshot/catalogue.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import type { Backup, BackupProgress } from '#shared/contract/backups.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { sourceOf } from './source.ts'

const dir = temporaryDirectory('backups')
const { signal } = new AbortController()
let serial = 0

/** An etcd that sends a file's bytes in uneven pieces, as a network does. */
function sending(bytes: Buffer): Pick<EtcdClient, 'snapshot'> {
  return {
    async *snapshot() {
      for (let at = 0, length = 1; at < bytes.length; at += length, length = 7 + ((length * 5) % 40_000))
        yield { blob: bytes.subarray(at, at + length), remainingBytes: Math.max(0, bytes.length - at - length) }
    },
  }
}

async function fixture(change: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<{ backups: Backups; catalogue: Catalogue; options: BackupsOptions }> {
  const name = join(dir, `case-${String(++serial)}`)
  const path = `${name}.source`
  await encodeSnapshot(sourceOf({ count: 400, valueBytes: () => 700, deletes: 20 }), { path, signal })
  const catalogue = new Catalogue({ directory: name, logger: silentLogger })
  await catalogue.open()
  const options: BackupsOptions = {
    catalogue,
    clock: new FakeClock(),
    logger: silentLogger,
    connect: () =>
      Promise.resolve({
        etcd: sending(change(readFileSync(path))),
        clusterName: 'Prod / EU',
        endpoint: 'https://127.0.0.1:2379',
        close: () => Promise.resolve(),
      }),
    restoreTarget: () => null,
    isOpen: () => false,
    testRestore: () => Promise.reject(new Error('no control plane here')),
  }
  return { backups: new Backups(options), catalogue, options }
}

async function last(stream: AsyncIterable<BackupProgress>): Promise<Backup> {
  let backup: Backup | null = null
  for await (const progress of stream) if (progress.phase === 'done') backup = progress.backup
  if (backup === null) throw new Error('the stream ended without a result')
  return backup
}

describe('Backups', () => {
  it('saves, verifies and lists a backup with its facts', async () => {
    const { backups, catalogue } = await fixture()
    const backup = await last(backups.save({ clusterId: 'embedded' }, { signal }))
    expect(backup).toMatchObject({ id: 'prod-eu-20260101T000000Z', verdict: 'good', present: true, objectCounts: { configmaps: 380 } })
    expect(backup.status).toMatchObject({ revision: 421, totalKeys: 426 })
    expect(await catalogue.list()).toEqual([backup])
    expect(readdirSync(catalogue.directory).sort()).toEqual([`${backup.id}.db`, `${backup.id}.json`])
  })

  it.skipIf(!hasProgram('etcdctl'))('shows the figures that real etcdctl shows', async () => {
    const { backups } = await fixture()
    const { status, path } = await last(backups.save({ clusterId: 'embedded' }, { signal }))
    const real = JSON.parse((await runProgram('etcdctl', ['snapshot', 'status', path, '-w', 'json'])).stdout) as object
    expect(real).toEqual({ hash: status?.hash, revision: status?.revision, totalKey: status?.totalKeys, totalSize: status?.totalSizeBytes })
  })

  it.each([
    {
      name: 'a flipped byte',
      change: (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 9000), Buffer.from([(bytes[9000] ?? 0) ^ 1]), bytes.subarray(9001)]),
    },
    { name: 'a cut stream', change: (bytes: Buffer) => bytes.subarray(0, 40_000) },
    { name: 'a missing trailer', change: (bytes: Buffer) => bytes.subarray(0, bytes.length - 32) },
    { name: 'an empty stream', change: () => Buffer.alloc(0) },
  ])('keeps nothing that looks like a backup after $name', async ({ change }) => {
    const { backups, catalogue } = await fixture(change)
    await expect(last(backups.save({ clusterId: 'embedded' }, { signal }))).rejects.toMatchObject({ name: 'SnapshotError', code: 'trailer' })
    expect(readdirSync(catalogue.directory).filter((name) => !name.endsWith('.json'))).toEqual([])
    expect(await catalogue.list()).toMatchObject([{ verdict: 'interrupted', present: false, failure: expect.stringMatching(/nothing was kept/) as string }])
  })

  it('removes its part file when nobody waits for it any more', async () => {
    const { backups, catalogue } = await fixture()
    for await (const progress of backups.save({ clusterId: 'embedded' }, { signal })) if (progress.phase === 'saving') break
    expect(readdirSync(catalogue.directory).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  it('removes what an interrupted save left when it opens', async () => {
    const { catalogue } = await fixture()
    writeFileSync(join(catalogue.directory, 'prod-20260101T000000Z.db.part'), 'half')
    expect(await catalogue.open()).toEqual(['prod-20260101T000000Z.db.part'])
    expect(readdirSync(catalogue.directory)).toEqual([])
  })

  it('says that a file is gone, and that another one is damaged', async () => {
    const { backups, catalogue } = await fixture()
    const first = await last(backups.save({ clusterId: 'embedded' }, { signal }))
    const second = await last(backups.save({ clusterId: 'embedded' }, { signal }))
    rmSync(first.path)
    truncateSync(second.path, 20_000)
    expect(await last(backups.verify({ id: second.id }, { signal }))).toMatchObject({ verdict: 'broken', status: null })
    expect((await catalogue.list()).map(({ id, present, verdict }) => ({ id, present, verdict }))).toEqual([
      { id: second.id, present: true, verdict: 'broken' },
      { id: first.id, present: false, verdict: 'good' },
    ])
  })

  it('tells watchers of each change', async () => {
    const { backups } = await fixture()
    const controller = new AbortController()
    const watching = backups.watch({ signal: controller.signal })
    expect((await watching.next()).value).toEqual([])
    const backup = await last(backups.save({ clusterId: 'embedded' }, { signal }))
    expect((await watching.next()).value).toMatchObject([{ id: backup.id, verdict: 'good' }])
    await backups.delete({ id: backup.id })
    expect((await watching.next()).value).toEqual([])
    expect(existsSync(backup.path)).toBe(false)
    controller.abort()
    expect((await watching.next()).done).toBe(true)
  })

  it('imports a good file and refuses a broken one', async () => {
    const { backups } = await fixture()
    const saved = await last(backups.save({ clusterId: 'embedded' }, { signal }))
    expect(await backups.import({ path: saved.path }, { signal })).toMatchObject({ verdict: 'good', sha256: saved.sha256, status: saved.status })
    const bad = join(dir, 'bad.db')
    writeFileSync(bad, 'no snapshot at all')
    await expect(backups.import({ path: bad }, { signal })).rejects.toThrow('neither of its two meta pages is valid')
  })
})
