import { Agent } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { deepEqual, isObject } from '#shared/kubernetes/json.ts'
import { resourcePath, type KubeObject } from '#shared/kubernetes/object.ts'
import { ApiConnection } from '../support/apiConnection.ts'
import { startTestApiServer, type TestApiServer } from '../support/testApiServer.ts'
import { explained } from './customResources/explained.ts'
import { OBJECTS, pathOf, randomOperation } from './customResources/operations.ts'
import { randomKind, type RandomKind } from './customResources/schemas.ts'
import { differences, Side, type Operation } from './customResources/side.ts'
import { Watched } from './customResources/watched.ts'

const PEER = process.env['DRYDOCK_PEER_MODERN_KUBECONFIG']
const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 20_000)
const SEED = Number(process.env['DRYDOCK_SEED'] ?? 36)
const KINDS = 30
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
/** How often, in operations, watches with and without initial events are opened and read. */
const WATCH_EVERY = 40

interface Definition {
  metadata: { name: string; deletionTimestamp?: string }
  spec: { group: string; names: { plural: string } }
}

interface Difference {
  operation: string
  lines: string[]
}

describe.skipIf(PEER === undefined)('custom resources against a real API server of 1.36 (DRYDOCK_PEER_MODERN_KUBECONFIG)', () => {
  let ours: TestApiServer
  let sides: [real: Side, ours: Side]
  const random = new SeededRandom(SEED)
  const kinds: RandomKind[] = []
  const found = new Map<string, { count: number; example: Difference }>()
  const counts = { operations: 0, events: 0, statuses: new Map<number, number>(), explained: new Map<string, number>(), refusedDefinitions: 0 }
  const agents: Agent[] = []
  /** Whether objects were removed to bring the two together again: the live watch then has seen what differs. */
  let disturbed = false

  const both = async <T>(run: (side: Side) => Promise<T>): Promise<[T, T]> => Promise.all([run(sides[0]), run(sides[1])])

  beforeAll(async () => {
    ours = await startTestApiServer('conformance')
    sides = [new Side(ApiConnection.of(PEER ?? '')), new Side(ours.connection)]
    await removeDefinitions()
    for (let index = 0; kinds.length < KINDS; index++) {
      const kind = randomKind(random, index)
      const [real, own] = await both((side) => side.run({ method: 'POST', path: DEFINITIONS, contentType: 'application/json', body: kind.definition }))
      if (!deepEqual(real, own)) note({ method: 'POST', path: DEFINITIONS, body: kind.definition }, real, own)
      if (real.status === 201 && own.status === 201) kinds.push(kind)
      else counts.refusedDefinitions += 1
    }
    for (const kind of kinds) await both((side) => served(side, kind))
    // The real server makes creates wait for two seconds after a definition was established.
    await new Promise((resolve) => setTimeout(resolve, 2500))
  })

  afterAll(async () => {
    await removeDefinitions()
    for (const side of sides) side.connection.close()
    for (const agent of agents) agent.destroy()
    await ours.close()
  })

  /** Takes away every definition of this proof, also those that an interrupted run left. */
  async function removeDefinitions(): Promise<void> {
    const { connection } = sides[0]
    for (let attempt = 0; attempt < 100; attempt++) {
      const list = await connection.call({ path: DEFINITIONS })
      const left = (list.json?.['items'] as Definition[]).filter(({ metadata }) => metadata.name.endsWith('.random.drydock.test'))
      if (left.length === 0) return
      for (const { metadata, spec } of left) {
        await release(connection, spec.group, spec.names.plural)
        if (metadata.deletionTimestamp === undefined) await connection.call({ method: 'DELETE', path: `${DEFINITIONS}/${metadata.name}` })
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    throw new Error('definitions of an earlier run do not go away')
  }

  /** Takes the finalizers off, which nobody else would. */
  async function release(connection: ApiConnection, group: string, plural: string): Promise<void> {
    const list = await connection.call({ path: `/apis/${group}/v1/${plural}` })
    for (const { metadata } of (list.json?.['items'] ?? []) as KubeObject[])
      if (metadata.finalizers !== undefined)
        await connection.call({
          method: 'PATCH',
          path: resourcePath({ group, version: 'v1', resource: plural }, metadata),
          headers: { 'content-type': 'application/merge-patch+json' },
          body: '{"metadata":{"finalizers":null}}',
        })
  }

  async function served(side: Side, kind: RandomKind): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      if ((await side.connection.call({ path: pathOf(kind) })).status === 200) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${kind.plural} is not served`)
  }

  function note(operation: Operation, real: unknown, own: unknown): void {
    const lines = differences(real, own)
    const reason = explained(operation, real, own, lines)
    if (reason !== null) {
      counts.explained.set(reason, (counts.explained.get(reason) ?? 0) + 1)
      return
    }
    const first =
      (lines[0] ?? '')
        .split('\n')[0]
        ?.replace(/\[\d+\]/g, '[]')
        .slice(0, 80) ?? ''
    const signature = `${operation.method} ${operation.contentType ?? ''} ${String((real as { status?: number }).status)}/${String((own as { status?: number }).status)} ${first}`
    const known = found.get(signature)
    if (known === undefined) found.set(signature, { count: 1, example: { operation: JSON.stringify(operation), lines } })
    else known.count += 1
  }

  async function step(operation: Operation): Promise<void> {
    const [real, own] = await both((side) => side.run(operation))
    counts.operations += 1
    counts.statuses.set(real.status, (counts.statuses.get(real.status) ?? 0) + 1)
    if (!deepEqual(real, own)) {
      note(operation, real, own)
      await resynchronize(operation)
    }
    await follow(operation)
  }

  /** After a difference the object goes, so that one cause is not counted for ever. */
  async function resynchronize({ about, path }: Operation): Promise<void> {
    const kind = kinds.find(({ plural }) => path.includes(`/${plural}`))
    if (kind === undefined) return
    const names = about === undefined ? OBJECTS : [about.split(' ')[1] ?? '']
    for (const name of names)
      await both(async (side) => {
        await side.connection.call({
          method: 'PATCH',
          path: pathOf(kind, name),
          headers: { 'content-type': 'application/merge-patch+json' },
          body: '{"metadata":{"finalizers":null}}',
        })
        await side.connection.call({ method: 'DELETE', path: pathOf(kind, name) })
      })
    disturbed = true
  }

  /** Reads on from a list's continue token, each side by its own. */
  async function follow(operation: Operation): Promise<void> {
    if (operation.method !== 'GET' || !operation.path.includes('limit=')) return
    for (let page = 0; page < 6; page++) {
      const answers = await both((side) => side.raw(operation))
      const tokens = answers.map(({ json }) => (isObject(json?.['metadata']) ? String(json['metadata']['continue'] ?? '') : ''))
      if (tokens.every((token) => token === '')) return
      const [real, own] = await Promise.all(
        sides.map((side, index) =>
          side.run({ method: 'GET', path: `${operation.path.replace(/&continue=.*/, '')}&continue=${encodeURIComponent(tokens[index] ?? '')}` }),
        ),
      )
      if (!deepEqual(real, own)) note({ method: 'GET', path: `${operation.path}&continue=…` }, real, own)
      return
    }
  }

  async function watches(kind: RandomKind, query: string): Promise<[Watched, Watched]> {
    const [first, second] = sides.map((side) => new Watched(side, `${pathOf(kind)}?watch=true&${query}`)) as [Watched, Watched]
    await Promise.all(
      [first, second].map((watched, index) => {
        const side = sides[index === 0 ? 0 : 1]
        const agent = new Agent({ keepAlive: false })
        agents.push(agent)
        const { certificate, key } = side.connection.credentials
        return watched.start({ ca: side.connection.ca, cert: certificate, key, agent })
      }),
    )
    return [first, second]
  }

  async function compareEvents(kind: RandomKind, pair: [Watched, Watched], query: string): Promise<void> {
    const [real, own] = pair
    await Promise.all([real.until(own.events.length, 2000), own.until(real.events.length, 2000)])
    counts.events += real.events.length
    const length = Math.max(real.events.length, own.events.length)
    for (let index = 0; index < length; index++)
      if (!deepEqual(real.events[index], own.events[index])) {
        note({ method: 'WATCH', path: `${pathOf(kind)}?${query}` }, real.events[index] ?? null, own.events[index] ?? null)
        break
      }
    real.stop()
    own.stop()
  }

  it(`answers ${String(ROUNDS)} random operations alike`, async () => {
    for (let round = 0; round < ROUNDS;) {
      const kind = kinds[random.below(kinds.length)] as RandomKind
      const live = await watches(kind, 'resourceVersion=0&allowWatchBookmarks=false')
      for (let count = 0; count < WATCH_EVERY && round < ROUNDS; count++, round++) await step(randomOperation(random, kind))
      if (disturbed) for (const watched of live) watched.stop()
      else await compareEvents(kind, live, 'resourceVersion=0')
      disturbed = false
      const initial = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=2'
      const pair = await watches(kind, initial)
      await Promise.all(pair.map((watched) => watched.until(1, 1000)))
      await compareEvents(kind, pair, initial)
    }
    report()
    expect([...found.keys()]).toEqual([])
  })

  function report(): void {
    const lines = [
      `operations ${String(counts.operations)}, events ${String(counts.events)}, answers ${[...counts.statuses]
        .sort(([a], [b]) => a - b)
        .map(([status, count]) => `${String(status)}: ${String(count)}`)
        .join(', ')}`,
      `definitions refused by one side or both: ${String(counts.refusedDefinitions)}`,
      `explained differences: ${[...counts.explained].map(([reason, count]) => `${String(count)} × ${reason}`).join('; ') || 'none'}`,
      `unexplained differences: ${String([...found.values()].reduce((sum, { count }) => sum + count, 0))}`,
      ...[...found]
        .sort(([, a], [, b]) => b.count - a.count)
        .slice(0, Number(process.env['DRYDOCK_SHOW'] ?? 40))
        .map(
          ([signature, { count, example }]) =>
            `${String(count)} × ${signature}\n  ${example.operation.slice(0, 900)}\n  ${example.lines
              .toSorted((a, b) => Number(b.includes('message')) - Number(a.includes('message')))
              .slice(0, 3)
              .join('\n  ')}`,
        ),
    ]
    process.stdout.write(`${lines.join('\n')}\n`)
  }
})
