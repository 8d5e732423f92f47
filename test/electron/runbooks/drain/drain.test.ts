import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { drain } from '#electron/runbooks/drain/drain.ts'
import type { StepContext } from '#electron/runbooks/runbook.ts'

/** A server with one pod on a cordoned node, which never ends, and of which each list takes so long. */
class SlowServer implements Transport {
  lists = 0
  readonly #clock: FakeClock
  readonly #listMs: number

  constructor(clock: FakeClock, listMs: number) {
    this.#clock = clock
    this.#listMs = listMs
  }

  async request({ method, path, signal }: { method: string; path: string; signal: AbortSignal }): Promise<Awaited<ReturnType<Transport['request']>>> {
    const body = (): object => {
      if (path.startsWith('/api/v1/nodes/')) return { kind: 'Node', metadata: { name: 'a' }, spec: { unschedulable: true } }
      if (path === '/version') return { gitVersion: 'v1.36.4' }
      if (path === '/api/v1') return { resources: [{ name: 'pods/eviction', group: 'policy', version: 'v1' }] }
      if (method === 'POST') return { kind: 'Status', status: 'Success' }
      if (!path.startsWith('/api/v1/pods')) return { items: [] }
      const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'web', controller: true }]
      return { items: [{ kind: 'Pod', metadata: { namespace: 'default', name: 'web', uid: 'pod', ownerReferences }, spec: {}, status: { phase: 'Running' } }] }
    }
    if (path.startsWith('/api/v1/pods')) {
      this.lists += 1
      if (this.#listMs > 0) await this.#clock.sleep(this.#listMs, { signal })
    }
    return { status: method === 'POST' ? 201 : 200, headers: {}, body: new TextEncoder().encode(JSON.stringify(body())) }
  }

  stream(): never {
    throw new Error('nothing is watched')
  }
}

it.each([
  [0, 60],
  [100, 50],
  [1000, 6],
])('looks at pods whose list takes %i ms about %i times in 30 s', async (listMs, times) => {
  const clock = new FakeClock(0)
  const server = new SlowServer(clock, listMs)
  const stopped = new AbortController()
  const context = { signal: stopped.signal, clock, log: () => undefined, waitFor: () => undefined } as unknown as StepContext
  const draining = drain(new ClusterApi(server), { node: 'a', options: { deleteEmptyDirData: false, overrides: [] } }, context)
  for (let ms = 0; ms < 30_000; ms += 100) {
    await clock.advance(100)
    for (let turn = 0; turn < 20; turn++) await setImmediate()
  }
  expect(Math.abs(server.lists - times)).toBeLessThanOrEqual(2)
  stopped.abort(new Error('enough'))
  await expect(draining).rejects.toThrow('enough')
})
