import type { Clock } from '#shared/base/clock.ts'
import { untilEnded } from '#shared/base/untilEnded.ts'
import { groupVersion, type KubeObject } from '#shared/kubernetes/object.ts'
import { partialMetadata, toTable } from '#shared/kubernetes/printers/table.ts'
import { failure, StatusError, type Status } from '#shared/kubernetes/status.ts'
import type { WatchedObject } from '#shared/kubernetes/transport.ts'
import { invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import type { Instruments } from '../metrics/releaseInstruments.ts'
import type { ApiRequest, ApiResponse } from '../request/apiRequest.ts'
import type { Negotiated } from '../request/mediaType.ts'
import { isTrue } from '../request/requestInfo.ts'
import type { ApiResource } from '../registry/apiResources.ts'
import { fromStorage, prepareToRead } from '../registry/conversion.ts'
import { badRequest } from '../registry/failures.ts'
import type { RestStore } from '../registry/restStore.ts'
import type { Collection, StoreEvent } from '../storage/collection.ts'
import type { Entry } from '../storage/entry.ts'
import { EventQueue, type Batching } from './eventQueue.ts'
import {
  includeObjectOf,
  isSelected,
  isStorageVersion,
  maybeSelected,
  parseSelection,
  printerOf,
  selectsAll,
  storedForm,
  storedObject,
  type Selection,
} from './listing.ts'

const BOOKMARK_MS = 60_000
const DEFAULT_TIMEOUT_MS = 30 * 60_000
/** What an object counts for beside lines. */
const OBJECT_BYTES = 1024
const LINE_END = Buffer.from('}\n')

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'

/** Makes what a watch tells of an event. */
interface EventForm<Item> {
  line(type: EventType, entry: Entry): Item
  /** Of a change, made once for all watches that want it alike. */
  shared(type: EventType, event: StoreEvent, collection: Collection): Item
  object(type: EventType, object: KubeObject): Item
  bookmark(revision: number, initialEnd: boolean): Item
  error(status: Status): Item
}

/** The store's own objects, for who changes none of them. */
class SharedEvents implements EventForm<WatchedObject> {
  readonly #resource: ApiResource

  constructor(resource: ApiResource) {
    this.#resource = resource
  }

  line(type: EventType, entry: Entry): WatchedObject {
    return { type, object: storedObject(entry, this.#resource) }
  }

  shared(type: EventType, { entry }: StoreEvent): WatchedObject {
    return this.line(type, entry)
  }

  object(type: EventType, object: KubeObject): WatchedObject {
    return { type, object }
  }

  bookmark(revision: number, initialEnd: boolean): WatchedObject {
    return { type: 'BOOKMARK', object: bookmarkOf(this.#resource, revision, initialEnd) }
  }

  error(status: Status): WatchedObject {
    return { type: 'ERROR', object: status }
  }
}

function bookmarkOf(resource: ApiResource, revision: number, initialEnd: boolean): KubeObject {
  const metadata = {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
  }
  return { kind: resource.kind, apiVersion: groupVersion(resource), metadata }
}

/** What a watch writes for an event, in the form that was asked for. */
class EventWriter implements EventForm<Uint8Array> {
  readonly #resource: ApiResource
  readonly #negotiated: Negotiated
  readonly #request: ApiRequest
  readonly #nowMs: () => number
  readonly #asStored: boolean
  /** Names what else the bytes depend on besides the event and its type. */
  readonly #form: string
  #columnsSent = false

  constructor(resource: ApiResource, negotiated: Negotiated, request: ApiRequest, nowMs: () => number) {
    this.#resource = resource
    this.#negotiated = negotiated
    this.#request = request
    this.#nowMs = nowMs
    // A wrong value is answered before the watch begins.
    if (negotiated.as === 'Table') includeObjectOf(request.query)
    this.#asStored = negotiated.as === '' && isStorageVersion(resource)
    this.#form = [groupVersion(resource), negotiated.as, negotiated.version, request.query.get('includeObject') ?? ''].join(' ')
  }

  line(type: EventType, entry: Entry): Uint8Array {
    if (this.#asStored) return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), storedForm(entry, this.#resource), LINE_END])
    return this.object(type, fromStorage(entry.object, this.#resource))
  }

  /** A change's line, made once for all watches that want it alike. */
  shared(type: EventType, event: StoreEvent, collection: Collection): Uint8Array {
    const columns = this.#negotiated.as === 'Table' && !this.#columnsSent
    if (columns) return this.line(type, event.entry)
    return collection.shared(event, `${type} ${this.#form}`, () => this.line(type, event.entry))
  }

  object(type: EventType, object: KubeObject): Uint8Array {
    return Buffer.from(`${JSON.stringify({ type, object: this.#formed(object, type) })}\n`)
  }

  bookmark(revision: number, initialEnd: boolean): Uint8Array {
    return this.object('BOOKMARK', bookmarkOf(this.#resource, revision, initialEnd))
  }

  error(status: Status): Uint8Array {
    return Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)
  }

  #formed(object: KubeObject, type: EventType): object {
    const { as, version } = this.#negotiated
    if (as === 'Table') {
      const withColumns = !this.#columnsSent
      this.#columnsSent = true
      const table = toTable([object], printerOf(this.#resource), {
        includeObject: includeObjectOf(this.#request.query),
        version,
        nowMs: this.#nowMs(),
        metadata: { resourceVersion: object.metadata.resourceVersion ?? '' },
        withColumns,
      })
      return type === 'BOOKMARK' ? { ...table, rows: [{ cells: [], object: partialMetadata(object, version) }] } : table
    }
    return as === '' ? object : partialMetadata(object, version)
  }
}

const linesOf = (collection: Collection): Batching<Uint8Array, Uint8Array> => ({ sizeOf: ({ length }) => length, join: (lines) => collection.joined(lines) })
const OBJECTS: Batching<WatchedObject, readonly WatchedObject[]> = { sizeOf: () => OBJECT_BYTES, join: (objects) => objects }

/** The type a selector makes of a change, null when it is not seen. */
function visibleType(event: StoreEvent, selection: Selection, resource: ApiResource): EventType | null {
  if (selectsAll(selection)) return event.type
  const { entry, previous } = event
  const is = event.type !== 'DELETED' && maybeSelected(selection, entry) && isSelected(selection, fromStorage(entry.object, resource))
  const was = previous !== null && maybeSelected(selection, previous) && isSelected(selection, fromStorage(previous.object, resource))
  return is ? (was ? 'MODIFIED' : 'ADDED') : was ? 'DELETED' : null
}

/** What came after a revision: from etcd as far as the history does not reach back, then from there. Null when it is gone. */
function missedSince(collection: Collection, since: number, earlier: { events: StoreEvent[]; through: number } | null): StoreEvent[] | null {
  const later = earlier === null ? null : collection.since(Math.max(since, earlier.through))
  return later === null ? null : [...(earlier?.events ?? []), ...later]
}

/** GET with `watch`: events as lines until the client goes, the timeout passes or the server closes. */
export async function watch(
  rest: RestStore,
  resource: ApiResource,
  target: { namespace: string; name: string },
  request: ApiRequest,
  negotiated: Negotiated,
  { clock, instruments }: { clock: Clock; instruments: Instruments },
): Promise<ApiResponse> {
  const answer = { status: 200, headers: { 'content-type': 'application/json' }, body: '' }
  const asked = { rest, resource, target, request, clock, instruments }
  if (request.shares === true && negotiated.as === '' && isStorageVersion(resource))
    return { ...answer, events: await follow(asked, new SharedEvents(resource), OBJECTS) }
  const lines = linesOf(rest.store.collection(resource.storagePrefix ?? ''))
  return { ...answer, stream: await follow(asked, new EventWriter(resource, negotiated, request, () => rest.nowMs()), lines) }
}

interface Asked {
  rest: RestStore
  resource: ApiResource
  target: { namespace: string; name: string }
  request: ApiRequest
  clock: Clock
  instruments: Instruments
}

async function follow<Item, Batch>(
  { rest, resource, target, request, clock, instruments }: Asked,
  writer: EventForm<Item>,
  batching: Batching<Item, Batch>,
): Promise<AsyncGenerator<Batch>> {
  const { query, signal } = request
  const selection = parseSelection(resource, query, target.name)
  const initialEvents = query.get('sendInitialEvents')
  if (isTrue(initialEvents) && query.get('resourceVersionMatch') !== 'NotOlderThan')
    throw new StatusError(
      invalidStatus({ group: 'meta.k8s.io', kind: 'ListOptions', name: '' }, [
        { type: 'Forbidden', field: 'resourceVersionMatch', value: '', detail: 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan' },
      ]),
    )
  const text = query.get('resourceVersion') ?? ''
  const since = Number(text === '' ? 0 : text)
  if (!Number.isSafeInteger(since) || since < 0) throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}`)
  if (text === '' && initialEvents !== null) await rest.store.fresh(signal)
  const collection = rest.store.collection(resource.storagePrefix ?? '')
  const prefix = rest.prefixOf(resource, target.namespace)
  const bookmarks = isTrue(query.get('allowWatchBookmarks'))
  const fromNow = since === 0 || isTrue(initialEvents)
  const lineOf = (event: StoreEvent): Item | null => {
    if (event.revision <= since || !event.entry.key.startsWith(prefix)) return null
    const type = visibleType(event, selection, resource)
    if (type === null) return null
    if (type !== 'DELETED' || event.type === 'DELETED' || event.previous === null) return writer.shared(type, event, collection)
    // An object that left the selection is told as it was last seen in it, at the revision of the change.
    const { object } = event.previous
    const left = fromStorage(object, resource)
    return writer.object('DELETED', { ...left, metadata: { ...left.metadata, resourceVersion: String(event.revision) } })
  }
  // What there is to tell of now, though it is read later.
  const earlier =
    !fromNow && since < collection.oldestRevision ? await rest.store.earlier(resource.storagePrefix ?? '', since, signal) : { events: [], through: since }
  const now = selection.node === null ? collection.range(prefix) : collection.rangeOnNode(selection.node, prefix)
  const present = fromNow && initialEvents !== 'false' ? [...now] : []
  const missed = fromNow ? [] : missedSince(collection, since, earlier)
  const { revision } = rest.store
  function* initial(): Generator<Item> {
    for (const entry of present)
      if (selectsAll(selection) || (maybeSelected(selection, entry) && isSelected(selection, fromStorage(entry.object, resource))))
        yield writer.line('ADDED', entry)
    if (isTrue(initialEvents) && bookmarks) yield writer.bookmark(revision, true)
    for (const event of missed ?? []) {
      const line = lineOf(event)
      if (line !== null) yield line
    }
  }
  const { group, version, kind, plural } = resource
  const told = [group, version, kind, plural]
  const [events, sizes] = [instruments.watchEvents.series(told), instruments.watchEventSizes.series(told)]
  const queue = new EventQueue(initial(), batching, (item) => {
    events.value += 1
    if (item instanceof Uint8Array) sizes.observe(item.length)
  })
  const send = (event: StoreEvent): void => {
    const line = lineOf(event)
    if (line !== null) queue.push(line)
  }
  const isConverted = resource.custom?.isConvertedByWebhook === true
  let converting = isConverted ? prepareToRead([...present.map(({ object }) => object), ...(missed ?? []).flatMap(objectsOf)], resource, signal) : null
  const sendConverted = (event: StoreEvent): void => {
    converting = (converting ?? Promise.resolve())
      .then(() => prepareToRead(objectsOf(event), resource, signal))
      .then(() => {
        send(event)
      })
      .catch((error: unknown) => {
        if (error instanceof StatusError) queue.push(writer.error(error.status))
        queue.end()
      })
  }
  if (missed === null) {
    queue.push(writer.error(failure(410, 'Expired', `too old resource version: ${String(since)} (${String(collection.oldestRevision)})`)))
    queue.end()
  }
  const watchers = instruments.registeredWatchers.series(told)
  watchers.value += 1
  const onEvent = isConverted ? sendConverted : send
  const stops = [
    listen(collection, { selection, prefix, isOneNamespace: !resource.namespaced || target.namespace !== '' }, onEvent),
    () => {
      watchers.value -= 1
    },
  ]
  const timeoutMs = Number(query.get('timeoutSeconds') ?? 0) * 1000 || DEFAULT_TIMEOUT_MS
  stops.push(
    clock.schedule(timeoutMs, () => {
      queue.end()
    }),
  )
  if (bookmarks)
    stops.push(
      repeat(clock, BOOKMARK_MS, () => {
        queue.push(writer.bookmark(rest.store.revision, false))
      }),
    )
  const onAbort = (): void => {
    queue.end()
  }
  const signals = resource.custom === undefined ? [signal] : [signal, resource.custom.ended]
  for (const each of signals) {
    each.addEventListener('abort', onAbort, { once: true })
    if (each.aborted) onAbort()
  }
  stops.push(() => {
    for (const each of signals) each.removeEventListener('abort', onAbort)
  })
  const stop = (): void => {
    for (const each of stops) each()
  }
  try {
    // What happens meanwhile waits in the queue.
    await converting
  } catch (error) {
    stop()
    throw error
  }
  return untilEnded(queue.read(), stop)
}

/** Of events that the selection may mean, without asking it about each of the others. */
function listen(
  collection: Collection,
  { selection: { name, node }, prefix, isOneNamespace }: { selection: Selection; prefix: string; isOneNamespace: boolean },
  listener: (event: StoreEvent) => void,
): () => void {
  if (name !== null && isOneNamespace) return collection.onEventOfKey(`${prefix}${name}`, listener)
  return node === null ? collection.onEvent(listener) : collection.onEventOfNode(node, listener)
}

const objectsOf = ({ entry, previous }: StoreEvent): KubeObject[] => [entry.object, ...(previous === null ? [] : [previous.object])]

function repeat(clock: Clock, everyMs: number, action: () => void): () => void {
  let cancel = clock.schedule(everyMs, tick)
  function tick(): void {
    action()
    cancel = clock.schedule(everyMs, tick)
  }
  return () => {
    cancel()
  }
}
