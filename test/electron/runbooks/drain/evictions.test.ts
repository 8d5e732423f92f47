import { describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { lookAtPod } from '#shared/planning/drain/drainPlan.ts'
import { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { Evictions, type PodOnNode } from '#electron/runbooks/drain/evictions.ts'
import type { StepContext } from '#electron/runbooks/runbook.ts'

const RETRY_MS = 5_000
const OPTIONS = { deleteEmptyDirData: false, overrides: [] }

function pod(name: string, app: string, phase = 'Running'): PodOnNode {
  const object: KubeObject = {
    kind: 'Pod',
    metadata: {
      namespace: 'default',
      name,
      uid: name,
      labels: { app },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: app, uid: app, controller: true }],
    },
    status: { phase, conditions: [{ type: 'Ready', status: phase === 'Running' ? 'True' : 'False' }] },
  }
  return { object, planned: lookAtPod(object, { budgets: [], minor: 30 }, OPTIONS) }
}

const budget = (app: string): object => ({ metadata: { namespace: 'default', name: app, uid: `budget-${app}` }, spec: { selector: { matchLabels: { app } } } })

/** A server whose answers to evictions are those given, in turn; then it grants all. */
class AnsweringServer implements Transport {
  readonly asked: string[] = []
  readonly #answers: ('granted' | 'refused' | 'busy')[]

  constructor(answers: ('granted' | 'refused' | 'busy')[]) {
    this.#answers = answers
  }

  request({ method, path }: { method: string; path: string }): ReturnType<Transport['request']> {
    const answer = (status: number, body: object): ReturnType<Transport['request']> =>
      Promise.resolve({ status, headers: {}, body: new TextEncoder().encode(JSON.stringify(body)) })
    if (method === 'GET') return answer(200, { items: [budget('web'), budget('db')] })
    this.asked.push(/pods\/([^/]+)\/eviction/.exec(path)?.[1] ?? '')
    const next = this.#answers.shift() ?? 'granted'
    if (next === 'granted') return answer(201, { kind: 'Status', status: 'Success' })
    const causes = next === 'refused' ? [{ reason: 'DisruptionBudget', message: 'The disruption budget web needs 2 healthy pods and has 2 currently' }] : []
    return answer(429, { kind: 'Status', status: 'Failure', reason: 'TooManyRequests', message: 'too many requests', details: { causes } })
  }

  stream(): never {
    throw new Error('nothing is watched')
  }
}

function evictions(answers: ('granted' | 'refused' | 'busy')[]): { server: AnsweringServer; clock: FakeClock; eviction: Evictions } {
  const server = new AnsweringServer(answers)
  const clock = new FakeClock(0)
  const context = { signal: new AbortController().signal, clock, log: () => undefined } as unknown as StepContext
  return { server, clock, eviction: new Evictions(new ClusterApi(server), context, { apiVersion: 'policy/v1', minor: 30 }) }
}

describe('evictions of one node', () => {
  const pods = [pod('db-1', 'db'), pod('web-1', 'web'), pod('web-2', 'web'), pod('web-3', 'web')]

  it('do not let a later pod of a budget go before one that it has just refused', async () => {
    const { server, clock, eviction } = evictions(['granted', 'refused'])
    await eviction.pass(pods)
    expect(server.asked).toEqual(['db-1', 'web-1'])
    expect(eviction.blockers.map(({ subject }) => subject)).toEqual(['default/web-1', 'default/web-2', 'default/web-3'])
    expect(new Set(eviction.blockers.map(({ reason }) => reason)).size).toBe(1)
    await eviction.pass(pods)
    expect(server.asked).toHaveLength(2)
    clock.advance(RETRY_MS)
    await eviction.pass(pods)
    expect(server.asked.slice(2)).toEqual(['web-1', 'web-2', 'web-3'])
    expect(eviction.blockers).toEqual([])
    expect(eviction.count).toBe(4)
  })

  it('hold up neither pods that no budget guards any more nor those of other budgets', async () => {
    const { server, eviction } = evictions(['refused'])
    await eviction.pass([pod('web-1', 'web'), pod('web-2', 'web', 'Succeeded'), pod('db-1', 'db')])
    expect(server.asked).toEqual(['web-1', 'web-2', 'db-1'])
    expect(eviction.blockers.map(({ subject }) => subject)).toEqual(['default/web-1'])
  })

  it('are each asked for where it is not a budget that refuses', async () => {
    const { server, eviction } = evictions(['busy', 'busy'])
    await eviction.pass(pods.slice(1))
    expect(server.asked).toEqual(['web-1', 'web-2', 'web-3'])
    expect(eviction.count).toBe(1)
  })
})
