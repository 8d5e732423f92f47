import type { Random } from '#shared/base/random.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { EmbeddedApi } from '../embeddedApi.ts'

/** One change as the API acknowledged it; a delete's revision is not told, only that it lies above the last one. */
interface Change {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** 0 = not told. */
  revision: number
  labels: Record<string, string>
}

export interface ModelReport {
  operations: number
  events: number
  resumed: number
  problems: string[]
}

const KINDS: readonly { path: string; apiVersion: string; kind: string; rest: object }[] = [
  { path: '/api/v1/namespaces/default/configmaps', apiVersion: 'v1', kind: 'ConfigMap', rest: {} },
  { path: '/api/v1/namespaces/default/secrets', apiVersion: 'v1', kind: 'Secret', rest: { type: 'Opaque' } },
  { path: '/apis/coordination.k8s.io/v1/namespaces/default/leases', apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', rest: { spec: {} } },
  {
    path: '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies',
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    rest: { spec: { podSelector: {}, policyTypes: ['Ingress'] } },
  },
]
const COLORS = ['red', 'green', 'blue']

/** A watcher that reads slowly or quickly, goes away now and then, and comes back with the last version it saw. */
class Watcher {
  readonly seen = new Map<string, Change[]>()
  readonly problems: string[] = []
  last: number
  events = 0
  resumed = 0
  readonly #cluster: EmbeddedApi
  readonly #random: Random
  readonly #path: string
  readonly color: string | null

  constructor(cluster: EmbeddedApi, random: Random, options: { path: string; from: number; color: string | null }) {
    this.#cluster = cluster
    this.#random = random
    this.#path = options.path
    this.last = options.from
    this.color = options.color
  }

  async run(signal: AbortSignal): Promise<void> {
    const selector = this.color === null ? '' : `&labelSelector=color%3D${this.color}`
    while (!signal.aborted) {
      const pause = new AbortController()
      let left = 1 + this.#random.below(2000)
      try {
        const lines = this.#cluster.watch(`${this.#path}?watch=true&resourceVersion=${String(this.last)}${selector}`, AbortSignal.any([signal, pause.signal]))
        for await (const { type, object } of lines) {
          this.#take(type, object as unknown as KubeObject)
          if (--left === 0) break
        }
      } catch (error) {
        if (!signal.aborted) this.problems.push(String(error))
      }
      pause.abort()
      if (!signal.aborted) this.resumed++
    }
  }

  #take(type: string, object: KubeObject): void {
    const revision = Number(object.metadata.resourceVersion)
    if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') {
      this.problems.push(`${type} ${JSON.stringify(object)}`)
      return
    }
    if (!(revision > this.last)) this.problems.push(`${type} ${object.metadata.name ?? ''} at ${String(revision)} after ${String(this.last)}`)
    this.last = revision
    this.events++
    const name = object.metadata.name ?? ''
    const changes = this.seen.get(name) ?? []
    changes.push({ type, revision, labels: object.metadata.labels ?? {} })
    this.seen.set(name, changes)
  }
}

/** What a watcher with a selector should see of one object's changes. */
function visible(changes: readonly Change[], color: string | null): Change[] {
  let shown = false
  return changes.flatMap((change): Change[] => {
    const selected = change.type !== 'DELETED' && (color === null || change.labels['color'] === color)
    const type = selected ? (shown ? 'MODIFIED' : 'ADDED') : shown ? 'DELETED' : null
    shown = selected
    return type === null ? [] : [{ ...change, type }]
  })
}

/** Random creates, updates, patches and deletes by many writers under watches; every acknowledged change must be seen once, in order. */
export async function modelCheck(cluster: EmbeddedApi, random: Random, count: number): Promise<ModelReport> {
  const model = new Map<string, Map<string, Change[]>>(KINDS.map(({ path }) => [path, new Map<string, Change[]>()]))
  const problems: string[] = []
  const start = Number(((await cluster.call('GET', '/api/v1/namespaces/default/configmaps?limit=1')).body as KubeObject).metadata.resourceVersion)
  const watchers = KINDS.flatMap(({ path }) =>
    [null, null, ...COLORS].map((color, index) => ({
      path,
      watcher: new Watcher(cluster, random.fork(`${path}${String(index)}`), { path, from: start, color }),
    })),
  )
  const stop = new AbortController()
  const watching = Promise.all(watchers.map(({ watcher }) => watcher.run(stop.signal)))
  let done = 0
  // Each writer has names of its own, so that what it was told is the order of things for them.
  const writer = async (index: number): Promise<void> => {
    const own = random.fork(`writer ${String(index)}`)
    while (done++ < count) {
      const kind = KINDS[own.below(KINDS.length)] as (typeof KINDS)[number]
      const name = `w${String(index)}-${String(own.below(20))}`
      const changes = model.get(kind.path)?.get(name) ?? []
      model.get(kind.path)?.set(name, changes)
      const exists = changes.length > 0 && changes.at(-1)?.type !== 'DELETED'
      const labels = { color: COLORS[own.below(COLORS.length)] ?? '', turn: String(done) }
      const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name, labels }, ...kind.rest }
      const one = `${kind.path}/${name}`
      const choice = own.below(10)
      const answer = !exists
        ? await cluster.call('POST', kind.path, object)
        : choice < 2
          ? await cluster.call('DELETE', one)
          : choice < 6
            ? await cluster.call('PUT', one, { ...object, metadata: { name, labels, resourceVersion: String(changes.at(-1)?.revision ?? '') } })
            : await cluster.call('PATCH', one, { metadata: { labels } }, { 'content-type': 'application/merge-patch+json' })
      if (answer.status !== (exists ? 200 : 201)) {
        problems.push(`${one}: ${String(answer.status)} ${JSON.stringify(answer.body).slice(0, 200)}`)
        continue
      }
      const removed = exists && choice < 2
      const revision = removed ? 0 : Number((answer.body as KubeObject).metadata.resourceVersion)
      const before = changes.findLast((change) => change.revision > 0)?.revision ?? start
      if (!removed && !(revision > before)) problems.push(`${one} was written at ${String(revision)}, not above ${String(before)}`)
      changes.push({ type: removed ? 'DELETED' : exists ? 'MODIFIED' : 'ADDED', revision, labels: removed ? {} : labels })
    }
  }
  await Promise.all(Array.from({ length: 16 }, (_, index) => writer(index)))
  const expected = watchers.map(({ path, watcher }) => new Map([...(model.get(path) ?? [])].map(([name, changes]) => [name, visible(changes, watcher.color)])))
  const wanted = expected.map((byName) => [...byName.values()].reduce((sum, changes) => sum + changes.length, 0))
  // All is written: the watches have the rest within a moment, or never.
  for (let waited = 0; waited < 1000 && watchers.some(({ watcher }, index) => watcher.events < (wanted[index] ?? 0)); waited++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  stop.abort(new Error('the check is over'))
  await watching
  for (const [index, { path, watcher }] of watchers.entries()) {
    problems.push(...watcher.problems.map((problem) => `a watch of ${path}: ${problem}`))
    for (const [name, changes] of expected[index] ?? []) {
      const seen = watcher.seen.get(name) ?? []
      const same =
        seen.length === changes.length &&
        changes.every(({ type, revision }, at) => seen[at]?.type === type && (revision === 0 || seen[at].revision === revision))
      if (!same) problems.push(`a watch of ${path} ${watcher.color ?? ''} saw ${name} as ${text(seen)} instead of ${text(changes)}`)
    }
  }
  return {
    operations: count,
    events: watchers.reduce((sum, { watcher }) => sum + watcher.events, 0),
    resumed: watchers.reduce((sum, { watcher }) => sum + watcher.resumed, 0),
    problems,
  }
}

const text = (changes: readonly Change[]): string =>
  changes
    .slice(0, 10)
    .map(({ type, revision }) => `${type}@${String(revision)}`)
    .join(' ')
