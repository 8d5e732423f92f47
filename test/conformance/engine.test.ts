import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { connectEtcdServers } from '#electron/client/etcd/connectEtcdServers.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { makePki } from '#test/bench/load/servers.ts'
import { startEtcdCluster, type EtcdCluster, type EtcdClusterMember } from '#test/support/etcdCluster.ts'
import { apiServerOn } from '#test/support/ownApiServer.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'

const PROGRAM = process.env['DRYDOCK_ETCD'] ?? 'etcd'
const SECONDS = Number(process.env['DRYDOCK_SECONDS'] ?? 120)
const WRITERS = 32
const KEYS = 8
const CONFIG_MAPS = { group: '', version: 'v1', resource: 'configmaps' }
const clock = new SystemClock()
const { signal } = new AbortController()
/** Members run as users of their own, whose packets a rule can tell. */
const FIRST_USER = 54_300

/** Cuts a member off from its peers, in both directions; clients still reach it. */
class Partition {
  readonly #rules: string[][]

  constructor(cluster: EtcdCluster, member: EtcdClusterMember) {
    const user = String(FIRST_USER + cluster.members.indexOf(member))
    const others = cluster.members.filter((each) => each !== member).map(({ peerPort }) => String(peerPort))
    const sent = ['-p', 'tcp', '-m', 'owner', '--uid-owner', user]
    this.#rules = [
      [...sent, '-m', 'multiport', '--dports', others.join(',')],
      [...sent, '--sport', String(member.peerPort)],
    ]
    for (const rule of this.#rules) execFileSync('iptables-legacy', ['-A', 'OUTPUT', ...rule, '-j', 'DROP'])
  }

  heal(): void {
    for (const rule of this.#rules.splice(0)) execFileSync('iptables-legacy', ['-D', 'OUTPUT', ...rule, '-j', 'DROP'])
  }
}

function readable(directory: string): void {
  chmodSync(directory, 0o755)
  for (const each of readdirSync(directory, { withFileTypes: true }))
    if (each.isDirectory()) readable(join(directory, each.name))
    else chmodSync(join(directory, each.name), 0o644)
}

async function until<T>(attempt: () => Promise<T>, limitMs: number): Promise<T> {
  const endMs = performance.now() + limitMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > endMs) throw error
      await sleep(200)
    }
  }
}

const mayRun = hasProgram(PROGRAM) && hasProgram('iptables-legacy') && process.getuid?.() === 0

/** What an object's writer was last told; `unsure` are values of writes that were not answered. */
interface Told {
  value: string | null
  unsure: Set<string | null>
}

describe.skipIf(!mayRun)('two API servers on three members of a real etcd (root and iptables-legacy)', () => {
  it(`lose nothing acknowledged in ${String(SECONDS)} s of ${String(WRITERS)} writers, the leader killed and a member cut off`, async () => {
    const dir = temporaryDirectory('engine')
    const { dir: pkiDir } = makePki(join(dir, 'kubernetes'))
    readable(dir)
    const cluster = await startEtcdCluster(PROGRAM, dir, { pkiDir, size: 3, userOf: (index) => FIRST_USER + index })
    const endpoints = cluster.members.map(({ endpoint }) => endpoint)
    const servers = await Promise.all(
      [endpoints, [...endpoints.slice(1), ...endpoints.slice(0, 1)]].map(async (order) => {
        const etcd = await connectEtcdServers({ endpoints: order, ...cluster.tls })
        const api = await until(() => apiServerOn(etcd, { clock, kubernetesVersion: 'v1.36.4' }), 30_000)
        return { etcd, api, client: new RestClient(api.transport({ username: 'admin', groups: ['system:masters'] })) }
      }),
    )
    let partition: Partition | null = null
    try {
      const told = new Map<string, Told>()
      const counts = { acknowledged: 0, unanswered: 0, longestGapMs: 0 }
      let lastMs = performance.now()
      const endMs = lastMs + SECONDS * 1000
      const write = async (writer: number): Promise<void> => {
        const client = (servers[writer % 2] as (typeof servers)[number]).client
        for (let turn = 0; performance.now() < endMs; turn++) {
          const name = `w${String(writer)}-${String(turn % KEYS)}`
          const known = told.get(name) ?? { value: null, unsure: new Set() }
          told.set(name, known)
          const removes = known.value !== null && turn % 5 === 4
          const value = removes ? null : String(turn)
          const target = { namespace: 'default', name }
          const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: target, data: { value } }
          try {
            if (removes) await client.delete(CONFIG_MAPS, target, {}, signal)
            else if (known.value === null) await client.create(CONFIG_MAPS, { namespace: 'default' }, object, signal)
            else await client.patch(CONFIG_MAPS, target, { data: { value } }, { type: 'merge' }, signal)
            known.value = value
            known.unsure.clear()
            counts.acknowledged++
            counts.longestGapMs = Math.max(counts.longestGapMs, performance.now() - lastMs)
            lastMs = performance.now()
          } catch {
            // Nobody was told whether it was done; the next write begins with what there is.
            counts.unanswered++
            known.unsure.add(value)
            const found = await until(() => client.list(CONFIG_MAPS, { namespace: 'default' }, signal), 60_000)
            const now = found.items.find(({ metadata }) => metadata.name === name)
            const read = now === undefined ? null : (now['data'] as { value: string }).value
            if (read !== known.value && !known.unsure.has(read)) throw new Error(`${name} is ${String(read)}, was told ${String(known.value)}`)
            known.value = read
          }
        }
      }
      const watches = servers.map(({ client }) => {
        const stop = new AbortController()
        const values = new Map<string, string>()
        let version = ''
        const run = async (): Promise<void> => {
          const list = await client.list(CONFIG_MAPS, { namespace: 'default' }, signal)
          for (const { metadata, data } of list.items as { metadata: { name?: string }; data?: { value?: string } }[])
            values.set(metadata.name ?? '', data?.value ?? '')
          version = list.metadata.resourceVersion ?? ''
          while (!stop.signal.aborted)
            try {
              for await (const { type, object } of client.watch(CONFIG_MAPS, { namespace: 'default', resourceVersion: version }, stop.signal)) {
                const { name = '', resourceVersion = '' } = object.metadata
                if (type !== 'BOOKMARK' && Number(resourceVersion) <= Number(version)) throw new Error(`${type} ${name} at ${resourceVersion} after ${version}`)
                version = resourceVersion
                if (type === 'DELETED') values.delete(name)
                else if (type !== 'BOOKMARK') values.set(name, (object['data'] as { value: string }).value)
              }
            } catch (error) {
              if (stop.signal.aborted) return
              throw error
            }
        }
        return { values, stop, ended: run() }
      })
      const disturb = async (): Promise<void> => {
        const at = (part: number): Promise<void> => sleep(Math.max(0, endMs - SECONDS * 1000 * (1 - part) - performance.now()))
        await at(0.2)
        const killed = await cluster.leader(signal)
        await cluster.kill(killed)
        await at(0.4)
        cluster.start(killed)
        await at(0.55)
        const cut = await until(() => cluster.leader(signal), 20_000)
        partition = new Partition(cluster, cut)
        await at(0.8)
        partition.heal()
      }
      await Promise.all([disturb(), ...Array.from({ length: WRITERS }, (_, writer) => write(writer))])
      const wanted = new Map([...told].flatMap(([name, { value }]) => (value === null ? [] : [[name, value] as const])))
      for (const { client } of servers) {
        const { items } = await until(() => client.list(CONFIG_MAPS, { namespace: 'default' }, signal), 60_000)
        const own = items.filter(({ metadata }) => told.has(metadata.name ?? ''))
        expect(new Map(own.map((each) => [each.metadata.name, (each['data'] as { value: string }).value]))).toEqual(wanted)
      }
      for (const { values } of watches)
        await until(async () => {
          const own = new Map([...values].filter(([name]) => told.has(name)))
          expect(own).toEqual(wanted)
          return Promise.resolve()
        }, 60_000)
      for (const { stop } of watches) stop.abort()
      await Promise.all(watches.map(({ ended }) => ended))
      process.stdout.write(
        `${String(counts.acknowledged)} writes acknowledged (${(counts.acknowledged / SECONDS).toFixed(0)} a second), ${String(counts.unanswered)} unanswered, longest time without one ${(counts.longestGapMs / 1000).toFixed(1)} s\n`,
      )
      expect(counts.acknowledged).toBeGreaterThan(SECONDS * 10)
    } finally {
      ;(partition as Partition | null)?.heal()
      for (const { api, etcd } of servers) {
        await api.close()
        await etcd.close()
      }
      await cluster.end()
    }
  })
})
