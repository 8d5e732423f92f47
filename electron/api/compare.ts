import { stringify } from 'yaml'
import type { ComparedObject, Comparison } from '#shared/contract/compare.ts'
import type { RequestHandlers } from '#shared/contract/contract.ts'
import { deepEqual } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { fieldChanges } from '#shared/planning/compare/fieldChanges.ts'
import { comparable, isRestless } from '#shared/planning/compare/noise.ts'
import { listedResources, objectOrNull, objectsOf, type ListedResource } from '../clusters/allObjects.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'

/** The contract's namespace `compare`: two clusters, each read over its Kubernetes API. */
export function compareHandlers(registry: ClusterRegistry): Pick<RequestHandlers, 'compare.objects' | 'compare.fields'> {
  const transport = (id: string): Transport => registry.session(id).transport
  return {
    'compare.objects': ({ before, after, namespace }, { signal }) => compareClusters(transport(before), transport(after), { namespace, signal }),
    'compare.fields': async ({ before, after, object, status }, { signal }) => {
      const [old, now] = await Promise.all([before, after].map((id) => objectOrNull(transport(id), object, { ...object, signal })))
      const shown = (each: KubeObject | null | undefined): KubeObject | null => (each == null ? null : comparable(each, { status: status ?? false }))
      const [left, right] = [shown(old), shown(now)]
      const yaml = (value: unknown): string | null => (value === undefined ? null : stringify(value, { lineWidth: 0 }).trimEnd())
      return {
        fields: fieldChanges(left, right).map((change) => ({ path: change.path, before: yaml(change.before), after: yaml(change.after) })),
        before: left === null ? '' : stringify(left, { lineWidth: 0 }),
        after: right === null ? '' : stringify(right, { lineWidth: 0 }),
      }
    },
  }
}

/** What has happened from one cluster to another: kinds one after the other, so that memory holds one kind of each. */
export async function compareClusters(
  before: Transport,
  after: Transport,
  { namespace, signal }: { namespace?: string | undefined; signal: AbortSignal },
): Promise<Comparison> {
  const [left, right] = await Promise.all([listedResources(before, signal), listedResources(after, signal)])
  const result: Comparison = { objects: [], same: 0, notCompared: [...left.failed, ...right.failed] }
  const key = ({ group, resource }: ListedResource): string => `${group}/${resource}`
  const former = new Map(left.resources.map((resource) => [key(resource), resource]))
  const pairs: { old: ListedResource | undefined; now: ListedResource | undefined }[] = right.resources.map((now) => ({ old: former.get(key(now)), now }))
  const current = new Set(right.resources.map(key))
  // What only the former cluster serves (a custom resource whose definition is gone) is all removed.
  for (const old of left.resources) if (!current.has(key(old))) pairs.push({ old, now: undefined })
  for (const { old, now } of pairs) {
    const resource = now ?? old
    if (resource === undefined || (namespace !== undefined && namespace !== '' && !resource.namespaced)) continue
    try {
      await compareKind({ transport: before, resource: old }, { transport: after, resource: now }, { namespace, signal, result })
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      result.notCompared.push({ resource: resource.resource, why: error.message })
    }
  }
  return result
}

interface Side {
  transport: Transport
  resource: ListedResource | undefined
}

async function compareKind(
  before: Side,
  after: Side,
  { namespace, signal, result }: { namespace: string | undefined; signal: AbortSignal; result: Comparison },
): Promise<void> {
  const old = new Map<string, KubeObject>()
  const id = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`
  if (before.resource !== undefined) for await (const object of objectsOf(before.transport, before.resource, { namespace, signal })) old.set(id(object), object)
  const resource = after.resource ?? before.resource
  if (resource === undefined) return
  const add = (object: KubeObject, change: ComparedObject['change'], noise: boolean): void => {
    const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true)
    const { group, version, resource: plural, kind } = resource
    result.objects.push({
      group,
      version,
      resource: plural,
      kind,
      namespace: object.metadata.namespace ?? '',
      name: object.metadata.name ?? '',
      change,
      noise: noise || isRestless(plural),
      owner: owner === undefined ? '' : `${owner.kind} ${owner.name}`,
    })
  }
  if (after.resource !== undefined)
    for await (const object of objectsOf(after.transport, after.resource, { namespace, signal })) {
      const former = old.get(id(object))
      old.delete(id(object))
      if (former === undefined) add(object, 'added', false)
      else if (former.metadata.resourceVersion === object.metadata.resourceVersion && former.metadata.uid === object.metadata.uid) result.same++
      else if (!deepEqual(comparable(former), comparable(object))) add(object, 'changed', false)
      else if (!deepEqual(former['status'], object['status'])) add(object, 'changed', true)
      else result.same++
    }
  for (const object of old.values()) add(object, 'removed', false)
}
