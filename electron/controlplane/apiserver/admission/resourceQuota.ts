import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { addQuantities, compareQuantities, parseQuantity, quantityText, subtractQuantities, type Quantity } from '#shared/kubernetes/quantity.ts'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { claimUsage, countUsage, hasScopes, podUsage, quotaCoversPod, serviceUsage, type QuotaUsage } from '#shared/planning/quota/usage.ts'
import type { ApiResource } from '../registry/apiResources.ts'
import type { RestStore, WriteContext } from '../registry/restStore.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { refusal } from './refusal.ts'

export interface ResourceQuotaOptions {
  /** There only once the store is. */
  rest: () => RestStore
  quotaResource: () => ApiResource | undefined
  nowMs: () => number
}

/** What containers must name when a quota limits it; upstream calls it a mistake, and keeps it. */
const MUST_BE_NAMED = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']
const ATTEMPTS = 4

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

/**
 * Refuses what would use more than a namespace's quotas leave, and counts what it lets through at once: requests of one namespace
 * wait for each other here, so that two cannot use the same rest.
 *
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go
 */
export class ResourceQuota implements AdmissionPlugin {
  readonly name = 'ResourceQuota'
  readonly #options: ResourceQuotaOptions
  /** The last request of each namespace. */
  readonly #queues = new Map<string, Promise<void>>()

  constructor(options: ResourceQuotaOptions) {
    this.#options = options
  }

  validate(request: AdmissionRequest): Promise<void> | undefined {
    const { namespace, context, resource } = request
    if (namespace === '' || context.subresource !== '' || !resource.namespaced || !handles(request)) return undefined
    if (this.#quotas(namespace).length === 0) return undefined
    const before = this.#queues.get(namespace) ?? Promise.resolve()
    const own = before.then(() => this.#charge(request))
    const settled = own.catch(() => undefined)
    this.#queues.set(namespace, settled)
    void settled.then(() => {
      if (this.#queues.get(namespace) === settled) this.#queues.delete(namespace)
    })
    return own
  }

  #quotas(namespace: string): KubeObject[] {
    return [...this.#options.rest().store.collection('resourcequotas').range(`/registry/resourcequotas/${namespace}/`)].map(({ object }) => object)
  }

  async #charge(request: AdmissionRequest): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const changed = this.#check(request)
      if (request.context.dryRun) return
      try {
        for (const quota of changed) await this.#write(quota, request.context)
        return
      } catch (error) {
        // The controller wrote meanwhile: everything is looked at again.
        if ((!isConflict(error) && !isNotFound(error)) || attempt >= ATTEMPTS) throw error
      }
    }
  }

  /** @returns the quotas with their new usage; @throws StatusError 403 */
  #check(request: AdmissionRequest): KubeObject[] {
    const { object, old } = request
    const usage = this.#usageOf(request, object)
    const delta = nonZero(old === null ? usage : subtract(usage, this.#usageOf(request, old)))
    const changed: KubeObject[] = []
    for (const quota of this.#quotas(request.namespace)) {
      const { hard, used } = objectAt(quota['status'])
      const limited = Object.keys(objectAt(hard)).filter((name) => tracks(request.resource, name))
      if (limited.length === 0 || !covers(quota, request)) continue
      const name = quota.metadata.name ?? ''
      const missing = unnamed(request, limited)
      if (missing.length > 0) throw refusal(request, `failed quota: ${name}: must specify ${missing.join(',')}`, 'validate')
      if (limited.some((each) => objectAt(used)[each] === undefined))
        throw refusal(request, `status unknown for quota: ${name}, resources: ${limited.sort().join(',')}`, 'validate')
      const next = charged(request, quota, new Map([...delta].filter(([each]) => limited.includes(each))))
      if (next !== null) changed.push(next)
    }
    return changed
  }

  #usageOf({ resource }: AdmissionRequest, object: KubeObject): QuotaUsage {
    if (resource.group !== '') return countUsage(resource.group, resource.plural)
    switch (resource.plural) {
      case 'pods':
        return podUsage(object, this.#options.nowMs())
      case 'services':
        return serviceUsage(object)
      case 'persistentvolumeclaims':
        return claimUsage(object)
      default:
        return countUsage('', resource.plural)
    }
  }

  async #write(quota: KubeObject, { signal }: WriteContext): Promise<void> {
    const resource = this.#options.quotaResource()
    if (resource === undefined) return
    const { namespace = '', name = '' } = quota.metadata
    const context: WriteContext = {
      user: { username: 'system:apiserver', groups: ['system:masters'] },
      subresource: 'status',
      fieldManager: 'kube-apiserver',
      dryRun: false,
      warnings: [],
      annotations: {},
      signal,
    }
    await this.#options.rest().update(resource, namespace, name, () => structuredClone(quota), { retry: false }, context)
  }
}

/** Pods and counted objects are charged when they are made; services and claims when they change, too. */
function handles({ operation, resource }: AdmissionRequest): boolean {
  if (operation === 'CREATE') return true
  return operation === 'UPDATE' && resource.group === '' && (resource.plural === 'services' || resource.plural === 'persistentvolumeclaims')
}

/** Whether a resource's objects use up what a quota calls `name`. */
function tracks({ group, plural }: ApiResource, name: string): boolean {
  if (name === `count/${plural}${group === '' ? '' : `.${group}`}`) return true
  if (group !== '') return false
  switch (plural) {
    case 'pods':
      return (
        name === 'pods' ||
        name === 'cpu' ||
        name === 'memory' ||
        name === 'ephemeral-storage' ||
        name.startsWith('limits.') ||
        name.startsWith('hugepages-') ||
        (name.startsWith('requests.') && name !== 'requests.storage')
      )
    case 'services':
      return name === 'services' || name.startsWith('services.')
    case 'persistentvolumeclaims':
      return name === 'persistentvolumeclaims' || name === 'requests.storage' || name.includes('.storageclass.storage.k8s.io/')
    default:
      return name === plural
  }
}

function covers(quota: KubeObject, { resource, object }: AdmissionRequest): boolean {
  if (resource.group === '' && resource.plural === 'pods') return quotaCoversPod(quota, object)
  return !hasScopes(quota)
}

/** What a quota limits and some container does not name. */
function unnamed({ resource, object }: AdmissionRequest, limited: readonly string[]): string[] {
  if (resource.group !== '' || resource.plural !== 'pods') return []
  const wanted = MUST_BE_NAMED.filter((name) => limited.includes(name))
  if (wanted.length === 0) return []
  const spec = objectAt(object['spec'])
  const missing = new Set<string>()
  for (const container of [...objects(spec['containers']), ...objects(spec['initContainers'])]) {
    const { requests, limits } = objectAt(container['resources'])
    for (const name of wanted) {
      const amounts = name.startsWith('limits.') ? objectAt(limits) : objectAt(requests)
      if (amounts[name.replace(/^(requests|limits)\./, '')] === undefined) missing.add(name)
    }
  }
  return [...missing].sort()
}

/** @returns the quota with `delta` used up; null when it uses nothing of it; @throws StatusError 403 */
function charged(request: AdmissionRequest, quota: KubeObject, delta: QuotaUsage): KubeObject | null {
  if (delta.size === 0) return null
  const status = objectAt(quota['status'])
  const [hard, used] = [amounts(status['hard']), amounts(status['used'])]
  const next = new Map([...delta].map(([name, amount]) => [name, plus(used.get(name), amount)]))
  const exceeded = [...next].filter(([name, amount]) => compareQuantities(amount, hard.get(name) ?? amount) > 0).map(([name]) => name)
  if (exceeded.length > 0) {
    const [requested, inUse, limit] = [delta, used, hard].map((list) => shown(list, exceeded))
    throw refusal(
      request,
      `exceeded quota: ${quota.metadata.name ?? ''}, requested: ${requested ?? ''}, used: ${inUse ?? ''}, limited: ${limit ?? ''}`,
      'validate',
    )
  }
  return {
    ...quota,
    status: { ...status, used: { ...objectAt(status['used']), ...Object.fromEntries([...next].map(([name, amount]) => [name, quantityText(amount)])) } },
  }
}

const plus = (a: Quantity | undefined, b: Quantity): Quantity => (a === undefined ? b : addQuantities(a, b))

function shown(list: QuotaUsage, names: readonly string[]): string {
  return [...names]
    .sort()
    .flatMap((name) => {
      const amount = list.get(name)
      return amount === undefined ? [] : [`${name}=${quantityText(amount)}`]
    })
    .join(',')
}

function amounts(list: unknown): QuotaUsage {
  return new Map(
    Object.entries(objectAt(list)).flatMap(([name, value]) => {
      const quantity = parseQuantity(String(value))
      return quantity === null ? [] : [[name, quantity] as const]
    }),
  )
}

/** What is more than before; less gives nothing back here, the controller counts it. */
function subtract(now: QuotaUsage, before: QuotaUsage): QuotaUsage {
  return new Map(
    [...now].map(([name, amount]) => {
      const known = before.get(name)
      const difference = known === undefined ? amount : subtractQuantities(amount, known)
      return [name, difference.mantissa < 0n ? { ...difference, mantissa: 0n } : difference]
    }),
  )
}

const nonZero = (usage: QuotaUsage): QuotaUsage => new Map([...usage].filter(([, { mantissa }]) => mantissa !== 0n))
