import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '#shared/base/logger.ts'
import type { Backup } from '#shared/contract/backups.ts'
import { Catalogue } from '#electron/snapshot/catalogue.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { etcdctl, etcdPlace, etcdReady, startEtcd, type RealEtcd } from '#test/support/realEtcd.ts'

const script = fileURLToPath(new URL('../../support/saveInto.ts', import.meta.url))
/** The backup is some three times as large, so that both the cut and the full disk come in its middle. */
const PASSED_BYTES = 1_200_000
const VALUE_BYTES = 100_000
const VALUES = 40

/** A user namespace of its own may mount, and takes its mounts with it. */
const mounts = await runProgram('unshare', ['-rm', 'true'])

interface Outcome {
  error: string
  files: string[]
  list: Backup[]
}

/** Lets so many of the server's bytes through; then stops, or cuts the line. */
async function proxy(endpoint: string, then: 'stall' | 'cut'): Promise<{ endpoint: string; server: Server }> {
  const { port, hostname } = new URL(endpoint)
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    let passed = 0
    client.pipe(upstream)
    upstream.on('data', (bytes: Buffer) => {
      if (passed < PASSED_BYTES) client.write(bytes)
      else if (then === 'cut') {
        client.destroy()
        upstream.destroy()
        // A reconnecting client meets nobody.
        server.close()
      }
      passed += bytes.length
    })
    for (const socket of [client, upstream]) socket.on('error', () => undefined)
    client.on('close', () => upstream.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { endpoint: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, server }
}

describe.skipIf(!hasProgram('etcd') || !hasProgram('etcdctl'))('a save that is interrupted', { timeout: 120_000 }, () => {
  const dir = temporaryDirectory('interrupted')
  let etcd: RealEtcd
  beforeAll(async () => {
    const place = await etcdPlace('a')
    etcd = startEtcd({ program: 'etcd', dataDir: join(dir, 'etcd'), place })
    await etcdReady('etcdctl', place.client)
    for (let number = 0; number < VALUES; number++)
      await etcdctl('etcdctl', ['--endpoints', place.client, 'put', `/value/${String(number)}`], 'v'.repeat(VALUE_BYTES))
  }, 120_000)
  afterAll(() => etcd.stop())

  const saving = (directory: string, endpoint: string) =>
    spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, directory, endpoint], { stdio: ['ignore', 'pipe', 'inherit'] })
  const backupsIn = (directory: string): string[] => readdirSync(directory).filter((name) => !name.endsWith('.json') && !name.endsWith('.part'))
  const outcomeOf = (stdout: string): Outcome => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Outcome

  it('saves whole where nothing interrupts it', async () => {
    const directory = join(dir, 'whole')
    const { stdout } = await runProgram(process.execPath, ['--disable-warning=ExperimentalWarning', script, directory, etcd.endpoint])
    const { error, list } = outcomeOf(stdout)
    expect(error).toBe('')
    expect(list).toMatchObject([{ verdict: 'good', present: true, failure: '' }])
    expect(list[0]?.fileSizeBytes).toBeGreaterThan(3 * PASSED_BYTES)
  })

  it('by a kill leaves no backup, and the next start says so', async () => {
    const directory = join(dir, 'killed')
    const { endpoint, server } = await proxy(etcd.endpoint, 'stall')
    const child = saving(directory, endpoint)
    for await (const line of createInterface({ input: child.stdout })) if (line === 'receiving') break
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    server.close()
    expect(backupsIn(directory)).toEqual([])
    const catalogue = new Catalogue({ directory, logger: silentLogger })
    expect(await catalogue.list()).toMatchObject([{ verdict: 'saving', present: false }])
    expect(await catalogue.open()).toHaveLength(1)
    expect(readdirSync(directory).filter((name) => !name.endsWith('.json'))).toEqual([])
    expect(await catalogue.list()).toMatchObject([{ verdict: 'interrupted', present: false, failure: expect.stringMatching(/^Drydock ended while/) as string }])
  })

  it('by the network leaves no file, and the catalogue says why', async () => {
    const directory = join(dir, 'cut')
    const { endpoint } = await proxy(etcd.endpoint, 'cut')
    const child = saving(directory, endpoint)
    let stdout = ''
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
    await once(child, 'exit')
    const { error, files, list } = outcomeOf(stdout)
    expect(error).not.toBe('')
    expect(files).toEqual([`${list[0]?.id ?? ''}.json`])
    expect(list).toMatchObject([{ verdict: 'interrupted', present: false, failure: error }])
  })

  it.skipIf(mounts.code !== 0)('by a full disk leaves no file, and the catalogue says why', async () => {
    const directory = join(dir, 'full')
    mkdirSync(directory)
    const { stdout, stderr } = await runProgram(
      'unshare',
      [
        ...['-rm', 'sh', '-c', 'mount -t tmpfs -o size=2m tmpfs "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1" "$4"'],
        ...['sh', directory, process.execPath, script, etcd.endpoint],
      ],
      { timeoutMs: 60_000 },
    )
    expect(stderr).toBe('')
    const { error, files, list } = outcomeOf(stdout)
    expect(error).toMatch(/ENOSPC|no space left/)
    expect(files).toEqual([`${list[0]?.id ?? ''}.json`])
    expect(list).toMatchObject([{ verdict: 'interrupted', present: false, failure: error }])
  })
})
