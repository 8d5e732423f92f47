import { existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { Backups, type BackupsOptions } from '#electron/snapshot/backups.ts'
import { Catalogue } from '#electron/snapshot/catalogue.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { FakeClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import type { Backup, BackupProgress, TestRestore } from '#shared/contract/backups.ts'
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
    pki: () => Promise.reject(new Error('no node here')),
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

  it('encrypts and compresses, reads back what it wrote, and opens it again only with the passphrase', { timeout: 60_000 }, async () => {
    const { backups, catalogue } = await fixture()
    const sealing = { compress: true, passphrase: 'correct horse' }
    const backup = await last(backups.save({ clusterId: 'embedded', sealing }, { signal }))
    expect(backup).toMatchObject({ verdict: 'good', encryption: 'passphrase', compression: 'zstd', objectCounts: { configmaps: 380 } })
    expect(backup.path).toMatch(/\.db\.zst\.age$/)
    expect(backup.checks[0]).toMatchObject({ name: 'envelope', verdict: 'good' })
    expect(backup.sha256).toBe(createHash('sha256').update(readFileSync(backup.path)).digest('hex'))
    expect(readFileSync(join(catalogue.directory, `${backup.id}.json`), 'utf8')).not.toContain('horse')
    await expect(last(backups.verify({ id: backup.id }, { signal }))).rejects.toMatchObject({
      code: 403,
      message: expect.stringMatching(/give its passphrase/) as string,
    })
    await expect(last(backups.verify({ id: backup.id, unlock: { passphrase: 'wrong' } }, { signal }))).rejects.toMatchObject({ code: 403 })
    expect(await last(backups.verify({ id: backup.id, unlock: { passphrase: 'correct horse' } }, { signal }))).toMatchObject({ verdict: 'good' })
    expect(await catalogue.get(backup.id)).toMatchObject({ verdict: 'good' })
    expect(readdirSync(catalogue.unpackDirectory)).toEqual([])
    const bytes = readFileSync(backup.path)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 9) ^ 1, bytes.length - 9)
    writeFileSync(backup.path, bytes)
    const damaged = await last(backups.verify({ id: backup.id, unlock: { passphrase: 'correct horse' } }, { signal }))
    expect(damaged).toMatchObject({ verdict: 'broken', status: null })
    expect(damaged.checks.map(({ detail }) => detail).join()).toMatch(/the age layer is broken/)
  })

  it('encrypts for public keys, with PKI beside it, tests what it wrote, and forgets both files', { timeout: 60_000 }, async () => {
    const { options, catalogue } = await fixture()
    const tested: string[] = []
    const result: TestRestore = { atMs: 1, durationMs: 2, outcome: 'good', kinds: 3, objects: 4, short: [], notServed: [], sample: '', failure: '' }
    const backups = new Backups({
      ...options,
      pki: () => Promise.resolve(Buffer.from('an archive')),
      testRestore: ({ path }) => {
        tested.push(path)
        expect(readFileSync(path).length).toBeGreaterThan(200_000)
        return Promise.resolve(result)
      },
    })
    const identity = await generateX25519Identity()
    const sealing = { compress: false, recipients: [await identityToRecipient(identity)], pki: true }
    const backup = await last(backups.save({ clusterId: 'embedded', sealing, thenTest: true }, { signal }))
    expect(backup).toMatchObject({ verdict: 'good', encryption: 'recipients', testRestore: result })
    expect(existsSync(tested[0] ?? '')).toBe(false)
    const decrypter = new Decrypter()
    decrypter.addIdentity(identity)
    expect(await decrypter.decrypt(readFileSync(backup.pkiPath), 'text')).toBe('an archive')
    expect(await last(backups.verify({ id: backup.id, unlock: { identity } }, { signal }))).toMatchObject({ verdict: 'good' })
    await backups.delete({ id: backup.id })
    expect(readdirSync(catalogue.directory).filter((name) => name.startsWith(backup.id))).toEqual([])
    const asked = last(backups.save({ clusterId: 'embedded', sealing: { compress: true, pki: true } }, { signal }))
    await expect(asked).rejects.toMatchObject({ code: 422, message: expect.stringMatching(/encrypted only/) as string })
    expect(await catalogue.list()).toEqual([])
  })

  it('takes in a compressed file from elsewhere as it is', async () => {
    const { backups } = await fixture()
    const saved = await last(backups.save({ clusterId: 'embedded', sealing: { compress: true } }, { signal }))
    const taken = await backups.import({ path: saved.path }, { signal })
    expect(taken).toMatchObject({ verdict: 'good', compression: 'zstd', encryption: 'none', objectCounts: saved.objectCounts })
    expect(readFileSync(taken.path)).toEqual(readFileSync(saved.path))
  })

  it('lets go of what retention supersedes, but of nothing that is open', async () => {
    const { options, catalogue } = await fixture()
    const clock = new FakeClock()
    const open = new Set<string>()
    const backups = new Backups({ ...options, clock, isOpen: (id) => open.has(id) })
    const ids: string[] = []
    for (let hour = 0; hour < 4; hour++) {
      ids.push((await last(backups.save({ clusterId: 'embedded', origin: 'scheduled' }, { signal }))).id)
      await clock.advance(3_600_000)
    }
    open.add(ids[0] ?? '')
    const retention = { last: 1, daily: 0, weekly: 0, monthly: 0 }
    expect((await backups.retain({ clusterId: 'embedded', retention, timeZone: 'UTC' })).sort()).toEqual(ids.slice(1, 3))
    expect((await catalogue.list()).map(({ id }) => id)).toEqual([ids[3], ids[0]])
    await expect(backups.delete({ id: ids[0] ?? '' })).rejects.toMatchObject({ code: 409 })
  })

  it('makes data directories for the members of a cluster out of a compressed backup, and none over others', { timeout: 60_000 }, async () => {
    const { backups, catalogue } = await fixture()
    const { id } = await last(backups.save({ clusterId: 'embedded', sealing: { compress: true } }, { signal }))
    const members = ['a', 'b'].map((name) => ({ name, peerUrls: [`http://${name}:2380`] }))
    const input = { id, directory: join(catalogue.directory, 'restored'), members, token: 'again', bumpRevision: 1000 }
    const made = await backups.restoreDataDirs(input, { signal })
    expect(made.map(({ name, revision }) => `${name} ${String(revision)}`)).toEqual(['a 1421', 'b 1421'])
    expect(new Set(made.map(({ clusterId }) => clusterId)).size).toBe(1)
    for (const { dataDir } of made) expect(readdirSync(join(dataDir, 'member')).sort()).toEqual(['snap', 'wal'])
    await expect(backups.restoreDataDirs(input, { signal })).rejects.toMatchObject({ code: 422, message: expect.stringMatching(/data-dir/) as string })
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
