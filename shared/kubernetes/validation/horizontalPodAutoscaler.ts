import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { forbidden, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { dnsLabelErrors, pathSegmentErrors, subdomainName } from './names.ts'
import { containerResourceNameErrors, nonNegative, quantity } from './resources.ts'
import { has, number, object, objects, pointer, text } from './values.ts'

const METRIC_TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource']
const SELECT_POLICIES = ['Disabled', 'Max', 'Min']
const MAX_PERIOD_SECONDS = 1800
const MAX_WINDOW_SECONDS = 3600
const NEED = 'must populate information for the given metric source'
/** First release where metrics of one container are on by default. */
const CONTAINER_METRICS_SINCE = 27

function* nameErrors(value: string, field: string, missing: string): Iterable<FieldError> {
  if (value === '') yield required(field, missing)
  else for (const detail of pathSegmentErrors(value)) yield invalid(field, value, detail)
}

/** An object of any kind in the same namespace. */
export function* crossVersionReferenceErrors(reference: JsonObject, field: string): Iterable<FieldError> {
  yield* nameErrors(text(reference['kind']), `${field}.kind`, '')
  yield* nameErrors(text(reference['name']), `${field}.name`, '')
}

function* targetErrors(target: JsonObject, field: string): Iterable<FieldError> {
  const type = text(target['type'])
  if (type === '') yield required(`${field}.type`, 'must specify a metric target type')
  if (type !== 'Utilization' && type !== 'Value' && type !== 'AverageValue')
    yield invalid(`${field}.type`, type, 'must be either Utilization, Value, or AverageValue')
  for (const name of ['value', 'averageValue'])
    if (has(target[name]) && quantity(target[name]).mantissa <= 0n)
      yield invalid(`${field}.${name}`, typed('resource.Quantity', target[name]), 'must be positive')
  const utilization = target['averageUtilization']
  if (has(utilization) && number(utilization) < 1) yield invalid(`${field}.averageUtilization`, utilization, 'must be greater than 0')
}

function* identifierErrors(source: JsonObject, field: string): Iterable<FieldError> {
  yield* nameErrors(text(object(source['metric'])['name']), `${field}.metric.name`, 'must specify a metric name')
}

function* utilizationErrors(target: JsonObject, field: string): Iterable<FieldError> {
  yield* targetErrors(target, `${field}.target`)
  const [utilization, value] = [has(target['averageUtilization']), has(target['averageValue'])]
  if (!utilization && !value) yield required(`${field}.target.averageUtilization`, 'must set either a target raw value or a target utilization')
  if (utilization && value) yield forbidden(`${field}.target.averageValue`, 'may not set both a target raw value and a target utilization')
}

const SOURCES: Readonly<Record<string, (source: JsonObject, field: string) => Iterable<FieldError>>> = {
  *object(source, field) {
    const target = object(source['target'])
    yield* crossVersionReferenceErrors(object(source['describedObject']), `${field}.describedObject`)
    yield* identifierErrors(source, field)
    yield* targetErrors(target, `${field}.target`)
    if (!has(target['value']) && !has(target['averageValue'])) yield required(`${field}.target.averageValue`, 'must set either a target value or averageValue')
  },
  *external(source, field) {
    const target = object(source['target'])
    yield* identifierErrors(source, field)
    yield* targetErrors(target, `${field}.target`)
    const [value, average] = [has(target['value']), has(target['averageValue'])]
    if (!value && !average) yield required(`${field}.target.averageValue`, 'must set either a target value for metric or a per-pod target')
    if (value && average) yield forbidden(`${field}.target.value`, 'may not set both a target value for metric and a per-pod target')
  },
  *pods(source, field) {
    const target = object(source['target'])
    yield* identifierErrors(source, field)
    yield* targetErrors(target, `${field}.target`)
    if (!has(target['averageValue'])) yield required(`${field}.target.averageValue`, 'must specify a positive target averageValue')
  },
  *resource(source, field) {
    if (text(source['name']) === '') yield required(`${field}.name`, 'must specify a resource name')
    yield* utilizationErrors(object(source['target']), field)
  },
  *containerResource(source, field) {
    const [name, container] = [text(source['name']), text(source['container'])]
    if (name === '') yield required(`${field}.name`, 'must specify a resource name')
    else yield* containerResourceNameErrors(name, `${field}.name`)
    if (container === '') yield required(`${field}.container`, 'must specify a container')
    else for (const detail of dnsLabelErrors(container)) yield invalid(`${field}.container`, container, detail)
    yield* utilizationErrors(object(source['target']), field)
  },
}

function* metricErrors(metric: JsonObject, field: string, minor: number): Iterable<FieldError> {
  const type = text(metric['type'])
  if (type === '') yield required(`${field}.type`, 'must specify a metric source type')
  const unknown = notSupported(`${field}.type`, type, METRIC_TYPES)
  if (!METRIC_TYPES.includes(type)) yield unknown
  const present = Object.keys(SOURCES).filter((name) => pointer(metric[name]) !== null)
  const first = present[0]
  if (first !== undefined) yield* SOURCES[first]?.(object(metric[first]), `${field}.${first}`) ?? []
  const expected = type.charAt(0).toLowerCase() + type.slice(1)
  if (!METRIC_TYPES.includes(type)) yield unknown
  else if (!present.includes(expected)) {
    const gated = expected === 'containerResource' && minor < CONTAINER_METRICS_SINCE
    yield required(`${field}.${expected}`, gated ? `${NEED} (only allowed when HPAContainerMetrics feature is enabled)` : NEED)
  }
  if (present.length !== 1)
    for (const name of present.sort()) if (name !== expected) yield forbidden(`${field}.${name}`, 'must populate the given metric source only')
}

function* scalingErrors(rules: JsonObject | null, field: string): Iterable<FieldError> {
  if (rules === null) return
  const window = rules['stabilizationWindowSeconds']
  if (has(window) && number(window) < 0) yield invalid(`${field}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero')
  if (has(window) && number(window) > MAX_WINDOW_SECONDS)
    yield invalid(`${field}.stabilizationWindowSeconds`, window, `must be less than or equal to ${String(MAX_WINDOW_SECONDS)}`)
  const select = rules['selectPolicy']
  if (has(select) && !SELECT_POLICIES.includes(text(select))) yield notSupported(`${field}.selectPolicy`, select, SELECT_POLICIES)
  const policies = objects(rules['policies'])
  if (policies.length === 0) yield required(`${field}.policies`, 'must specify at least one Policy')
  for (const [index, policy] of policies.entries()) {
    const at = `${field}.policies[${String(index)}]`
    const [type, value, period] = [text(policy['type']), number(policy['value']), number(policy['periodSeconds'])]
    if (type !== 'Pods' && type !== 'Percent') yield notSupported(`${at}.type`, type, ['Percent', 'Pods'])
    if (value <= 0) yield invalid(`${at}.value`, value, 'must be greater than zero')
    if (period <= 0) yield invalid(`${at}.periodSeconds`, period, 'must be greater than zero')
    if (period > MAX_PERIOD_SECONDS) yield invalid(`${at}.periodSeconds`, period, `must be less than or equal to ${String(MAX_PERIOD_SECONDS)}`)
  }
}

/** v2beta1 says beside a source what v2 says in its `target` and `metric`. */
function fromV2beta1(metric: JsonObject): JsonObject {
  const sources = Object.keys(SOURCES).flatMap((name): [string, JsonObject][] => {
    const source = pointer(metric[name])
    if (source === null) return []
    const [utilization, value] = [source['targetAverageUtilization'], source['targetValue']]
    const average = source['targetAverageValue'] ?? source['averageValue']
    const type = has(utilization) ? 'Utilization' : has(average) ? 'AverageValue' : 'Value'
    const target = {
      type,
      ...(has(utilization) ? { averageUtilization: utilization } : {}),
      ...(has(value) ? { value } : {}),
      ...(has(average) ? { averageValue: average } : {}),
    }
    return [[name, { ...source, target, metric: { name: source['metricName'] }, ...(name === 'object' ? { describedObject: source['target'] } : {}) }]]
  })
  return { type: metric['type'], ...Object.fromEntries(sources) }
}

/** v1's single target is a metric of the cpu resource. */
function metricsOf(spec: JsonObject, version: string): JsonObject[] {
  const target = spec['targetCPUUtilizationPercentage']
  if (version === 'v2beta1') return objects(spec['metrics']).map(fromV2beta1)
  if (version !== 'v1') return objects(spec['metrics'])
  return has(target) ? [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } } }] : []
}

function* specErrors(autoscaler: KubeObject, version: string, lowest: number, minor: number): Iterable<FieldError> {
  const spec = object(autoscaler['spec'])
  const [min, max] = [spec['minReplicas'], number(spec['maxReplicas'])]
  if (has(min) && number(min) < lowest) yield invalid('spec.minReplicas', min, `must be greater than or equal to ${String(lowest)}`)
  if (max < 1) yield invalid('spec.maxReplicas', max, 'must be greater than 0')
  if (has(min) && max < number(min)) yield invalid('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`')
  yield* crossVersionReferenceErrors(object(spec['scaleTargetRef']), 'spec.scaleTargetRef')
  const metrics = metricsOf(spec, version)
  for (const [index, metric] of metrics.entries()) yield* metricErrors(metric, `spec.metrics[${String(index)}]`, minor)
  if (has(min) && number(min) === 0 && !metrics.some((metric) => metric['type'] === 'Object' || metric['type'] === 'External'))
    yield forbidden('spec.metrics', 'must specify at least one Object or External metric to support scaling to zero replicas')
  const behavior = object(spec['behavior'])
  for (const direction of ['scaleUp', 'scaleDown']) yield* scalingErrors(pointer(behavior[direction]), `spec.behavior.${direction}`)
}

export const horizontalPodAutoscalerRules: Rules = {
  *create(autoscaler, { version, minor }) {
    yield* metadataErrors(autoscaler, { namespaced: true, name: subdomainName })
    yield* specErrors(autoscaler, version, 1, minor)
  },
  *update(after, before, { version, minor }) {
    yield* metadataUpdateErrors(after, before)
    yield* specErrors(after, version, object(before['spec'])['minReplicas'] === 0 ? 0 : 1, minor)
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
    for (const name of ['currentReplicas', 'desiredReplicas']) yield* nonNegative(number(object(after['status'])[name]), `status.${name}`)
  },
}
