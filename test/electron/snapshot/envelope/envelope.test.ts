import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { layersOf, suffixOf, type Sealing, type Unlock } from '#electron/snapshot/envelope/envelope.ts'
import { withPlain } from '#electron/snapshot/envelope/plainFile.ts'
import { saveSnapshot } from '#electron/snapshot/save.ts'
import { FakeClock } from '#shared/base/clock.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { sourceOf } from '../source.ts'

const dir = temporaryDirectory('envelope')
const { signal } = new AbortController()
let serial = 0
const fresh = (name: string): string => join(dir, `${String(++serial)}-${name}`)

async function snapshot(): Promise<Buffer> {
  const path = fresh('source.db')
  await encodeSnapshot(sourceOf({ count: 400, valueBytes: () => 700 }), { path, signal })
  return readFileSync(path)
}

const sending = (bytes: Buffer): Pick<EtcdClient, 'snapshot'> => ({
  async *snapshot() {
    for (let at = 0; at < bytes.length; at += 10_000) {
      const blob = bytes.subarray(at, at + 10_000)
      yield await Promise.resolve({ blob, remainingBytes: Math.max(0, bytes.length - at - blob.length) })
    }
  },
})

async function saved(bytes: Buffer, sealing: Sealing): Promise<string> {
  const path = `${fresh('saved.db')}${suffixOf(sealing)}`
  const result = await saveSnapshot({ etcd: sending(bytes), path, clock: new FakeClock(), signal, sealing })
  expect(result.sha256).toBe(createHash('sha256').update(readFileSync(path)).digest('hex'))
  expect(result.fileSizeBytes).toBe(readFileSync(path).length)
  return path
}

const plainOf = (path: string, unlock: Unlock = {}): Promise<Buffer> =>
  withPlain(path, { unlock, directory: join(dir, 'plain'), signal }, (file) => Promise.resolve(readFileSync(file.path)))

const passphrase = 'correct horse battery staple'

describe('an enveloped snapshot', () => {
  it('comes out as it went in, compressed, encrypted or both', { timeout: 60_000 }, async () => {
    const bytes = await snapshot()
    const identity = await generateX25519Identity()
    const recipients = [await identityToRecipient(identity)]
    for (const { sealing, unlock, layers } of [
      { sealing: { compress: false }, unlock: {}, layers: [] },
      { sealing: { compress: true }, unlock: {}, layers: ['zstd'] },
      { sealing: { compress: false, passphrase }, unlock: { passphrase }, layers: ['age'] },
      { sealing: { compress: true, recipients }, unlock: { identities: [identity] }, layers: ['age', 'zstd'] },
    ]) {
      const path = await saved(bytes, sealing)
      expect(await plainOf(path, unlock)).toEqual(bytes)
      await withPlain(path, { unlock, directory: join(dir, 'plain'), signal }, (file) => {
        expect(file.layers).toEqual(layers)
        return Promise.resolve()
      })
    }
    expect(readdirSync(join(dir, 'plain'))).toEqual([])
  })

  it('says what it needs, and refuses what does not open it', { timeout: 60_000 }, async () => {
    const bytes = await snapshot()
    const path = await saved(bytes, { compress: true, passphrase })
    expect(await layersOf(path)).toEqual({ layers: ['age'], needs: 'passphrase' })
    await expect(plainOf(path)).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining('give its passphrase') as string })
    await expect(plainOf(path, { passphrase: 'wrong' })).rejects.toMatchObject({ code: 'locked', message: 'the passphrase does not open the file' })
    await expect(plainOf(path, { identities: [await generateX25519Identity()] })).rejects.toMatchObject({ code: 'locked' })
    await expect(plainOf(path, { identities: ['AGE-SECRET-KEY-1NONE'] })).rejects.toMatchObject({ code: 'locked' })
    const keyed = await saved(bytes, { compress: false, recipients: [await identityToRecipient(await generateX25519Identity())] })
    expect(await layersOf(keyed)).toEqual({ layers: ['age'], needs: 'identity' })
  })

  it('begins nothing when a recipient is none', async () => {
    const path = fresh('none.db.age')
    const save = saveSnapshot({ etcd: sending(await snapshot()), path, clock: new FakeClock(), signal, sealing: { compress: false, recipients: ['age1none'] } })
    await expect(save).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining('"age1none" is no age recipient') as string })
    expect(readdirSync(dir).some((name) => name.includes('none'))).toBe(false)
  })

  it('leaves nothing when the stream is cut, though what came was sealed well', async () => {
    const bytes = (await snapshot()).subarray(0, 40_000)
    const path = fresh('cut.db.zst')
    await expect(saveSnapshot({ etcd: sending(bytes), path, clock: new FakeClock(), signal, sealing: { compress: true } })).rejects.toMatchObject({
      code: 'trailer',
    })
    expect(readdirSync(dir).some((name) => name.includes('cut'))).toBe(false)
  })

  it('finds every flipped bit and every cut of an encrypted file, and of a compressed one', { timeout: 120_000 }, async () => {
    const identity = await generateX25519Identity()
    const bytes = await snapshot()
    for (const sealing of [{ compress: true, recipients: [await identityToRecipient(identity)] }, { compress: true }]) {
      const good = readFileSync(await saved(bytes, sealing))
      for (let round = 0; round < 60; round++) {
        const at = Math.floor((good.length * round) / 60)
        const changed =
          round % 3 === 0
            ? good.subarray(0, at)
            : Buffer.concat([good.subarray(0, at), Buffer.from([(good[at] ?? 0) ^ (1 << (round % 8))]), good.subarray(at + 1)])
        const path = fresh('damaged')
        writeFileSync(path, changed)
        // A header that names no layer any more leaves bytes that are no snapshot, and verifying says so.
        const came = await plainOf(path, { identities: [identity] }).catch((error: unknown) => error as Error)
        expect(came instanceof Buffer && came.equals(bytes)).toBe(false)
      }
    }
  })

  it('opens an archive as k3s packs it', async () => {
    const bytes = await snapshot()
    const name = Buffer.from('on-demand-k3s-1764255600')
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50, 0)
    header.writeUInt16LE(8, 6)
    header.writeUInt16LE(8, 8)
    header.writeUInt16LE(name.length, 26)
    const path = fresh('k3s.zip')
    writeFileSync(path, Buffer.concat([header, name, deflateRawSync(bytes), Buffer.from('PK\x07\x08 and the directory')]))
    expect(await plainOf(path)).toEqual(bytes)
    writeFileSync(path, Buffer.concat([header, name, deflateRawSync(bytes).subarray(0, 5000)]))
    await expect(plainOf(path)).rejects.toMatchObject({ code: 'damaged' })
  })

  it.skipIf(!hasProgram('age') || !hasProgram('zstd'))('is opened by age and zstd, and opens what they made', { timeout: 60_000 }, async () => {
    const bytes = await snapshot()
    const key = fresh('key.txt')
    execFileSync('age-keygen', ['-o', key], { stdio: 'ignore' })
    const identity = /AGE-SECRET-KEY-\S+/.exec(readFileSync(key, 'utf8'))?.[0] ?? ''
    const recipient = await identityToRecipient(identity)
    const path = await saved(bytes, { compress: true, recipients: [recipient] })
    const packed = fresh('theirs.zst')
    execFileSync('age', ['-d', '-i', key, '-o', packed, path])
    expect(execFileSync('zstd', ['-d', '-c', packed], { maxBuffer: 1e8 })).toEqual(bytes)
    const source = fresh('mine.db')
    writeFileSync(source, bytes)
    execFileSync('zstd', ['-q', source, '-o', `${source}.zst`])
    execFileSync('age', ['-r', recipient, '-o', `${source}.zst.age`, `${source}.zst`])
    expect(await plainOf(`${source}.zst.age`, { identities: [identity] })).toEqual(bytes)
  })
})
