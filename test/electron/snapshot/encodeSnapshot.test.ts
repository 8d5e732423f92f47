import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { freePort, hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { keyOf, sourceOf } from './source.ts'

const dir = temporaryDirectory('encode')
const signal = new AbortController().signal
const real = hasProgram('etcd') && hasProgram('etcdctl')

/** Starts a real etcd on a data directory, and stops it after `use`. */
async function withEtcd(dataDir: string, use: (endpoint: string) => Promise<void>): Promise<void> {
  const client = `http://127.0.0.1:${String(await freePort())}`
  const peer = `http://127.0.0.1:${String(await freePort())}`
  const etcd = spawn(
    'etcd',
    [
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
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  try {
    await new Promise<void>((resolve, reject) => {
      etcd.once('exit', (code) => {
        reject(new Error(`etcd ended with ${String(code)}`))
      })
      etcd.stderr.on('data', (text: Buffer) => {
        if (text.includes('ready to serve client requests') || text.includes('serving insecure client requests')) resolve()
      })
    })
    await use(client)
  } finally {
    etcd.kill('SIGTERM')
    if (etcd.exitCode === null && etcd.signalCode === null) await once(etcd, 'exit')
  }
}

describe('encodeSnapshot', () => {
  it.skipIf(!real).each([
    { name: 'empty', count: 0, bytes: 0, deletes: 0 },
    { name: 'inline', count: 3, bytes: 40, deletes: 1 },
    { name: 'one branch level', count: 200, bytes: 900, deletes: 20 },
    { name: 'overflow pages', count: 40, bytes: 50_000, deletes: 5 },
    { name: 'two branch levels', count: 20_000, bytes: 2100, deletes: 100 },
  ])('writes a file whose structure real etcdctl accepts: $name', async ({ name, count, bytes, deletes }) => {
    const path = join(dir, `${name}.db`)
    await encodeSnapshot(sourceOf({ count, valueBytes: () => bytes, deletes }), { path, signal })
    const result = await runProgram('etcdctl', ['snapshot', 'status', path, '-w', 'json'])
    expect(result.stderr).toBe('')
    expect(JSON.parse(result.stdout)).toMatchObject({ revision: count === 0 ? 0 : 1 + count + deletes, totalKey: count + deletes + 6 })
  })

  it.skipIf(!real)('writes a file from which real etcd starts with the same keys, values, versions and leases', async () => {
    const path = join(dir, 'start.db')
    const dataDir = join(dir, 'restored')
    await encodeSnapshot(sourceOf({ count: 1000, valueBytes: (index) => (index === 5 ? 300_000 : 1500), deletes: 10 }), { path, signal })
    const restored = await runProgram('etcdctl', ['snapshot', 'restore', path, '--data-dir', dataDir])
    expect(restored.code).toBe(0)
    await withEtcd(dataDir, async (endpoint) => {
      const get = async (
        key: Uint8Array,
      ): Promise<{ header: { revision: number }; count?: number; kvs?: { value: string; version: number; mod_revision: number; lease?: string }[] }> =>
        JSON.parse((await runProgram('etcdctl', ['--endpoints', endpoint, 'get', Buffer.from(key).toString(), '-w', 'json'])).stdout) as Awaited<
          ReturnType<typeof get>
        >
      const big = [...sourceOf({ count: 21, valueBytes: (index) => (index === 5 ? 300_000 : 1500) }).revisions()]
      expect((await get(keyOf(3))).kvs).toBeUndefined()
      const twenty = await get(keyOf(20))
      expect(twenty.header.revision).toBe(1011)
      expect(twenty.kvs?.[0]).toMatchObject({ version: 1, mod_revision: 22, value: Buffer.from(big[20]?.kv.value ?? []).toString('base64') })
      const count = await runProgram('etcdctl', ['--endpoints', endpoint, 'get', '/registry', '--prefix', '--keys-only'])
      expect(count.stdout.split('\n').filter((line) => line !== '')).toHaveLength(990)
      const leases = await runProgram('etcdctl', ['--endpoints', endpoint, 'lease', 'list'])
      expect(leases.stdout).toContain('7587aabbccddeeff')
    })
  })

  it('refuses to write over a file', async () => {
    const path = join(dir, 'twice.db')
    const source = sourceOf({ count: 1, valueBytes: () => 1 })
    await encodeSnapshot(source, { path, signal })
    await expect(encodeSnapshot(source, { path, signal })).rejects.toThrow('EEXIST')
  })

  it('leaves no file behind when it is aborted', async () => {
    const path = join(dir, 'aborted.db')
    const reason = new Error('enough')
    await expect(encodeSnapshot(sourceOf({ count: 3000, valueBytes: () => 2000 }), { path, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(existsSync(path)).toBe(false)
  })

  it.skipIf(!existsSync('/dev/full'))('reports a full disk', async () => {
    const { open } = await import('node:fs/promises')
    const { writeFully } = await import('#electron/snapshot/bbolt/pageWriter.ts')
    const full = await open('/dev/full', 'w')
    await expect(writeFully(full, Buffer.alloc(4096), 0)).rejects.toThrow('ENOSPC')
    await full.close()
  })
})
