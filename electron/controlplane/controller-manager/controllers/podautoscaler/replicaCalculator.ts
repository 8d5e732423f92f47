import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { milliValue, parseQuantity } from '#shared/kubernetes/quantity.ts'
import { isDeleting, isPodReady, objectsAt, specOf, statusOf, textAt } from '../../controller.ts'

/** How far usage may be from the target without a change. */
export const TOLERANCE = 0.1
/** A pod's CPU counts once it is ready, or has been up this long. */
const CPU_INITIALIZATION_MS = 300_000
const INITIAL_READINESS_MS = 30_000

export interface ResourceTarget {
  resource: string
  /** Percentage of the requests, or thousandths per pod. */
  kind: 'Utilization' | 'AverageValue'
  value: number
}

export interface Proposal {
  replicas: number
  /** Percentage, null for an average value. */
  utilization: number | null
  /** Thousandths per pod. */
  average: number
}

/** Thousandths of a resource by pod name. */
export type PodMetrics = ReadonlyMap<string, number>

const milli = (value: unknown): number => {
  const quantity = typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value)) : null
  return quantity === null ? 0 : Number(milliValue(quantity))
}

export const milliOf = milli

function requestsOf(pod: KubeObject, resource: string): number | null {
  let sum = 0
  for (const container of [
    ...objectsAt(specOf(pod)['containers']),
    ...objectsAt(specOf(pod)['initContainers']).filter((each) => each['restartPolicy'] === 'Always'),
  ]) {
    const request = objectAt(objectAt(container['resources'])['requests'])[resource]
    if (request === undefined) return null
    sum += milli(request)
  }
  return sum
}

function isUnready(pod: KubeObject, resource: string, nowMs: number): boolean {
  if (textAt(statusOf(pod)['phase']) === 'Pending') return true
  if (resource !== 'cpu') return false
  const condition = objectsAt(statusOf(pod)['conditions']).find((each) => each['type'] === 'Ready')
  const startMs = Date.parse(textAt(statusOf(pod)['startTime']))
  if (condition === undefined || Number.isNaN(startMs)) return true
  const changedMs = Date.parse(textAt(condition['lastTransitionTime']))
  if (startMs + CPU_INITIALIZATION_MS > nowMs) return !isPodReady(pod) || false
  return !isPodReady(pod) && startMs + INITIAL_READINESS_MS > changedMs
}

/**
 * How many replicas bring a resource's use to its target. Pods without a measurement are taken for idle when growing and for
 * busy when shrinking, so that they damp and never drive a change.
 *
 * @throws Error with upstream's message when nothing can be told
 * @see pkg/controller/podautoscaler/replica_calculator.go GetResourceReplicas
 */
export function resourceReplicas(
  pods: readonly KubeObject[],
  metrics: PodMetrics,
  options: { target: ResourceTarget; current: number; nowMs: number; selector: string },
): Proposal {
  const { target, current, nowMs, selector } = options
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count')
  const counted = pods.filter((pod) => !isDeleting(pod) && textAt(statusOf(pod)['phase']) !== 'Failed')
  const nameOf = (pod: KubeObject): string => pod.metadata.name ?? ''
  const unready = counted.filter((pod) => isUnready(pod, target.resource, nowMs))
  const missing = counted.filter((pod) => !unready.includes(pod) && !metrics.has(nameOf(pod)))
  const ready = counted.filter((pod) => !unready.includes(pod) && metrics.has(nameOf(pod)))
  const requests = new Map<string, number>()
  if (target.kind === 'Utilization')
    for (const pod of counted) {
      const request = requestsOf(pod, target.resource)
      if (request === null) throw new Error(`missing request for ${target.resource}`)
      requests.set(nameOf(pod), request)
    }
  if (ready.length === 0) throw new Error('did not receive metrics for any ready pods')
  const used = new Map(ready.map((pod) => [nameOf(pod), metrics.get(nameOf(pod)) ?? 0]))
  const ratioOf = (values: ReadonlyMap<string, number>): { ratio: number; utilization: number | null; average: number } => {
    const total = [...values.values()].reduce((sum, value) => sum + value, 0)
    const average = Math.floor(total / values.size)
    if (target.kind === 'AverageValue') return { ratio: average / target.value, utilization: null, average }
    const asked = [...values.keys()].reduce((sum, name) => sum + (requests.get(name) ?? 0), 0)
    if (asked === 0) throw new Error(`no metrics returned matched known pods for ${selector}`)
    const utilization = Math.floor((total * 100) / asked)
    return { ratio: utilization / target.value, utilization, average }
  }
  const first = ratioOf(used)
  const grow = first.ratio > 1
  const rebalance = unready.length > 0 && grow
  const figures = { utilization: first.utilization, average: first.average }
  if (!rebalance && missing.length === 0) {
    if (Math.abs(1 - first.ratio) <= TOLERANCE) return { replicas: current, ...figures }
    return { replicas: Math.ceil(first.ratio * ready.length), ...figures }
  }
  for (const pod of missing) {
    const full = target.kind === 'Utilization' ? (requests.get(nameOf(pod)) ?? 0) * (Math.max(100, target.value) / 100) : target.value
    used.set(nameOf(pod), first.ratio < 1 ? full : 0)
  }
  if (rebalance) for (const pod of unready) used.set(nameOf(pod), 0)
  const second = ratioOf(used)
  if (Math.abs(1 - second.ratio) <= TOLERANCE || (first.ratio < 1 && second.ratio > 1) || (grow && second.ratio < 1)) return { replicas: current, ...figures }
  const replicas = Math.ceil(second.ratio * used.size)
  if ((second.ratio < 1 && replicas > current) || (second.ratio > 1 && replicas < current)) return { replicas: current, ...figures }
  return { replicas, ...figures }
}

/** spec.metrics of type Resource as targets, others as null. */
export function resourceTarget(metric: JsonObject): ResourceTarget | null {
  if (metric['type'] !== 'Resource') return null
  const source = objectAt(metric['resource'])
  const target = objectAt(source['target'])
  const resource = textAt(source['name'])
  if (typeof target['averageUtilization'] === 'number') return { resource, kind: 'Utilization', value: target['averageUtilization'] }
  return { resource, kind: 'AverageValue', value: milli(target['averageValue']) }
}
