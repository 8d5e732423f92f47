import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { cli, startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

describe.skipIf(!hasProgram('etcdctl') || !hasProgram('etcd'))('real etcdctl and etcd', { timeout: 60_000 }, () => {
  const dataDir = temporaryDirectory('etcdctl')
  let cluster: RunningCluster
  const etcdctl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cluster.etcdctl(args)
    expect(code, `etcdctl ${args.join(' ')}: ${stderr}`).toBe(0)
    return stdout
  }

  beforeAll(async () => {
    cluster = await startCluster(join(dataDir, 'cluster'))
  }, 30_000)
  afterAll(() => cluster.end())

  it('puts, gets, deletes and counts keys', async () => {
    await etcdctl('put', 'test/a', '1')
    await etcdctl('put', 'test/b', '2')
    expect(await etcdctl('get', '--prefix', 'test/')).toBe('test/a\n1\ntest/b\n2\n')
    expect((await etcdctl('del', 'test/a')).trim()).toBe('1')
    expect(await etcdctl('get', 'test/a')).toBe('')
  })

  it('answers large ranges at once, each with its own bytes', async () => {
    const value = (letter: string): string => letter.repeat(1_200_000)
    const letters = [...'abcdefgh']
    for (const letter of letters) expect((await cluster.etcdctl(['put', `large/${letter}`], { input: value(letter) })).code).toBe(0)
    for (let round = 0; round < 3; round++) {
      const read = await Promise.all(letters.map((letter) => etcdctl('get', `large/${letter}`, '--print-value-only')))
      for (const [index, letter] of letters.entries()) expect(read[index] === `${value(letter)}\n`, `large/${letter}`).toBe(true)
    }
    await etcdctl('del', '--prefix', 'large/')
  })

  it('runs a transaction by its compares', async () => {
    await etcdctl('put', 'txn', 'old')
    const { stdout } = await cluster.etcdctl(['txn'], { input: 'value("txn") = "old"\n\nput txn new\n\nput txn wrong\n\n' })
    expect(stdout).toContain('SUCCESS')
    expect(await etcdctl('get', 'txn', '--print-value-only')).toBe('new\n')
  })

  it('tells a watcher of a change', async () => {
    const { etcd, pki } = cluster
    const watcher = spawn(
      'etcdctl',
      [
        '--endpoints',
        etcd,
        '--cacert',
        join(pki, 'etcd/ca.crt'),
        '--cert',
        join(pki, 'etcd/healthcheck-client.crt'),
        '--key',
        join(pki, 'etcd/healthcheck-client.key'),
        'watch',
        'watched',
        '--rev=1',
      ],
      { env: { ...process.env, ETCDCTL_API: '3' } },
    )
    try {
      const lines: string[] = []
      const three = new Promise<void>((resolve) => {
        createInterface({ input: watcher.stdout }).on('line', (line) => {
          lines.push(line)
          if (lines.length === 3) resolve()
        })
      })
      await etcdctl('put', 'watched', 'seen')
      await three
      expect(lines).toEqual(['PUT', 'watched', 'seen'])
    } finally {
      const ended = once(watcher, 'exit')
      watcher.kill()
      await ended
    }
  })

  it("deletes a lease's keys when it is revoked", async () => {
    const id = /lease (\w+) granted/.exec(await etcdctl('lease', 'grant', '600'))?.[1] ?? ''
    await etcdctl('put', 'leased', '1', `--lease=${id}`)
    expect(await etcdctl('lease', 'timetolive', id, '--keys')).toContain('leased')
    await etcdctl('lease', 'revoke', id)
    expect(await etcdctl('get', 'leased')).toBe('')
  })

  it('names its member and its state', async () => {
    expect(await etcdctl('member', 'list')).toContain('started, controlplane')
    expect(await etcdctl('endpoint', 'status')).toContain('true')
    expect((await cluster.etcdctl(['endpoint', 'health'])).code).toBe(0)
  })

  it('gives a snapshot whose status etcdctl and drydock agree on, and from which real etcd starts with the same keys', async () => {
    const file = join(dataDir, 'saved.db')
    await etcdctl('snapshot', 'save', file)
    const theirs = JSON.parse((await runProgram('etcdctl', ['snapshot', 'status', file, '-w', 'json'], { env: { ETCDCTL_API: '3' } })).stdout) as {
      hash: number
      revision: number
      totalKey: number
      totalSize: number
    }
    const ours = await runProgram(process.execPath, ['--disable-warning=ExperimentalWarning', cli, 'snapshot', 'status', file, '-w', 'json'])
    expect(ours.code, ours.stderr).toBe(0)
    expect(JSON.parse(ours.stdout)).toMatchObject({ hash: theirs.hash, revision: theirs.revision, totalKey: theirs.totalKey, totalSize: theirs.totalSize })

    const restored = join(dataDir, 'restored')
    const restore = await runProgram('etcdctl', ['snapshot', 'restore', file, '--data-dir', restored], { env: { ETCDCTL_API: '3' } })
    expect(restore.code, restore.stderr).toBe(0)
    const [client, peer] = [await freePort(), await freePort()]
    mkdirSync(join(dataDir, 'real'), { recursive: true })
    const real = spawn(
      'etcd',
      [
        '--data-dir',
        restored,
        '--listen-client-urls',
        `http://127.0.0.1:${String(client)}`,
        '--advertise-client-urls',
        `http://127.0.0.1:${String(client)}`,
        '--listen-peer-urls',
        `http://127.0.0.1:${String(peer)}`,
        '--log-level',
        'error',
      ],
      { stdio: 'ignore' },
    )
    try {
      const get = (args: string[]): ReturnType<typeof runProgram> =>
        runProgram('etcdctl', ['--endpoints', `http://127.0.0.1:${String(client)}`, ...args], { env: { ETCDCTL_API: '3' }, timeoutMs: 20_000 })
      expect((await get(['--command-timeout=15s', 'get', '--prefix', '/registry/', '--keys-only'])).code).toBe(0)
      // Configuration and roles do not change by themselves, as leases, endpoints and node status do.
      for (const prefix of ['/registry/configmaps/', '/registry/clusterroles/', '/registry/services/specs/', '/registry/namespaces/']) {
        const theirCopy = (await get(['get', '--prefix', prefix, '-w', 'json'])).stdout
        const ourCopy = await etcdctl('get', '--prefix', prefix, '-w', 'json')
        const kvs = (text: string): unknown => (JSON.parse(text) as { kvs: unknown }).kvs
        expect(kvs(theirCopy)).toEqual(kvs(ourCopy))
      }
    } finally {
      const ended = once(real, 'exit')
      real.kill()
      await ended
    }
  })
})
