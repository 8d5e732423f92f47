import type { Negotiated } from '../request/mediaType.ts'
import type { ApiRequest, ApiResponse } from '../request/apiRequest.ts'
import { JoinedBody } from '../request/joinedBody.ts'
import { encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { matchesFields, parseFieldSelector, type FieldRequirement } from '#shared/kubernetes/fieldSelector.ts'
import { matchesRequirements, parseLabelSelector, type Requirement } from '#shared/kubernetes/labelSelector.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import { groupVersion, type KubeObject } from '#shared/kubernetes/object.ts'
import { builtinPrinter, partialMetadata, toTable, type IncludeObject } from '#shared/kubernetes/printers/table.ts'
import type { Printer } from '#shared/kubernetes/printers/column.ts'
import { builtinSchema } from '#shared/kubernetes/schema/schema.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { stringify } from 'yaml'
import type { ApiResource } from '../registry/apiResources.ts'
import { fromStorage, prepareToRead } from '../registry/conversion.ts'
import { badRequest } from '../registry/failures.ts'
import type { RestStore } from '../registry/restStore.ts'
import { storedJson, type Entry } from '../storage/entry.ts'

/** Which objects of a collection a request means. */
export interface Selection {
  labels: Requirement[]
  fields: FieldRequirement[]
  /** Of a path with a name (`watch` of one object) or `fieldSelector=metadata.name=`. */
  name: string | null
  /** Of pods, `fieldSelector=spec.nodeName=`: every kubelet asks so. */
  node: string | null
}

/** @throws StatusError 400 */
export function parseSelection(resource: ApiResource, query: URLSearchParams, name: string): Selection {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '')
  if (labels.error !== undefined) throw badRequest(labels.error)
  const fields = parseFieldSelector(
    query.get('fieldSelector') ?? '',
    resource,
    resource.custom === undefined ? undefined : { fields: resource.custom.version.selectableFields, namespaced: resource.namespaced },
  )
  if (fields.error !== undefined) throw badRequest(fields.error)
  const named = fields.requirements.find(({ field, negated }) => field === 'metadata.name' && !negated)
  const bound =
    resource.group === '' && resource.plural === 'pods' ? fields.requirements.find(({ field, negated }) => field === 'spec.nodeName' && !negated) : undefined
  return { labels: labels.requirements, fields: fields.requirements, name: name !== '' ? name : (named?.value ?? null), node: bound?.value ?? null }
}

/** False when an entry surely is not selected, without reading its object: of thousands of entries and watches this leaves few to read. */
export function maybeSelected({ name, node }: Selection, entry: Entry): boolean {
  return (name === null || entry.key.endsWith(`/${name}`)) && (node === null || entry.node === undefined || entry.node === node)
}

/** @param object in the request's version, as field names are that version's */
export function isSelected(selection: Selection, object: KubeObject): boolean {
  if (selection.name !== null && object.metadata.name !== selection.name) return false
  return matchesRequirements(selection.labels, object.metadata.labels ?? {}) && matchesFields(selection.fields, object)
}

export const selectsAll = ({ labels, fields, name }: Selection): boolean => labels.length === 0 && fields.length === 0 && name === null

/** Whether stored objects are sent as they are. */
export const isStorageVersion = (resource: ApiResource): boolean =>
  resource.custom === undefined && resource.group === resource.storage.group && resource.version === resource.storage.version

/** An entry as JSON for a resource whose version is stored. What an older release wrote is converted until it is written again. */
export function storedForm(entry: Entry, resource: ApiResource): Uint8Array {
  return entry.apiVersion === groupVersion(resource) ? entry.json : Buffer.from(JSON.stringify(fromStorage(entry.object, resource)))
}

/** The same as an object: the store's own, when it needs no conversion. */
export function storedObject(entry: Entry, resource: ApiResource): KubeObject {
  return entry.apiVersion === groupVersion(resource) ? entry.object : fromStorage(entry.object, resource)
}

export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const wanted = query.get('includeObject') ?? 'Metadata'
  if (wanted === 'None' || wanted === 'Metadata' || wanted === 'Object') return wanted
  throw badRequest(`unrecognized includeObject value: ${wanted}`)
}

interface Continue {
  v: string
  rv: number
  start: string
}

function parseContinue(token: string): Continue {
  try {
    const parsed = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as Partial<Continue>
    if (parsed.v === 'meta.k8s.io/v1' && typeof parsed.rv === 'number' && typeof parsed.start === 'string')
      return { v: parsed.v, rv: parsed.rv, start: parsed.start }
  } catch {
    // Answered below, as any other token that is none.
  }
  throw badRequest('invalid continue token: continue key is not valid')
}

function checkVersion(query: URLSearchParams, revision: number): void {
  const text = query.get('resourceVersion') ?? ''
  if (text === '' || text === '0') return
  const wanted = Number(text)
  if (!Number.isSafeInteger(wanted) || wanted < 0)
    throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`)
  if (wanted > revision)
    throw new StatusError(
      failure(504, 'Timeout', `Timeout: Too large resource version: ${text}, current: ${String(revision)}`, {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      }),
    )
}

/** GET of a collection. */
export async function list(rest: RestStore, resource: ApiResource, namespace: string, request: ApiRequest, negotiated: Negotiated): Promise<ApiResponse> {
  const { query } = request
  const selection = parseSelection(resource, query, '')
  const token = query.get('continue') ?? ''
  const limit = Number(query.get('limit') ?? 0)
  // A list without a version shows every write that was acknowledged before it, also one made in etcd itself.
  if ((query.get('resourceVersion') ?? '') === '' && token === '') await rest.store.fresh(request.signal)
  checkVersion(query, rest.store.revision)
  if (token !== '' && (query.get('resourceVersion') ?? '0') !== '0') throw badRequest('specifying resource version is not allowed when using continue')
  const prefix = rest.prefixOf(resource, namespace)
  const from = token === '' ? null : parseContinue(token)
  const collection = rest.store.collection(resource.storagePrefix ?? '')
  const revision = from === null || from.rv < 0 ? rest.store.revision : from.rv
  const entries: Entry[] = []
  let next = ''
  let remaining = 0
  const everything = selectsAll(selection)
  const start = from === null ? prefix : `${prefix}${from.start}`
  const range = selection.node === null ? collection.range(prefix, start) : collection.rangeOnNode(selection.node, prefix, start)
  for (const entry of await readable(range, resource, request.signal)) {
    if (next !== '') {
      remaining++
      if (!everything) break
      continue
    }
    if (!everything && (!maybeSelected(selection, entry) || !isSelected(selection, fromStorage(entry.object, resource)))) continue
    entries.push(entry)
    if (limit > 0 && entries.length === limit)
      next = Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: `${entry.key.slice(prefix.length)}\0` })).toString('base64url')
  }
  const metadata: JsonObject = { resourceVersion: String(revision) }
  if (next !== '' && remaining > 0) {
    metadata['continue'] = next
    if (everything) metadata['remainingItemCount'] = remaining
  }
  return listResponse(entries, metadata, resource, rest.nowMs(), query, negotiated)
}

/** The entries as they are now, ready to be read in the resource's version. @throws StatusError 500 when their webhook fails */
export async function readable(entries: Iterable<Entry>, resource: ApiResource, signal: AbortSignal): Promise<Iterable<Entry>> {
  if (resource.custom?.isConvertedByWebhook !== true) return entries
  const all = [...entries]
  await prepareToRead(
    all.map(({ object }) => object),
    resource,
    signal,
  )
  return all
}

function listResponse(
  entries: readonly Entry[],
  metadata: JsonObject,
  resource: ApiResource,
  nowMs: number,
  query: URLSearchParams,
  negotiated: Negotiated,
): ApiResponse {
  const { as, version, encoding } = negotiated
  if (encoding === 'json' && as === '' && isStorageVersion(resource)) {
    const head = `{"kind":"${listKindOf(resource)}","apiVersion":"${groupVersion(resource)}","metadata":${JSON.stringify(metadata)},"items":[`
    const object = (): unknown => ({
      kind: listKindOf(resource),
      apiVersion: groupVersion(resource),
      metadata,
      items: entries.map((entry) => storedObject(entry, resource)),
    })
    const joined = entries.length === 0 ? new JoinedBody(head, [], ']}') : new JoinedBody(`${head}{`, untypedItems(entries, resource), ']}', ',{')
    return { status: 200, headers: { 'content-type': 'application/json' }, body: '', joined, object }
  }
  const objects = entries.map(({ object }) => fromStorage(object, resource))
  if (as === 'Table') return encoded(toTable(objects, printerOf(resource), { includeObject: includeObjectOf(query), version, nowMs, metadata }), negotiated)
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
    return encoded(
      { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${version}`, metadata, items: objects.map((object) => partialMetadata(object, version)) },
      negotiated,
    )
  // Lists of custom resources are Go's unstructured ones, which always have `continue`.
  const listMeta = resource.custom === undefined ? metadata : { continue: '', ...metadata }
  const items = resource.custom === undefined ? objects.map(withoutType) : objects
  return encoded({ kind: listKindOf(resource), apiVersion: groupVersion(resource), metadata: listMeta, items }, negotiated)
}

/** The kind of a built-in list's items is told once, by the list. */
function withoutType({ kind: _, apiVersion: __, ...object }: KubeObject): JsonObject {
  return object
}

/** The JSON of each item of a built-in list after its opening brace. */
function untypedItems(entries: readonly Entry[], resource: ApiResource): Uint8Array[] {
  const head = Buffer.from(`{"kind":"${resource.kind}","apiVersion":"${groupVersion(resource)}",`)
  return entries.map((entry) => {
    const json = storedForm(entry, resource)
    if (head.equals(json.subarray(0, head.length))) return json.subarray(head.length)
    return Buffer.from(JSON.stringify(withoutType(fromStorage(entry.object, resource)))).subarray(1)
  })
}

/** Kind of a resource's lists. */
export const listKindOf = ({ kind, listKind }: ApiResource): string => listKind ?? `${kind}List`

/** How a resource's objects are printed. */
export function printerOf({ kind, custom }: Pick<ApiResource, 'kind' | 'custom'>): Printer {
  return custom?.printer ?? builtinPrinter(kind)
}

/** A value in the negotiated encoding. */
export function encoded(value: object, { encoding }: Negotiated, status = 200): ApiResponse {
  if (encoding === 'yaml') return { status, headers: { 'content-type': 'application/yaml' }, body: stringify(value) }
  const object = value as KubeObject
  if (encoding === 'protobuf' && builtinSchema.typeOf(object.apiVersion ?? '', object.kind ?? '') !== null)
    return { status, headers: { 'content-type': 'application/vnd.kubernetes.protobuf' }, body: encodeProtobuf(object) }
  const stored = storedJson(value)
  const headers = { 'content-type': 'application/json' }
  return stored === undefined ? { status, headers, body: JSON.stringify(value) } : { status, headers, body: stored, object: () => value }
}

/** One object in the form that was asked for. */
export function objectResponse(
  object: KubeObject,
  resource: Pick<ApiResource, 'kind' | 'custom'>,
  nowMs: number,
  query: URLSearchParams,
  negotiated: Negotiated,
  status = 200,
): ApiResponse {
  const { as, version } = negotiated
  if (as === 'Table' && object.kind === resource.kind) {
    const metadata = { resourceVersion: object.metadata.resourceVersion ?? '' }
    return encoded(toTable([object], printerOf(resource), { includeObject: includeObjectOf(query), version, nowMs, metadata }), negotiated, status)
  }
  if (as === 'PartialObjectMetadata') return encoded(partialMetadata(object, version), negotiated, status)
  return encoded(object, negotiated, status)
}
