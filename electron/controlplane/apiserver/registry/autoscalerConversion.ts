import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/**
 * HorizontalPodAutoscalers between their versions, by way of v2. autoscaling/v1 has a field for the utilization of cpu alone and keeps
 * the rest in annotations, in the shape that v2beta1 has too.
 *
 * @see pkg/apis/autoscaling/v1/conversion.go
 */

const PREFIX = 'autoscaling.alpha.kubernetes.io/'
const [METRICS, CURRENT, CONDITIONS, BEHAVIOR] = ['metrics', 'current-metrics', 'conditions', 'behavior'].map((name) => PREFIX + name) as [
  string,
  string,
  string,
  string,
]
const CPU = 'targetCPUUtilizationPercentage'
const CURRENT_CPU = 'currentCPUUtilizationPercentage'
/** What upstream applies where nothing is asked for. */
const DEFAULT_UTILIZATION = 80

const at = (value: unknown): JsonObject => (isObject(value) ? value : {})
const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
/** Without what is absent, in the order given. */
const present = (fields: JsonObject): JsonObject => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))

/** Of a metric's spec (`target`) or status (`current`). */
type Side = 'target' | 'current'

/** A metric in the shape of v1 and v2beta1. */
function flatMetric(metric: JsonObject, side: Side): JsonObject {
  const flat: JsonObject = { type: metric['type'] }
  const source = (name: string): { own: JsonObject; metric: JsonObject; figures: JsonObject } => {
    const own = at(metric[name])
    return { own, metric: at(own['metric']), figures: at(own[side]) }
  }
  const [value, averageValue, utilization] = [`${side}Value`, `${side}AverageValue`, `${side}AverageUtilization`]
  if (isObject(metric['object'])) {
    const { own, metric: named, figures } = source('object')
    const target = own['describedObject']
    const [metricName, selector] = [named['name'], named['selector']]
    flat['object'] = present({ target, metricName, [value]: figures['value'] ?? '0', selector, averageValue: figures['averageValue'] })
  }
  if (isObject(metric['pods'])) {
    const { metric: named, figures } = source('pods')
    flat['pods'] = present({ metricName: named['name'], [averageValue]: figures['averageValue'] ?? '0', selector: named['selector'] })
  }
  for (const name of ['resource', 'containerResource']) {
    if (!isObject(metric[name])) continue
    const { own, figures } = source(name)
    const average = figures['averageValue'] ?? (side === 'current' ? '0' : undefined)
    flat[name] = present({ name: own['name'], [utilization]: figures['averageUtilization'], [averageValue]: average, container: own['container'] })
  }
  if (isObject(metric['external'])) {
    const { metric: named, figures } = source('external')
    const plain = figures['value'] ?? (side === 'current' ? '0' : undefined)
    flat['external'] = present({ metricName: named['name'], metricSelector: named['selector'], [value]: plain, [averageValue]: figures['averageValue'] })
  }
  return flat
}

/** The same metric in the shape of v2. */
function nestedMetric(metric: JsonObject, side: Side): JsonObject {
  const nested: JsonObject = { type: metric['type'] }
  const figures = (type: string, values: JsonObject): JsonObject => present(side === 'target' ? { type, ...values } : values)
  const named = (own: JsonObject, selector: string): JsonObject => present({ name: own['metricName'], selector: own[selector] })
  if (isObject(metric['object'])) {
    const own = metric['object']
    const average = own['averageValue']
    const values = { value: own[`${side}Value`], averageValue: average }
    nested['object'] = {
      describedObject: own['target'],
      [side]: figures((average ?? null) === null ? 'Value' : 'AverageValue', values),
      metric: named(own, 'selector'),
    }
  }
  if (isObject(metric['pods'])) {
    const own = metric['pods']
    nested['pods'] = { metric: named(own, 'selector'), [side]: figures('AverageValue', { averageValue: own[`${side}AverageValue`] }) }
  }
  for (const name of ['resource', 'containerResource']) {
    if (!isObject(metric[name])) continue
    const own = metric[name]
    const utilization = own[`${side}AverageUtilization`]
    const values = { averageUtilization: utilization, averageValue: own[`${side}AverageValue`] }
    nested[name] = {
      ...present({ name: own['name'], container: own['container'] }),
      [side]: figures((utilization ?? null) === null ? 'AverageValue' : 'Utilization', values),
    }
  }
  if (isObject(metric['external'])) {
    const own = metric['external']
    const average = own[`${side}AverageValue`]
    const values = { value: own[`${side}Value`], averageValue: average }
    nested['external'] = { metric: named(own, 'metricSelector'), [side]: figures((average ?? null) === null ? 'Value' : 'AverageValue', values) }
  }
  return nested
}

/** Whether v1's field holds it. */
function isCpuUtilization(metric: JsonObject): boolean {
  const resource = at(metric['resource'])
  return metric['type'] === 'Resource' && resource['name'] === 'cpu' && typeof at(resource['target'])['averageUtilization'] === 'number'
}

/** Go's names of fields within the annotation, which are not JSON's. */
function renamedKeys(value: unknown, rename: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((each: unknown) => renamedKeys(each, rename))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [rename(key), renamedKeys(each, rename)]))
}
const upper = (key: string): string => key.charAt(0).toUpperCase() + key.slice(1)
const lower = (key: string): string => key.charAt(0).toLowerCase() + key.slice(1)

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    // As upstream, which takes an annotation that it cannot read for none.
    return undefined
  }
}

function withoutOwn(annotations: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations ?? {}).filter(([key]) => ![METRICS, CURRENT, CONDITIONS, BEHAVIOR].includes(key)))
}

function withAnnotations(object: KubeObject, annotations: Record<string, string>): KubeObject {
  const { annotations: _, ...metadata } = object.metadata
  return { ...object, metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations } }
}

function fromV1(object: KubeObject): KubeObject {
  const { [CPU]: target, ...spec } = at(object['spec'])
  const { [CURRENT_CPU]: currentCpu, ...status } = at(object['status'])
  const { annotations } = object.metadata
  const others = objects(parsed(annotations?.[METRICS])).map((each) => nestedMetric(each, 'target'))
  const cpu = (utilization: unknown): JsonObject => ({
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: utilization } },
  })
  const metrics = [...others, ...(typeof target === 'number' ? [cpu(target)] : [])]
  const current = parsed(annotations?.[CURRENT])
  const currentMetrics = Array.isArray(current)
    ? objects(current).map((each) => nestedMetric(each, 'current'))
    : typeof currentCpu === 'number'
      ? [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: currentCpu, averageValue: '0' } } }]
      : undefined
  const behavior = renamedKeys(parsed(annotations?.[BEHAVIOR]), lower)
  const conditions = parsed(annotations?.[CONDITIONS])
  const result: KubeObject = {
    ...object,
    spec: {
      ...spec,
      metrics: metrics.length === 0 ? [cpu(DEFAULT_UTILIZATION)] : metrics,
      ...(isObject(behavior) && Object.values(behavior).some((each) => each !== null) ? { behavior } : {}),
    },
    status: { ...status, ...present({ currentMetrics, conditions: Array.isArray(conditions) ? conditions : undefined }) },
  }
  return withAnnotations(result, withoutOwn(annotations))
}

function toV1(object: KubeObject): KubeObject {
  const { metrics, behavior, ...spec } = at(object['spec'])
  const { currentMetrics, conditions, ...status } = at(object['status'])
  const annotations = withoutOwn(object.metadata.annotations)
  const others = objects(metrics).filter((each) => !isCpuUtilization(each))
  const firstCpu = objects(metrics).find((each) => each['type'] === 'Resource' && at(each['resource'])['name'] === 'cpu')
  const target = at(at(firstCpu?.['resource'])['target'])['averageUtilization']
  const current = objects(currentMetrics)
  const currentCpu = current.findLast((each) => at(each['resource'])['name'] === 'cpu')
  const currentUtilization = at(at(currentCpu?.['resource'])['current'])['averageUtilization']
  if (others.length > 0) annotations[METRICS] = JSON.stringify(others.map((each) => flatMetric(each, 'target')))
  if (current.length > 0) annotations[CURRENT] = JSON.stringify(current.map((each) => flatMetric(each, 'current')))
  if (isObject(behavior)) annotations[BEHAVIOR] = JSON.stringify({ ScaleUp: null, ScaleDown: null, ...at(renamedKeys(behavior, upper)) })
  if (objects(conditions).length > 0) annotations[CONDITIONS] = JSON.stringify(conditions)
  const result: KubeObject = {
    ...object,
    spec: { ...spec, ...present({ [CPU]: target }) },
    status: { ...status, ...present({ [CURRENT_CPU]: currentUtilization }) },
  }
  return withAnnotations(result, annotations)
}

/** Metrics of spec and status, each made anew. */
function withMetrics(object: KubeObject, made: (metric: JsonObject, side: Side) => JsonObject): KubeObject {
  const [spec, status] = [at(object['spec']), at(object['status'])]
  return {
    ...object,
    spec: Array.isArray(spec['metrics']) ? { ...spec, metrics: objects(spec['metrics']).map((each) => made(each, 'target')) } : spec,
    status: Array.isArray(status['currentMetrics'])
      ? { ...status, currentMetrics: objects(status['currentMetrics']).map((each) => made(each, 'current')) }
      : status,
  }
}

/** An autoscaler of one version in another; v2beta2 is v2. `apiVersion` is left to the caller. */
export function convertAutoscaler(object: KubeObject, from: string, to: string): KubeObject {
  const hub = from === 'v1' ? fromV1(object) : from === 'v2beta1' ? withMetrics(object, nestedMetric) : object
  return to === 'v1' ? toV1(hub) : to === 'v2beta1' ? withMetrics(hub, flatMetric) : hub
}
