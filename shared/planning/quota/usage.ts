import { isObject, objectAt, type JsonObject } from '../../kubernetes/json.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { addQuantities, compareQuantities, parseQuantity, type Quantity } from '../../kubernetes/quantity.ts'

/** Amounts by the names quotas use: `requests.cpu`, `count/jobs.batch`, `services.nodeports`, … */
export type QuotaUsage = Map<string, Quantity>

const ONE: Quantity = { mantissa: 1n, exponent: 0, format: 'decimal' }
const objectsAt = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const textAt = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Compute resources that a quota may name without the prefix `requests.`. */
const PLAIN = new Set(['cpu', 'memory', 'ephemeral-storage'])

function count(amount: number): Quantity {
  return { ...ONE, mantissa: BigInt(amount) }
}

export function addUsage(into: QuotaUsage, more: QuotaUsage): void {
  for (const [name, amount] of more) {
    const known = into.get(name)
    into.set(name, known === undefined ? amount : addQuantities(known, amount))
  }
}

/** How quotas count objects of a resource: `count/deployments.apps`, and for some core ones their plain name too. */
export function countUsage(group: string, plural: string): QuotaUsage {
  const usage: QuotaUsage = new Map([[`count/${plural}${group === '' ? '' : `.${group}`}`, ONE]])
  if (group === '' && ['configmaps', 'secrets', 'replicationcontrollers', 'resourcequotas', 'services', 'persistentvolumeclaims'].includes(plural))
    usage.set(plural, ONE)
  return usage
}

type Amounts = Map<string, Quantity>

function amountsOf(list: unknown): Amounts {
  const result: Amounts = new Map()
  for (const [name, value] of Object.entries(objectAt(list))) {
    const quantity = typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value)) : null
    if (quantity !== null) result.set(name, quantity)
  }
  return result
}

function maximum(into: Amounts, more: Amounts): void {
  for (const [name, amount] of more) {
    const known = into.get(name)
    if (known === undefined || compareQuantities(known, amount) < 0) into.set(name, amount)
  }
}

/** Sum of the containers, or the greatest init container if that is more; sidecars add to both; overhead on top. */
function podAmounts(pod: KubeObject, kind: 'requests' | 'limits'): Amounts {
  const spec = objectAt(pod['spec'])
  const total: Amounts = new Map()
  for (const container of objectsAt(spec['containers'])) addUsage(total, amountsOf(objectAt(container['resources'])[kind]))
  const sidecars: Amounts = new Map()
  const greatest: Amounts = new Map()
  for (const container of objectsAt(spec['initContainers'])) {
    const amounts = amountsOf(objectAt(container['resources'])[kind])
    if (container['restartPolicy'] === 'Always') {
      addUsage(sidecars, amounts)
      addUsage(total, amounts)
    } else {
      const beside = new Map(amounts)
      addUsage(beside, sidecars)
      maximum(greatest, beside)
    }
  }
  maximum(total, greatest)
  const overhead = amountsOf(spec['overhead'])
  if (kind === 'requests') addUsage(total, overhead)
  else for (const [name, amount] of overhead) if (total.has(name)) addUsage(total, new Map([[name, amount]]))
  return total
}

/** Pods that ended, or whose time to go is over, take only the place `count/pods` counts. */
function isCharged(pod: KubeObject, nowMs: number): boolean {
  if (['Succeeded', 'Failed'].includes(textAt(objectAt(pod['status'])['phase']))) return false
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
  return (
    deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined || Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000 > nowMs
  )
}

/** @see pkg/quota/v1/evaluator/core/pods.go PodUsageFunc */
export function podUsage(pod: KubeObject, nowMs: number): QuotaUsage {
  const usage: QuotaUsage = new Map([['count/pods', ONE]])
  if (!isCharged(pod, nowMs)) return usage
  usage.set('pods', ONE)
  for (const [name, amount] of podAmounts(pod, 'requests')) {
    usage.set(`requests.${name}`, amount)
    if (PLAIN.has(name) || name.startsWith('hugepages-')) usage.set(name, amount)
  }
  for (const [name, amount] of podAmounts(pod, 'limits')) if (PLAIN.has(name)) usage.set(`limits.${name}`, amount)
  return usage
}

export function serviceUsage(service: KubeObject): QuotaUsage {
  const spec = objectAt(service['spec'])
  const usage = countUsage('', 'services')
  const ports = objectsAt(spec['ports'])
  if (spec['type'] === 'LoadBalancer') usage.set('services.loadbalancers', ONE)
  if (spec['type'] === 'NodePort') usage.set('services.nodeports', count(ports.length))
  else if (spec['type'] === 'LoadBalancer')
    usage.set(
      'services.nodeports',
      count(spec['allocateLoadBalancerNodePorts'] === false ? ports.filter(({ nodePort }) => nodePort !== undefined).length : ports.length),
    )
  return usage
}

export function claimUsage(claim: KubeObject): QuotaUsage {
  const usage = countUsage('', 'persistentvolumeclaims')
  const className = storageClassOf(claim)
  if (className !== '') usage.set(`${className}.storageclass.storage.k8s.io/persistentvolumeclaims`, ONE)
  const storage = amountsOf(objectAt(objectAt(claim['spec'])['resources'])['requests']).get('storage')
  if (storage === undefined) return usage
  usage.set('requests.storage', storage)
  if (className !== '') usage.set(`${className}.storageclass.storage.k8s.io/requests.storage`, storage)
  return usage
}

const storageClassOf = (claim: KubeObject): string =>
  claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? textAt(objectAt(claim['spec'])['storageClassName'])

/** Whether a quota's scopes take the pod; a quota without scopes takes everything. */
export function quotaCoversPod(quota: KubeObject, pod: KubeObject): boolean {
  const spec = objectAt(quota['spec'])
  const scopes = Array.isArray(spec['scopes']) ? (spec['scopes'] as unknown[]) : []
  const expressions = objectsAt(objectAt(spec['scopeSelector'])['matchExpressions'])
  return scopes.every((scope) => inScope(textAt(scope), pod)) && expressions.every((each) => matchesScope(each, pod))
}

export const hasScopes = (quota: KubeObject): boolean =>
  (Array.isArray(objectAt(quota['spec'])['scopes']) && (objectAt(quota['spec'])['scopes'] as unknown[]).length > 0) ||
  objectAt(quota['spec'])['scopeSelector'] !== undefined

function inScope(scope: string, pod: KubeObject): boolean {
  const spec = objectAt(pod['spec'])
  const terminating = typeof spec['activeDeadlineSeconds'] === 'number'
  const bestEffort = ![...objectsAt(spec['containers']), ...objectsAt(spec['initContainers'])].some((container) =>
    ['requests', 'limits'].some((kind) => ['cpu', 'memory'].some((name) => objectAt(objectAt(container['resources'])[kind])[name] !== undefined)),
  )
  switch (scope) {
    case 'Terminating':
      return terminating
    case 'NotTerminating':
      return !terminating
    case 'BestEffort':
      return bestEffort
    case 'NotBestEffort':
      return !bestEffort
    case 'PriorityClass':
      return textAt(spec['priorityClassName']) !== ''
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(objectAt(spec['affinity']))
    default:
      return false
  }
}

function matchesScope({ scopeName, operator, values }: JsonObject, pod: KubeObject): boolean {
  const scope = textAt(scopeName)
  if (scope !== 'PriorityClass') return operator === 'DoesNotExist' ? !inScope(scope, pod) : inScope(scope, pod)
  const name = textAt(objectAt(pod['spec'])['priorityClassName'])
  const listed = Array.isArray(values) ? (values as unknown[]) : []
  if (operator === 'Exists') return name !== ''
  if (operator === 'DoesNotExist') return name === ''
  return operator === 'In' ? listed.includes(name) : !listed.includes(name)
}

function crossesNamespaces(affinity: JsonObject): boolean {
  return ['podAffinity', 'podAntiAffinity'].some((kind) => {
    const rules = objectAt(affinity[kind])
    const terms = [
      ...objectsAt(rules['requiredDuringSchedulingIgnoredDuringExecution']),
      ...objectsAt(rules['preferredDuringSchedulingIgnoredDuringExecution']).map((each) => objectAt(each['podAffinityTerm'])),
    ]
    return terms.some((term) => (Array.isArray(term['namespaces']) && term['namespaces'].length > 0) || term['namespaceSelector'] !== undefined)
  })
}
