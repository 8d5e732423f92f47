import { isObject, type JsonObject } from '../../kubernetes/json.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { milliValue, parseQuantity, wholeValue } from '../../kubernetes/quantity.ts'

/** Amounts of resources: cpu in millicores, everything else in whole units (bytes, pods, devices). */
export type Resources = Map<string, number>

export const objectAt = (value: unknown): JsonObject => (isObject(value) ? value : {})
export const objectsAt = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
export const textAt = (value: unknown): string => (typeof value === 'string' ? value : '')

export function specOf(object: KubeObject): JsonObject {
  return objectAt(object['spec'])
}

/** A ResourceList in numbers; what cannot be read counts as nothing. */
export function resourcesOf(list: unknown): Resources {
  const result: Resources = new Map()
  for (const [name, value] of Object.entries(objectAt(list))) {
    const quantity = typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value)) : null
    if (quantity !== null) result.set(name, Number(name === 'cpu' ? milliValue(quantity) : wholeValue(quantity)))
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

/** Requests as scoring sees them: a pod that asks for nothing still takes something (upstream's non-zero defaults). */
export function nonZeroRequests(requests: Resources): { cpu: number; memory: number } {
  return { cpu: requests.get('cpu') ?? 100, memory: requests.get('memory') ?? 200 * 1024 * 1024 }
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
