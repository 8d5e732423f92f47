import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { addQuantities, compareQuantities, parseQuantity, quantityNumber, quantityText, type Quantity } from '#shared/kubernetes/quantity.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { aggregate, refusal } from './refusal.ts'

type Amounts = Map<string, Quantity>
type Resources = { requests: Amounts; limits: Amounts }

const ANNOTATION = 'kubernetes.io/limit-ranger'
const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

function amountsOf(value: unknown): Amounts {
  const amounts: Amounts = new Map()
  for (const [name, text] of Object.entries(objectAt(value))) {
    const quantity = typeof text === 'string' || typeof text === 'number' ? parseQuantity(String(text)) : null
    if (quantity !== null) amounts.set(name, quantity)
  }
  return amounts
}

const resourcesOf = (holder: JsonObject): Resources => {
  const resources = objectAt(holder['resources'])
  return { requests: amountsOf(resources['requests']), limits: amountsOf(resources['limits']) }
}

/**
 * Gives containers the defaults of the namespace's LimitRanges and refuses what goes beyond their bounds.
 *
 * @see kubernetes plugin/pkg/admission/limitranger/admission.go
 */
export class LimitRanger implements AdmissionPlugin {
  readonly name = 'LimitRanger'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  admit(request: AdmissionRequest): void {
    if (!isPodCreation(request)) return
    for (const range of this.#ranges(request.namespace)) setDefaults(request.object, range)
  }

  validate(request: AdmissionRequest): void {
    const { operation, resource, object, old, context } = request
    if (context.subresource !== '' || resource.group !== '' || operation === 'DELETE' || old?.metadata.deletionTimestamp !== undefined) return
    const claim = resource.plural === 'persistentvolumeclaims'
    if (!claim && !isPodCreation(request)) return
    for (const range of this.#ranges(request.namespace)) {
      const limits = objects(objectAt(range['spec'])['limits'])
      const why = aggregate(limits.flatMap((limit) => (claim ? claimFaults(limit, object) : podFaults(limit, object))))
      if (why !== null) throw refusal(request, why, 'validate')
    }
  }

  #ranges(namespace: string): KubeObject[] {
    return [...this.#store.collection('limitranges').range(`/registry/limitranges/${namespace}/`)].map(({ object }) => object)
  }
}

const isPodCreation = ({ operation, resource, context }: AdmissionRequest): boolean =>
  operation === 'CREATE' && resource.group === '' && resource.plural === 'pods' && context.subresource === ''

function setDefaults(pod: KubeObject, range: KubeObject): void {
  const spec = objectAt(pod['spec'])
  const [requests, limits]: [JsonObject, JsonObject] = [{}, {}]
  for (const limit of objects(objectAt(range['spec'])['limits'])) {
    if (limit['type'] !== 'Container') continue
    Object.assign(requests, objectAt(limit['defaultRequest']))
    Object.assign(limits, objectAt(limit['default']))
  }
  const told: string[] = []
  for (const [field, kind] of [
    ['containers', 'container'],
    ['initContainers', 'init container'],
  ] as const)
    for (const container of objects(spec[field])) {
      const resources = isObject(container['resources']) ? { ...container['resources'] } : {}
      const set = { limits: fill(resources, 'limits', limits), requests: fill(resources, 'requests', requests) }
      container['resources'] = resources
      const name = String(container['name'])
      if (set.requests.length > 0) told.push(`${set.requests.join(', ')} request for ${kind} ${name}`)
      if (set.limits.length > 0) told.push(`${set.limits.join(', ')} limit for ${kind} ${name}`)
    }
  if (told.length > 0) pod.metadata.annotations = { ...pod.metadata.annotations, [ANNOTATION]: `LimitRanger plugin set: ${told.join('; ')}` }
}

/** @returns the names that were not set */
function fill(resources: JsonObject, field: 'requests' | 'limits', defaults: JsonObject): string[] {
  const known = objectAt(resources[field])
  const missing = Object.keys(defaults)
    .filter((name) => !Object.hasOwn(known, name))
    .sort()
  if (missing.length > 0) resources[field] = { ...known, ...Object.fromEntries(missing.map((name) => [name, defaults[name]])) }
  return missing
}

function podFaults(limit: JsonObject, pod: KubeObject): string[] {
  const spec = objectAt(pod['spec'])
  const [containers, init] = [objects(spec['containers']).map(resourcesOf), objects(spec['initContainers']).map(resourcesOf)]
  if (limit['type'] === 'Container') return [...containers, ...init].flatMap((each) => faults(limit, each))
  if (limit['type'] !== 'Pod') return []
  const total = {
    requests: atLeast(
      sum(containers.map(({ requests }) => requests)),
      init.map(({ requests }) => requests),
    ),
    limits: atLeast(
      sum(containers.map(({ limits }) => limits)),
      init.map(({ limits }) => limits),
    ),
  }
  return faults(limit, total)
}

function claimFaults(limit: JsonObject, claim: KubeObject): string[] {
  if (limit['type'] !== 'PersistentVolumeClaim') return []
  const { requests } = resourcesOf(objectAt(claim['spec']))
  const type = 'PersistentVolumeClaim'
  return [
    ...[...amountsOf(limit['min'])].flatMap(([name, bound]) => minimumFault({ type, name, bound }, { requests, limits: new Map() })),
    ...[...amountsOf(limit['max'])].flatMap(([name, bound]) => {
      const asked = requests.get(name)
      if (asked === undefined) return [`maximum ${name} usage per ${type} is ${quantityText(bound)}.  No request is specified`]
      return compareQuantities(asked, bound) > 0 ? [`maximum ${name} usage per ${type} is ${quantityText(bound)}, but request is ${quantityText(asked)}`] : []
    }),
  ]
}

interface Bound {
  type: string
  name: string
  bound: Quantity
}

function faults(limit: JsonObject, resources: Resources): string[] {
  const type = String(limit['type'])
  return [
    ...[...amountsOf(limit['min'])].flatMap(([name, bound]) => minimumFault({ type, name, bound }, resources)),
    ...[...amountsOf(limit['max'])].flatMap(([name, bound]) => maximumFault({ type, name, bound }, resources)),
    ...[...amountsOf(limit['maxLimitRequestRatio'])].flatMap(([name, bound]) => ratioFault({ type, name, bound }, resources)),
  ]
}

function minimumFault({ type, name, bound }: Bound, { requests, limits }: Resources): string[] {
  const [request, limit] = [requests.get(name), limits.get(name)]
  const head = `minimum ${name} usage per ${type} is ${quantityText(bound)}`
  if (request === undefined) return [`${head}.  No request is specified`]
  if (compareQuantities(request, bound) < 0) return [`${head}, but request is ${quantityText(request)}`]
  return limit !== undefined && compareQuantities(limit, bound) < 0 ? [`${head}, but limit is ${quantityText(limit)}`] : []
}

function maximumFault({ type, name, bound }: Bound, { requests, limits }: Resources): string[] {
  const [request, limit] = [requests.get(name), limits.get(name)]
  const head = `maximum ${name} usage per ${type} is ${quantityText(bound)}`
  if (limit === undefined) return [`${head}.  No limit is specified`]
  if (compareQuantities(limit, bound) > 0) return [`${head}, but limit is ${quantityText(limit)}`]
  return request !== undefined && compareQuantities(request, bound) > 0 ? [`${head}, but request is ${quantityText(request)}`] : []
}

function ratioFault({ type, name, bound }: Bound, { requests, limits }: Resources): string[] {
  const [request, limit] = [requests.get(name), limits.get(name)]
  const head = `${name} max limit to request ratio per ${type} is ${quantityText(bound)}`
  if (request === undefined || request.mantissa === 0n) return [`${head}, but no request is specified or request is 0`]
  if (limit === undefined || limit.mantissa === 0n) return [`${head}, but no limit is specified or limit is 0`]
  const ratio = quantityNumber(limit) / quantityNumber(request)
  return ratio > quantityNumber(bound) ? [`${head}, but provided ratio is ${ratio.toFixed(6)}`] : []
}

/** What every list names, added up. */
function sum(lists: readonly Amounts[]): Amounts {
  const total: Amounts = new Map()
  for (const name of lists[0]?.keys() ?? []) {
    const amounts = lists.map((list) => list.get(name))
    if (amounts.every((amount) => amount !== undefined)) total.set(name, { ...amounts.reduce((a, b) => addQuantities(a, b)), format: 'decimal' })
  }
  return total
}

/** An init container may need more than all containers together. */
function atLeast(total: Amounts, init: readonly Amounts[]): Amounts {
  const result = new Map(total)
  for (const list of init)
    for (const [name, amount] of list) {
      const known = result.get(name)
      if (known === undefined || compareQuantities(amount, known) > 0) result.set(name, amount)
    }
  return result
}
