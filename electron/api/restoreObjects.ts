import { stringify } from 'yaml'
import type { ObjectKey, RestoredItem, RestoreItem } from '#shared/contract/compare.ts'
import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import { deepEqual } from '#shared/kubernetes/json.ts'
import { resourcePath, type KubeObject } from '#shared/kubernetes/object.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { comparable } from '#shared/planning/compare/noise.ts'
import { cleaned, reasonToLeaveOut } from '#shared/planning/restore/cleaned.ts'
import { inOrder } from '#shared/planning/restore/order.ts'
import { referencesOf } from '#shared/planning/restore/references.ts'
import { requestJson } from '../client/apiRequest.ts'
import { objectOrNull } from '../clusters/allObjects.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'

const MANAGER = 'drydock-restore'

/** An object to be made, and under which key. */
export interface Chosen {
  key: ObjectKey
  /** As it is in the source; null where it is not. */
  source: KubeObject | null
}

/** The contract's namespace `restore`: chosen objects of one cluster made again in another. */
export function restoreHandlers(registry: ClusterRegistry): {
  requests: Pick<RequestHandlers, 'restore.plan'>
  subscriptions: Pick<SubscriptionHandlers, 'restore.run'>
} {
  const transport = (id: string): Transport => registry.session(id).transport
  return {
    requests: {
      'restore.plan': async ({ from, to, objects }, { signal }) => planRestore(transport(from), transport(to), { objects, signal }),
    },
    subscriptions: {
      'restore.run': async function* ({ from, to, objects, overwrite }, { signal }) {
        registry.requireWritable(to)
        yield* runRestore(transport(from), transport(to), { objects, overwrite, signal })
      },
    },
  }
}

async function chosenFrom(from: Transport, objects: readonly ObjectKey[], signal: AbortSignal): Promise<Chosen[]> {
  const chosen: Chosen[] = []
  for (const key of objects) chosen.push({ key, source: await objectOrNull(from, key, { ...key, signal }) })
  const byObject = new Map(chosen.map((each) => [each.source, each]))
  const ordered = inOrder(chosen.flatMap(({ source }) => (source === null ? [] : [source]))).flatMap((source) => byObject.get(source) ?? [])
  return [...ordered, ...chosen.filter(({ source }) => source === null)]
}

/** What restoring would do. Nothing is changed: the target is asked by a server-side dry run. */
export async function planRestore(
  from: Transport,
  to: Transport,
  { objects, signal }: { objects: readonly ObjectKey[]; signal: AbortSignal },
): Promise<RestoreItem[]> {
  const chosen = await chosenFrom(from, objects, signal)
  const chosenKeys = new Set(objects.map(({ group, resource, namespace, name }) => `${group}/${resource}/${namespace}/${name}`))
  const newNamespaces = new Set<string>()
  const items: RestoreItem[] = []
  for (const { key, source } of chosen) {
    if (source === null) {
      items.push({ ...key, kind: '', state: 'left-out', message: 'it is not in the source', yaml: '', requires: [] })
      continue
    }
    const leftOut = reasonToLeaveOut(source)
    const wanted = cleaned(source)
    const requires: RestoreItem['requires'] = []
    for (const reference of leftOut === null ? referencesOf(source) : []) {
      const gvr = { ...reference, version: REFERENCED_VERSION }
      const where = chosenKeys.has(`${reference.group}/${reference.resource}/${reference.namespace}/${reference.name}`)
        ? 'chosen'
        : (await present(to, gvr, signal))
          ? 'target'
          : (await present(from, gvr, signal))
            ? 'source'
            : 'nowhere'
      requires.push({ ...reference, where })
    }
    const base = { ...key, kind: source.kind ?? '', yaml: stringify(wanted, { lineWidth: 0 }), requires }
    if (leftOut !== null) items.push({ ...base, state: 'left-out', message: leftOut })
    else items.push({ ...base, ...(await judged(to, { key, source, wanted, newNamespaces, signal })) })
    if (source.kind === 'Namespace' && items.at(-1)?.state === 'new') newNamespaces.add(key.name)
  }
  return items
}

async function judged(
  to: Transport,
  {
    key,
    source,
    wanted,
    newNamespaces,
    signal,
  }: { key: ObjectKey; source: KubeObject; wanted: KubeObject; newNamespaces: ReadonlySet<string>; signal: AbortSignal },
): Promise<Pick<RestoreItem, 'state' | 'message'>> {
  const there = await objectOrNull(to, key, { ...key, signal })
  if (there !== null && deepEqual(essence(there), essence(source))) return { state: 'same', message: 'it is there already' }
  // A dry run in a namespace that is only going to be made would be refused for that alone.
  if (newNamespaces.has(key.namespace)) return { state: 'new', message: `will be made once the namespace ${key.namespace} is there` }
  try {
    if (there === null) await create(to, { key, wanted, dryRun: true, signal })
    else await replace(to, { key, wanted, there, dryRun: true, signal })
    return there === null ? { state: 'new', message: 'will be made' } : { state: 'exists', message: 'is there and differs' }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return { state: 'invalid', message: error.message }
  }
}

/** Makes the chosen objects in order. One that fails does not keep the others from being made; each outcome is told. */
export async function* runRestore(
  from: Transport,
  to: Transport,
  { objects, overwrite, signal }: { objects: readonly ObjectKey[]; overwrite: boolean; signal: AbortSignal },
): AsyncGenerator<{ items: RestoredItem[]; done: boolean }> {
  yield* makeObjects(to, await chosenFrom(from, objects, signal), { overwrite, signal })
}

/** Makes objects one after the other. One that fails does not keep the others from being made; each outcome is told. */
export async function* makeObjects(
  to: Transport,
  chosen: readonly Chosen[],
  { overwrite, signal, dryRun = false }: { overwrite: boolean; signal: AbortSignal; dryRun?: boolean },
): AsyncGenerator<{ items: RestoredItem[]; done: boolean }> {
  const items = chosen.map(({ key, source }): RestoredItem => ({ ...key, kind: source?.kind ?? '', outcome: 'pending', message: '' }))
  yield { items: [...items], done: items.length === 0 }
  /** Of a dry run: objects in these would be refused for that alone. */
  const newNamespaces = new Set<string>()
  for (const [index, { key, source }] of chosen.entries()) {
    const item = items[index]
    if (item === undefined) continue
    const waits = newNamespaces.has(key.namespace)
    const outcome = waits
      ? ({ outcome: 'created', message: `will be made once the namespace ${key.namespace} is there` } as const)
      : await restoreOne(to, { key, source, overwrite, dryRun, signal })
    items[index] = { ...item, ...outcome }
    if (dryRun && source?.kind === 'Namespace' && outcome.outcome === 'created') newNamespaces.add(key.name)
    yield { items: [...items], done: index === chosen.length - 1 }
  }
}

async function restoreOne(
  to: Transport,
  { key, source, overwrite, dryRun, signal }: { key: ObjectKey; source: KubeObject | null; overwrite: boolean; dryRun: boolean; signal: AbortSignal },
): Promise<Pick<RestoredItem, 'outcome' | 'message'>> {
  if (source === null) return { outcome: 'skipped', message: 'it is not in the source' }
  const leftOut = reasonToLeaveOut(source)
  if (leftOut !== null) return { outcome: 'skipped', message: leftOut }
  const wanted = cleaned(source)
  try {
    const there = await objectOrNull(to, key, { ...key, signal })
    if (there === null) {
      await create(to, { key, wanted, dryRun, signal })
      return { outcome: 'created', message: '' }
    }
    if (deepEqual(essence(there), essence(source))) return { outcome: 'unchanged', message: 'it was there already' }
    if (!overwrite) return { outcome: 'skipped', message: 'is there and differs; it was left as it is' }
    await replace(to, { key, wanted, there, dryRun, signal })
    return { outcome: 'replaced', message: '' }
  } catch (error) {
    signal.throwIfAborted()
    return { outcome: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
}

/** What makes two copies the same: all that people wrote. */
const essence = (object: KubeObject): KubeObject => comparable(cleaned(object))

interface Write {
  key: ObjectKey
  wanted: KubeObject
  dryRun: boolean
  signal: AbortSignal
}

function create(to: Transport, { key, wanted, dryRun, signal }: Write): Promise<KubeObject> {
  return requestJson(to, {
    method: 'POST',
    path: `${resourcePath(key, { namespace: key.namespace })}?fieldManager=${MANAGER}${dryRun ? '&dryRun=All' : ''}`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(wanted),
    signal,
  })
}

/** A whole update at the revision that was seen: what somebody changes meanwhile is not lost silently. */
function replace(to: Transport, { key, wanted, there, dryRun, signal }: Write & { there: KubeObject }): Promise<KubeObject> {
  const body: KubeObject = {
    ...wanted,
    metadata: { ...wanted.metadata, ...(there.metadata.resourceVersion === undefined ? {} : { resourceVersion: there.metadata.resourceVersion }) },
  }
  // Addresses and bindings are the target's own and may not change.
  for (const field of ['clusterIP', 'clusterIPs', 'healthCheckNodePort', 'volumeName', 'nodeName', 'selector'] as const) {
    const [spec, former] = [body['spec'], there['spec']] as [Record<string, unknown> | undefined, Record<string, unknown> | undefined]
    if (spec !== undefined && former?.[field] !== undefined && spec[field] === undefined) spec[field] = former[field]
  }
  return requestJson(to, {
    method: 'PUT',
    path: `${resourcePath(key, { namespace: key.namespace, name: key.name })}?fieldManager=${MANAGER}${dryRun ? '&dryRun=All' : ''}`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
}

async function present(transport: Transport, key: ObjectKey, signal: AbortSignal): Promise<boolean> {
  return (await objectOrNull(transport, key, { ...key, signal })) !== null
}

/** Every kind that is referred to has been in a v1 since 1.14 or longer. */
const REFERENCED_VERSION = 'v1'
