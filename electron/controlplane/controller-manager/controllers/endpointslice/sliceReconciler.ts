import { deepEqual, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { ENDPOINT_SLICES } from '#electron/client/resources.ts'
import { isDeleting, newControllerRef, objectsAt, textAt, type ControllerContext } from '../../controller.ts'
import { goJson } from '../../generatedHash.ts'

/** Endpoints that share their ports and their kind of address. */
export interface SliceGroup {
  addressType: 'IPv4' | 'IPv6'
  ports: JsonObject[]
  endpoints: JsonObject[]
}

export const SERVICE_NAME = 'kubernetes.io/service-name'
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'

const groupKey = (addressType: unknown, ports: readonly JsonObject[]): string => `${textAt(addressType)} ${goJson(ports.map(goJson).sort())}`
const identity = (endpoint: JsonObject): string =>
  goJson([endpoint['addresses'], endpoint['targetRef'] === undefined ? '' : (endpoint['targetRef'] as JsonObject)['uid']])

/**
 * Brings a service's slices to what they should hold with few writes: an endpoint stays in its slice, free places are filled
 * before new slices are made, and slices that become empty go.
 *
 * @param owner of new slices; their names begin with its name
 * @param keepEmpty kinds of addresses of which a slice is kept though there are none
 * @see pkg/controller/endpointslice/reconciler.go
 */
export async function reconcileSlices(
  { client, served }: { client: ControllerContext['client']; served: (gvr: typeof ENDPOINT_SLICES) => typeof ENDPOINT_SLICES | null },
  options: {
    owner: KubeObject
    known: readonly KubeObject[]
    groups: readonly SliceGroup[]
    labels: Record<string, string>
    annotations: Record<string, string>
    most: number
    keepEmpty: readonly SliceGroup['addressType'][]
  },
  signal: AbortSignal,
): Promise<void> {
  const gvr = served(ENDPOINT_SLICES)
  if (gvr === null) return
  const { owner, labels, annotations, most, keepEmpty } = options
  const namespace = owner.metadata.namespace
  const living = options.known.filter((slice) => !isDeleting(slice))
  const used = new Set<KubeObject>()
  const writes: { known?: KubeObject; group: SliceGroup; endpoints: JsonObject[] }[] = []
  const absent = keepEmpty.filter((type) => !options.groups.some(({ addressType }) => addressType === type))
  const groups = [...options.groups, ...absent.map((addressType): SliceGroup => ({ addressType, ports: [], endpoints: [] }))]
  for (const group of groups) {
    const mine = living.filter((slice) => groupKey(slice['addressType'], objectsAt(slice['ports'])) === groupKey(group.addressType, group.ports))
    const wanted = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]))
    const held = mine.map((known) => {
      const endpoints = objectsAt(known['endpoints']).flatMap((endpoint) => {
        const next = wanted.get(identity(endpoint))
        wanted.delete(identity(endpoint))
        return next === undefined ? [] : [next]
      })
      return { known, group, endpoints }
    })
    const left = [...wanted.values()]
    for (const slice of held.toSorted((a, b) => b.endpoints.length - a.endpoints.length))
      slice.endpoints.push(...left.splice(0, Math.max(0, most - slice.endpoints.length)))
    const kept = held.filter(({ endpoints }) => endpoints.length > 0)
    if (kept.length === 0 && left.length === 0 && held[0] !== undefined) kept.push(held[0])
    for (const each of kept) used.add(each.known)
    writes.push(...kept)
    while (left.length > 0) writes.push({ group, endpoints: left.splice(0, most) })
    if (mine.length === 0 && group.endpoints.length === 0) writes.push({ group, endpoints: [] })
  }
  for (const { known, group, endpoints } of writes) {
    const body = { addressType: group.addressType, endpoints, ports: group.ports }
    if (known === undefined) {
      const metadata = { generateName: `${owner.metadata.name ?? ''}-`, namespace, labels, annotations, ownerReferences: [newControllerRef(owner)] }
      await client.create(gvr, { namespace }, { apiVersion: `${gvr.group}/${gvr.version}`, kind: 'EndpointSlice', metadata, ...body }, signal)
    } else if (!same(known, endpoints) || !deepEqual(known.metadata.labels, labels))
      await client.update(
        gvr,
        { namespace, name: known.metadata.name ?? '' },
        { ...known, metadata: { ...known.metadata, labels, annotations: { ...known.metadata.annotations, ...annotations } }, ...body },
        signal,
      )
  }
  for (const slice of living) if (!used.has(slice)) await remove(slice)

  async function remove({ metadata }: KubeObject): Promise<void> {
    if (gvr === null) return
    try {
      await client.delete(gvr, { namespace, name: metadata.name ?? '' }, {}, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** A pod's new version alone is no change. */
function same(known: KubeObject, endpoints: readonly JsonObject[]): boolean {
  const plain = (list: readonly unknown[]): unknown =>
    JSON.parse(JSON.stringify(list, (key, value: unknown) => (key === 'resourceVersion' ? undefined : value))) as unknown
  return deepEqual(plain(objectsAt(known['endpoints'])), plain(endpoints))
}
