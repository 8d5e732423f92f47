import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { Http1Connection, http1Request } from '#test/bench/load/http1Connection.ts'
import { makePki, startEmbedded, type Served } from '#test/bench/load/servers.ts'
import { MINIMAL_OBJECTS } from '#test/support/minimalObjects.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { Informer } from '#test/support/watchInformer.ts'

const ROUNDS = Number(process.env['DRYDOCK_ROUNDS'] ?? 200)
const SEED = Number(process.env['DRYDOCK_SEED'] ?? 1)
const WRITERS = 8
const NAMES = 12

/** What one writer was last told of an object; `pending` is what it had asked for when the server died. */
interface Told {
  path: string
  /** Null = it is not there. */
  value: string | null
  revision: number
  pending: { value: string | null } | null
}

interface Stored {
  metadata: { name: string; annotations?: Record<string, string>; resourceVersion: string }
}

const valueOf = (object: Stored): string => object.metadata.annotations?.['value'] ?? ''

async function ask(
  connection: Http1Connection,
  method: string,
  path: string,
  body?: object,
  type = 'application/json',
): Promise<{ status: number; body: unknown }> {
  const request = http1Request(method, path, body === undefined ? {} : { headers: { 'content-type': type }, body: JSON.stringify(body) })
  const answer = await connection.request(request, true)
  return { status: answer.status, body: answer.body === null || answer.body.length === 0 ? null : (JSON.parse(answer.body.toString('utf8')) as unknown) }
}

/** Creates, updates and deletes until the connection breaks. */
async function write(
  served: Served,
  told: Map<string, Told>,
  random: SeededRandom,
  { index, onWrite }: { index: number; onWrite: () => void },
): Promise<string | null> {
  // The server may be killed before it is asked for anything.
  const connection = await Http1Connection.open(served.api).catch(() => null)
  if (connection === null) return null
  for (let turn = 0; ; turn++) {
    const { path, object } = MINIMAL_OBJECTS[random.below(MINIMAL_OBJECTS.length)] as (typeof MINIMAL_OBJECTS)[number]
    const name = `kill-${String(index)}-${String(random.below(NAMES))}`
    const one = `${path}/${name}`
    const known: Told = told.get(one) ?? { path: one, value: null, revision: 0, pending: null }
    told.set(one, known)
    const removes = known.value !== null && random.next() < 0.25
    const value = removes
      ? null
      : createHash('sha256')
          .update(`${one} ${String(random.next())}`)
          .digest('hex')
    known.pending = { value }
    try {
      const metadata = { ...(object['metadata'] as object | undefined), name, annotations: { value } }
      const answer = removes
        ? await ask(connection, 'DELETE', `${one}?gracePeriodSeconds=0`)
        : known.value === null
          ? await ask(connection, 'POST', path, { ...object, metadata })
          : await ask(connection, 'PATCH', one, { metadata: { annotations: { value } } }, 'application/merge-patch+json')
      if (answer.status !== (known.value === null ? 201 : 200)) {
        connection.close()
        return `${removes ? 'DELETE' : known.value === null ? 'POST' : 'PATCH'} ${one}: ${String(answer.status)} ${JSON.stringify(answer.body)}`
      }
      known.value = value
      known.pending = null
      if (!removes) known.revision = Number((answer.body as Stored).metadata.resourceVersion)
      onWrite()
    } catch {
      return null
    }
  }
}

/** Every object is as it was told to be, or as the write that was under way would have made it. */
async function check(served: Served, told: Map<string, Told>): Promise<string[]> {
  const connection = await Http1Connection.open(served.api)
  const stored = new Map<string, Stored>()
  for (const { path } of MINIMAL_OBJECTS) {
    const { body } = await ask(connection, 'GET', path)
    for (const item of (body as { items: Stored[] }).items) stored.set(`${path}/${item.metadata.name}`, item)
  }
  connection.close()
  const problems: string[] = []
  for (const known of told.values()) {
    const object = stored.get(known.path)
    const found = object === undefined ? null : valueOf(object)
    const revision = object === undefined ? known.revision : Number(object.metadata.resourceVersion)
    const asTold = found === known.value && revision >= known.revision
    if (!asTold && !(known.pending !== null && found === known.pending.value))
      problems.push(`${known.path} is ${String(found)}, was told ${String(known.value)}`)
    known.value = found
    known.revision = revision
    known.pending = null
  }
  return problems
}

describe(`SIGKILL of the API server and its etcd, ${String(ROUNDS)} times, seed ${String(SEED)}`, () => {
  it(`loses no acknowledged write of ${String(MINIMAL_OBJECTS.length)} kinds, and watches resume without a gap`, async () => {
    const folder = temporaryDirectory('kill')
    const pki = makePki(join(folder, 'kubernetes'))
    const random = new SeededRandom(SEED)
    const told = new Map<string, Told>()
    const informers = MINIMAL_OBJECTS.map(({ path }) => new Informer(path))
    const problems: string[] = []
    let writes = 0
    for (let round = 0; round <= ROUNDS; round++) {
      const served = await startEmbedded(join(folder, 'data'), pki, { keep: true, version: 'v1.36.4' })
      problems.push(...(await check(served, told)))
      // From the version each had seen before the kill; what it then knows is what the server lists.
      await Promise.all(informers.map((informer) => informer.resume(served.api)))
      problems.push(...(await Promise.all(informers.map((informer) => informer.differences(served.api)))).flat())
      expect(problems, `round ${String(round)}`).toEqual([])
      if (round < ROUNDS) {
        let left = 1 + random.below(200)
        const reached = Promise.withResolvers<undefined>()
        const writers = Promise.all(
          Array.from({ length: WRITERS }, (_, index) =>
            write(served, told, new SeededRandom(random.below(2 ** 31)), {
              index,
              onWrite: () => {
                writes++
                if (--left === 0) reached.resolve(undefined)
              },
            }),
          ),
        )
        await Promise.race([reached.promise, writers])
        await served.kill()
        problems.push(...(await writers).filter((problem) => problem !== null))
      } else await served.end()
      for (const informer of informers) informer.pause()
    }
    process.stdout.write(`${String(writes)} acknowledged writes, ${String(informers.reduce((sum, { events }) => sum + events, 0))} events\n`)
    expect(writes).toBeGreaterThan(ROUNDS * 20)
  })
})
