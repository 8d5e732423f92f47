import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { ApiAnswer, ApiConnection } from '../../support/apiConnection.ts'
import { identityOf, withOrderedManagers } from '../shownManagers.ts'

/** A request that both servers get; bodies that name a version or uid are made for each side from what it answered before. */
export interface Operation {
  method: string
  path: string
  contentType?: string
  /** `$rv` and `$uid` as values of metadata are replaced by the side's own. */
  body?: unknown
  /** Name of the object whose version and uid stand for `$rv` and `$uid`. */
  about?: string
  headers?: Record<string, string>
}

/** What an answer says, without what must differ between two servers: uids, versions, times. */
export interface Outcome {
  status: number
  body: unknown
  warnings: string[]
}

/** One of the two servers, with what it said of each object last. */
export class Side {
  readonly connection: ApiConnection
  readonly #known = new Map<string, { resourceVersion: string; uid: string }>()

  constructor(connection: ApiConnection) {
    this.connection = connection
  }

  async run(operation: Operation): Promise<Outcome> {
    const answer = await this.raw(operation)
    const body = this.normalized(answer.json ?? answer.text)
    const outcome: Outcome = {
      status: answer.status,
      // Upstream's merge walks a Go map: members that an object had not come in random order.
      body: operation.contentType === MERGE_PATCH && isObject(body) && body['kind'] === 'Status' ? withOrderedMembers(body) : body,
      warnings: warningsOf(answer),
    }
    this.remember(answer.json)
    return outcome
  }

  raw(operation: Operation): Promise<ApiAnswer> {
    const known = this.#known.get(operation.about ?? '')
    const filled = (value: unknown): unknown => {
      if (value === '$rv') return known?.resourceVersion ?? ''
      if (value === '$uid') return known?.uid ?? ''
      if (Array.isArray(value)) return value.map(filled)
      return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, filled(each)])) : value
    }
    return this.connection.call({
      method: operation.method,
      path: operation.path,
      headers: {
        'user-agent': 'conformance/1',
        ...(operation.contentType === undefined ? {} : { 'content-type': operation.contentType }),
        ...operation.headers,
      },
      ...(operation.body === undefined ? {} : { body: typeof operation.body === 'string' ? operation.body : JSON.stringify(filled(operation.body)) }),
    })
  }

  remember(json: JsonObject | null): void {
    const metadata = json?.['metadata']
    if (!isObject(metadata) || typeof metadata['name'] !== 'string' || typeof metadata['uid'] !== 'string') return
    this.#known.set(keyOf(json ?? {}), { resourceVersion: String(metadata['resourceVersion']), uid: metadata['uid'] })
  }

  /** The answer with versions told as `same` or `new`, uids and times as tokens, and lists of errors in one order. */
  normalized(value: unknown): unknown {
    if (typeof value === 'string') return value
    if (!isObject(value)) return value
    if (value['kind'] === 'Status') return normalizedStatus(value)
    if (Array.isArray(value['items']) || Array.isArray(value['rows'])) return this.#normalizedList(value)
    return this.#normalizedObject(value)
  }

  #normalizedList(value: JsonObject): unknown {
    const metadata = isObject(value['metadata']) ? { ...value['metadata'] } : {}
    if (metadata['resourceVersion'] !== undefined) metadata['resourceVersion'] = 'R'
    if (typeof metadata['continue'] === 'string')
      metadata['continue'] = Buffer.from(metadata['continue'], 'base64url')
        .toString('utf8')
        .replace(/"rv":-?\d+/, '"rv":R')
        .replace('"start":"/', '"start":"')
    const items = Array.isArray(value['items']) ? { items: value['items'].map((each) => (isObject(each) ? this.#normalizedObject(each) : each)) } : {}
    // The name's description is upstream's prose, which is not shipped.
    const columns = Array.isArray(value['columnDefinitions'])
      ? {
          columnDefinitions: value['columnDefinitions'].map((column: unknown) =>
            isObject(column) && column['name'] === 'Name' ? { ...column, description: '' } : column,
          ),
        }
      : {}
    const rows = Array.isArray(value['rows'])
      ? {
          rows: value['rows'].map((row) =>
            isObject(row) && isObject(row['object']) ? { ...row, object: this.#normalizedObject(row['object']), cells: ageless(row['cells']) } : row,
          ),
        }
      : {}
    return { ...value, metadata, ...items, ...columns, ...rows }
  }

  #normalizedObject(value: JsonObject): JsonObject {
    const metadata = isObject(value['metadata']) ? { ...value['metadata'] } : undefined
    if (metadata === undefined) return value
    const known = this.#known.get(keyOf(value))
    if (typeof metadata['resourceVersion'] === 'string') metadata['resourceVersion'] = known?.resourceVersion === metadata['resourceVersion'] ? 'same' : 'new'
    if (metadata['uid'] !== undefined) metadata['uid'] = known !== undefined && known.uid !== metadata['uid'] ? 'another' : 'U'
    for (const field of ['creationTimestamp', 'deletionTimestamp']) if (typeof metadata[field] === 'string') metadata[field] = 'T'
    if (Array.isArray(metadata['managedFields']))
      metadata['managedFields'] = metadata['managedFields']
        .filter(isObject)
        .map((entry) => ({ ...entry, ...(entry['time'] === undefined ? {} : { time: 'T' }) }))
        // The order is by time, which the two servers take at different moments.
        .sort((a, b) => (identityOf(a) < identityOf(b) ? -1 : 1))
    return { ...value, metadata }
  }
}

const MERGE_PATCH = 'application/merge-patch+json'

/** A refusal with the members of the object that its texts show in one order. */
function withOrderedMembers(status: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(status), (key, value: unknown) => {
    if (key !== 'message' || typeof value !== 'string') return value
    return value.replace(/(?<=Invalid value: )"\{(?:[^"\\]|\\.)*"/, (quoted) =>
      JSON.stringify(JSON.stringify(ordered(JSON.parse(JSON.parse(quoted) as string)))),
    )
  }) as JsonObject
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, ordered(value[name])]),
  )
}

export function keyOf(object: JsonObject): string {
  const metadata = isObject(object['metadata']) ? object['metadata'] : {}
  return `${String(object['kind'])} ${String(metadata['name'])}`
}

function warningsOf({ headers }: ApiAnswer): string[] {
  const warning = headers['warning']
  return (Array.isArray(warning) ? warning : warning === undefined ? [] : String(warning).split(/, (?=299 )/))
    .map((each) => each.replace(/ "[A-Z][a-z]{2}, .*"$/, ''))
    .sort()
}

const ageless = (cells: unknown): unknown =>
  Array.isArray(cells) ? cells.map((cell) => (typeof cell === 'string' && /^(?:\d+[smhdy])+$/.test(cell) ? 'AGE' : cell)) : cells

/** Go tells errors of maps in random order: the causes say all, sorted. */
function normalizedStatus(status: JsonObject): JsonObject {
  const details = isObject(status['details']) ? { ...status['details'] } : undefined
  if (details?.['uid'] !== undefined) details['uid'] = 'U'
  let message = withOrderedManagers(String(status['message'] ?? ''))
  const causes = details !== undefined && Array.isArray(details['causes']) ? details['causes'].filter(isObject) : []
  if (details !== undefined && causes.length > 0) {
    const ordered = causes.map((cause) => ({ ...cause, message: withOrderedManagers(String(cause['message'])) }))
    const sorted = ordered.map((cause) => JSON.stringify(Object.fromEntries(Object.entries(cause).sort()))).sort()
    details['causes'] = sorted.map((text) => JSON.parse(inner(text)) as unknown)
    if (status['reason'] === 'Invalid' && causes.length > 1) message = message.replace(/ is invalid: .*$/s, ' is invalid: …')
  }
  if (message.startsWith('failed to create typed patch object')) message = typedMessage(message)
  message = inner(message)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'U')
    .replace(/too old resource version: \d+ \(\d+\)/, 'too old resource version: R (R)')
    .replace(/Too large resource version: \d+, current: \d+/, 'Too large resource version: R, current: R')
    .replace(/selfType\d+/g, 'selfType')
    .replace(/ResourceVersion in record \(\d+\)/, 'ResourceVersion in record (R)')
  return { ...status, message, ...(details === undefined ? {} : { details }) }
}

/** Of an object that is shown within a text: without its times, version and uid. */
function inner(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(?=\\)/g, 'T')
    .replace(/(resourceVersion\\+":\\+")\d+/g, '$1R')
    .replace(/(uid\\+":\\+")[-0-9a-f]+/g, '$1U')
}

/** Go walks maps in random order, and leaves off at the first field that its schema does not know. */
function typedMessage(message: string): string {
  const undeclared = message.includes('field not declared in schema')
  return undeclared ? message.replace(/\): .*$/s, '): field not declared in schema') : message.split('\n').sort().join('\n')
}

/** Where two values differ, one line each. */
export function differences(real: unknown, ours: unknown, path = ''): string[] {
  if (Array.isArray(real) && Array.isArray(ours) && real.length === ours.length)
    return real.flatMap((each, index) => differences(each, ours[index], `${path}[${String(index)}]`))
  if (isObject(real) && isObject(ours))
    return [...new Set([...Object.keys(real), ...Object.keys(ours)])].flatMap((key) => differences(real[key], ours[key], `${path}.${key}`))
  const [first, second] = [String(JSON.stringify(real)), String(JSON.stringify(ours))]
  if (first === second) return []
  // Texts that show whole objects are alike for a long way.
  let parting = 0
  while (parting < first.length && first[parting] === second[parting]) parting += 1
  const from = Math.max(0, parting - 200)
  return [`${path}\n      real ${first.slice(from, from + 700)}\n      ours ${second.slice(from, from + 700)}`]
}
