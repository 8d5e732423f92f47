import { memoized } from '../../base/memo.ts'
import { isObject, objectAt, type JsonObject } from '../../kubernetes/json.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { milliValue, parseQuantity, wholeValue } from '../../kubernetes/quantity.ts'

/** Amounts of resources: cpu in millicores, everything else in whole units (bytes, pods, devices). */
export type Resources = Map<string, number>

export const objectsAt = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
export const textAt = (value: unknown): string => (typeof value === 'string' ? value : '')

export function specOf(object: KubeObject): JsonObject {
  return objectAt(object['spec'])
}

// The same few amounts are read again and again.
const [cores, whole] = [milliValue, wholeValue].map((value) =>
  memoized((text): number | null => {
    const quantity = parseQuantity(text)
    return quantity === null ? null : Number(value(quantity))
  }, 4096),
) as [(text: string) => number | null, (text: string) => number | null]

/** A ResourceList in numbers; what cannot be read counts as nothing. */
export function resourcesOf(list: unknown): Resources {
  const result: Resources = new Map()
  for (const [name, value] of Object.entries(objectAt(list))) {
    if (typeof value !== 'string' && typeof value !== 'number') continue
    const amount = (name === 'cpu' ? cores : whole)(String(value))
    if (amount !== null) result.set(name, amount)
  }
  return result
}

export function addResources(into: Resources, more: Resources, sign: 1 | -1 = 1): void {
  for (const [name, amount] of more) into.set(name, (into.get(name) ?? 0) + sign * amount)
}

/**
 * What a pod asks of a node: the sum of its containers, or the greatest init container if that is more; sidecars (init
 * containers that restart always) add to both; overhead on top (upstream's resource.PodRequests).
 */
export function podRequests(pod: KubeObject): Resources {
  const spec = specOf(pod)
  const total: Resources = new Map()
  for (const container of objectsAt(spec['containers'])) addResources(total, resourcesOf(objectAt(container['resources'])['requests']))
  const sidecars: Resources = new Map()
  const greatest: Resources = new Map()
  for (const container of objectsAt(spec['initContainers'])) {
    const requests = resourcesOf(objectAt(container['resources'])['requests'])
    if (container['restartPolicy'] === 'Always') {
      addResources(sidecars, requests)
      addResources(total, requests)
    } else for (const [name, amount] of requests) greatest.set(name, Math.max(greatest.get(name) ?? 0, amount + (sidecars.get(name) ?? 0)))
  }
  for (const [name, amount] of greatest) total.set(name, Math.max(total.get(name) ?? 0, amount))
  addResources(total, resourcesOf(spec['overhead']))
  return total
}

const DEFAULT_CPU = 100
const DEFAULT_MEMORY = 200 * 1024 * 1024

/**
 * Requests as scoring sees them: a container that does not name cpu or memory still takes something (upstream's non-zero
 * defaults); one that asks for zero takes zero.
 */
export function nonZeroRequests(pod: KubeObject): { cpu: number; memory: number } {
  const spec = specOf(pod)
  const total = { cpu: 0, memory: 0 }
  const greatest = { cpu: 0, memory: 0 }
  const of = (container: JsonObject): { cpu: number; memory: number } => {
    const requests = resourcesOf(objectAt(container['resources'])['requests'])
    return { cpu: requests.get('cpu') ?? DEFAULT_CPU, memory: requests.get('memory') ?? DEFAULT_MEMORY }
  }
  for (const container of objectsAt(spec['containers'])) {
    const { cpu, memory } = of(container)
    total.cpu += cpu
    total.memory += memory
  }
  let sidecars = { cpu: 0, memory: 0 }
  for (const container of objectsAt(spec['initContainers'])) {
    const { cpu, memory } = of(container)
    if (container['restartPolicy'] === 'Always') {
      sidecars = { cpu: sidecars.cpu + cpu, memory: sidecars.memory + memory }
      total.cpu += cpu
      total.memory += memory
    } else {
      greatest.cpu = Math.max(greatest.cpu, cpu + sidecars.cpu)
      greatest.memory = Math.max(greatest.memory, memory + sidecars.memory)
    }
  }
  const overhead = resourcesOf(spec['overhead'])
  return {
    cpu: Math.max(total.cpu, greatest.cpu) + (overhead.get('cpu') ?? 0),
    memory: Math.max(total.memory, greatest.memory) + (overhead.get('memory') ?? 0),
  }
}

export interface HostPort {
  protocol: string
  address: string
  port: number
}

export function hostPorts(pod: KubeObject): HostPort[] {
  return objectsAt(specOf(pod)['containers']).flatMap((container) =>
    objectsAt(container['ports']).flatMap((port) =>
      typeof port['hostPort'] === 'number' && port['hostPort'] > 0
        ? [{ protocol: textAt(port['protocol']) || 'TCP', address: textAt(port['hostIP']) || '0.0.0.0', port: port['hostPort'] }]
        : [],
    ),
  )
}

export const isFinished = (pod: KubeObject): boolean => ['Succeeded', 'Failed'].includes(textAt(objectAt(pod['status'])['phase']))
export const nodeNameOf = (pod: KubeObject): string => textAt(specOf(pod)['nodeName'])
export const priorityOf = (pod: KubeObject): number => {
  const priority = specOf(pod)['priority']
  return typeof priority === 'number' ? priority : 0
}
