import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { parseQuantity, quantityText, type Quantity } from '#shared/kubernetes/quantity.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { addUsage, claimUsage, countUsage, hasScopes, podUsage, quotaCoversPod, serviceUsage, type QuotaUsage } from '#shared/planning/quota/usage.ts'
import {
  CONFIG_MAPS,
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  PERSISTENT_VOLUME_CLAIMS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  RESOURCE_QUOTAS,
  SECRETS,
  SERVICES,
  STATEFUL_SETS,
} from '#electron/client/resources.ts'
import { keyOf, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'

/** Everything is counted anew this often, what no watch tells of too. */
const RESYNC_MS = 300_000
/** Collections whose objects can be counted and that are watched anyway. */
const COUNTED = [CONFIG_MAPS, SECRETS, REPLICATION_CONTROLLERS, RESOURCE_QUOTAS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, JOBS, CRON_JOBS]

/** Keeps the used amounts of ResourceQuotas; admission refuses what would go beyond. */
export function resourceQuotaController(context: ControllerContext): Controller {
  const { client, clock } = context
  const quotas = context.informer(RESOURCE_QUOTAS)
  const pods = context.informer(PODS)
  const services = context.informer(SERVICES)
  const claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
  const counted = COUNTED.map((gvr) => ({ gvr, informer: context.informer(gvr) }))
  const queue = context.queue('resourcequota', sync)

  quotas.onEvent(({ type, object, old }) => {
    if (type === 'delete' || deepEqual(old?.['spec'], object['spec'])) return
    queue.add(keyOf(object))
  })
  const replenish = (object: KubeObject): void => {
    for (const quota of quotas.byIndex('namespace', object.metadata.namespace ?? '')) queue.add(keyOf(quota))
  }
  pods.onEvent(({ type, object, old }) => {
    const phase = (pod: KubeObject | undefined): string => textAt(objectAt(pod?.['status'])['phase'])
    if (type !== 'update' || phase(old) !== phase(object) || old?.metadata.deletionTimestamp !== object.metadata.deletionTimestamp) replenish(object)
  })
  for (const informer of [services, claims])
    informer.onEvent(({ object }) => {
      replenish(object)
    })
  for (const { informer } of counted)
    informer.onEvent(({ type, object }) => {
      if (type !== 'update') replenish(object)
    })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const quota = quotas.get(namespace, name)
    if (quota === undefined) return
    const hard = objectAt(specOf(quota)['hard'])
    const usage = await usageOf(quota, Object.keys(hard), signal)
    const used: JsonObject = {}
    for (const [resource, amount] of Object.entries(hard)) used[resource] = quantityText(usage.get(resource) ?? zeroOf(amount))
    const status = { hard, used }
    if (deepEqual(statusOf(quota), status)) return
    try {
      await client.update(RESOURCE_QUOTAS, { namespace, name, subresource: 'status' }, { ...quota, status }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async function usageOf(quota: KubeObject, resources: readonly string[], signal: AbortSignal): Promise<QuotaUsage> {
    const namespace = quota.metadata.namespace ?? ''
    const total: QuotaUsage = new Map()
    for (const pod of pods.byIndex('namespace', namespace)) if (quotaCoversPod(quota, pod)) addUsage(total, podUsage(pod, clock.now()))
    // Scopes speak of pods alone.
    if (hasScopes(quota)) return total
    for (const service of services.byIndex('namespace', namespace)) addUsage(total, serviceUsage(service))
    for (const claim of claims.byIndex('namespace', namespace)) addUsage(total, claimUsage(claim))
    for (const { gvr, informer } of counted) for (const _ of informer.byIndex('namespace', namespace)) addUsage(total, countUsage(gvr.group, gvr.resource))
    for (const resource of resources) await countOther(total, { resource, namespace }, signal)
    return total
  }

  /** Objects of any other resource, counted by listing them. */
  async function countOther(total: QuotaUsage, { resource, namespace }: { resource: string; namespace: string }, signal: AbortSignal): Promise<void> {
    const match = /^count\/([^.]+)\.?(.*)$/.exec(resource)
    if (match === null || total.has(resource)) return
    const [, plural = '', group = ''] = match
    const gvr: GroupVersionResource | null = context.served({ group, version: 'v1', resource: plural })
    if (gvr === null) return
    try {
      const { items } = await client.list(gvr, { namespace }, signal)
      for (const _ of items) addUsage(total, countUsage(group, plural))
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async function resync(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const quota of quotas.list()) queue.add(keyOf(quota))
      await clock.sleep(RESYNC_MS, { signal }).catch(() => undefined)
    }
  }

  return {
    name: 'resourcequota',
    run: async (signal) => {
      await Promise.all([queue.run(signal), resync(signal)])
    },
  }
}

/** Nothing, in the form of the limit. */
function zeroOf(limit: unknown): Quantity {
  const quantity = parseQuantity(String(limit))
  const zero = parseQuantity('0')
  if (zero === null) throw new Error('0 is a quantity')
  return quantity === null ? zero : { ...quantity, mantissa: 0n }
}
