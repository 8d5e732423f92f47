import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isConflict } from '#shared/kubernetes/status.ts'
import { connectEtcdServers } from '#electron/client/etcd/connectEtcdServers.ts'
import { whileLeading } from '#electron/client/leaderElection.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { makePki } from '#test/bench/load/servers.ts'
import { startEtcdCluster, type EtcdCluster } from '#test/support/etcdCluster.ts'
import { apiServerOn } from '#test/support/ownApiServer.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'

const program = process.env['DRYDOCK_ETCD'] ?? 'etcd'
const CONFIG_MAPS = { group: '', version: 'v1', resource: 'configmaps' }
const clock = new SystemClock()
const { signal } = new AbortController()

/** Two API servers on the members of one etcd, each asking another member first. */
async function servers(size: number): Promise<{ cluster: EtcdCluster; clients: [RestClient, RestClient] }> {
  const dir = temporaryDirectory('existing-etcd')
  const { dir: pkiDir } = makePki(join(dir, 'kubernetes'))
  const cluster = await startEtcdCluster(program, dir, { pkiDir, size })
  const endpoints = cluster.members.map(({ endpoint }) => endpoint)
  const started = await Promise.all(
    [endpoints, endpoints.toReversed()].map(async (order) => {
      const etcd = await connectEtcdServers({ endpoints: order, ...cluster.tls })
      const api = await until(() => apiServerOn(etcd, { clock, kubernetesVersion: 'v1.36.0' }))
      return { etcd, api, client: new RestClient(api.transport({ username: 'admin', groups: ['system:masters'] })) }
    }),
  )
  onTestFinished(async () => {
    for (const { api, etcd } of started) {
      await api.close()
      await etcd.close()
    }
    await cluster.end()
  })
  const [one, two] = started
  if (one === undefined || two === undefined) throw new Error('two were started')
  return { cluster, clients: [one.client, two.client] }
}

/** Members take a moment to find a leader. */
async function until<T>(attempt: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + 20_000
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > endMs) throw error
      await clock.sleep(200, { signal })
    }
  }
}

const configMap = (name: string, value: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { value } })

describe.skipIf(!hasProgram(program))('a control plane on an existing etcd', () => {
  it('agrees with another API server on one member: reads, watches, conflicts', { timeout: 60_000 }, async () => {
    const { clients } = await servers(1)
    const [one, two] = clients
    const made = await one.create(CONFIG_MAPS, { namespace: 'default' }, configMap('shared', 'a'), signal)
    const watch = new AbortController()
    const seen: string[] = []
    const watching = (async () => {
      for await (const { type, object } of two.watch(CONFIG_MAPS, { namespace: 'default', resourceVersion: made.metadata.resourceVersion }, watch.signal)) {
        if (type === 'BOOKMARK') continue
        seen.push(`${type} ${object.metadata.resourceVersion ?? ''}`)
        if (type === 'DELETED') return
      }
    })()
    expect(await two.get(CONFIG_MAPS, { namespace: 'default', name: 'shared' }, signal)).toEqual(
      await one.get(CONFIG_MAPS, { namespace: 'default', name: 'shared' }, signal),
    )
    const changed = await two.update(CONFIG_MAPS, { namespace: 'default', name: 'shared' }, { ...made, data: { value: 'b' } }, signal)
    await expect(one.update(CONFIG_MAPS, { namespace: 'default', name: 'shared' }, { ...made, data: { value: 'c' } }, signal)).rejects.toSatisfy(isConflict)
    const again = await one.update(CONFIG_MAPS, { namespace: 'default', name: 'shared' }, { ...changed, data: { value: 'd' } }, signal)
    await one.delete(CONFIG_MAPS, { namespace: 'default', name: 'shared' }, {}, signal)
    await watching
    expect(seen.slice(0, 2)).toEqual([`MODIFIED ${changed.metadata.resourceVersion ?? ''}`, `MODIFIED ${again.metadata.resourceVersion ?? ''}`])
    expect(seen[2]).toMatch(/^DELETED /)
  })

  it('runs a component on one of two candidates, and on the other once the first has stopped', { timeout: 60_000 }, async () => {
    const { clients } = await servers(1)
    const running: string[] = []
    const begun = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
    const stops = [new AbortController(), new AbortController()]
    const candidates = clients.map((client, index) =>
      whileLeading(
        {
          client,
          clock,
          logger: silentLogger,
          identity: `candidate-${String(index)}`,
          namespace: 'kube-system',
          name: 'kube-scheduler',
          signal: stops[index]?.signal ?? signal,
        },
        async (mine) => {
          running.push(`begins ${String(index)}`)
          begun[index]?.resolve(undefined)
          await clock.sleep(3_600_000, { signal: mine }).catch(() => undefined)
          running.push(`ends ${String(index)}`)
        },
      ),
    )
    const first = await Promise.race(begun.map(async ({ promise }, index) => (await promise, index)))
    const second = 1 - first
    expect(running).toEqual([`begins ${String(first)}`])
    stops[first]?.abort(new Error('the first stops'))
    await begun[second]?.promise
    expect(running).toEqual([`begins ${String(first)}`, `ends ${String(first)}`, `begins ${String(second)}`])
    stops[second]?.abort(new Error('the second stops'))
    await Promise.all(candidates)
  })

  it('loses nothing that was acknowledged when the leader of three members is killed under writes', { timeout: 120_000 }, async () => {
    const { cluster, clients } = await servers(3)
    const [one, two] = clients
    const list = await two.list(CONFIG_MAPS, { namespace: 'default' }, signal)
    const watch = new AbortController()
    const seen = new Map<string, number>()
    const watching = (async () => {
      for await (const { type, object } of two.watch(CONFIG_MAPS, { namespace: 'default', resourceVersion: list.metadata.resourceVersion }, watch.signal))
        if (type === 'ADDED') seen.set(object.metadata.name ?? '', (seen.get(object.metadata.name ?? '') ?? 0) + 1)
    })().catch((error: unknown) => {
      if (!watch.signal.aborted) throw error
    })
    const acknowledged: string[] = []
    let refused = 0
    let done = 0
    const total = 320
    const write = async (writer: number): Promise<void> => {
      for (let index = 0; index < total / 8; index++) {
        const name = `w${String(writer)}-${String(index)}`
        try {
          const made: KubeObject = await (writer % 2 === 0 ? one : two).create(CONFIG_MAPS, { namespace: 'default' }, configMap(name, 'x'), signal)
          acknowledged.push(made.metadata.name ?? '')
        } catch {
          // Whether it was done is not known: nobody was told so.
          refused++
        }
        if (++done === total / 4) await cluster.kill(await cluster.leader(signal))
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)))
    expect(acknowledged.length).toBeGreaterThan(total / 2)
    for (const client of [one, two]) {
      const names = new Set((await until(() => client.list(CONFIG_MAPS, { namespace: 'default' }, signal))).items.map(({ metadata }) => metadata.name))
      expect(acknowledged.filter((name) => !names.has(name))).toEqual([])
    }
    await until(async () => {
      if (acknowledged.some((name) => !seen.has(name))) throw new Error('the watch has not come so far')
      return Promise.resolve()
    })
    expect([...seen].filter(([, count]) => count !== 1)).toEqual([])
    watch.abort()
    await watching
    expect(acknowledged.length + refused).toBe(total)
  })
})
