import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesRequirements, parseLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import { parseGroupVersion, type GroupVersionResource, type KubeObject } from '#shared/kubernetes/object.ts'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { HORIZONTAL_POD_AUTOSCALERS, PODS } from '#electron/client/resources.ts'
import { countAt, keyOf, objectsAt, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { discoverResources } from '../../discoverResources.ts'
import { errorText } from '../../podControl.ts'
import { milliOf, resourceReplicas, resourceTarget, type PodMetrics, type Proposal, type ResourceTarget } from './replicaCalculator.ts'
import { policyLimit, rulesOf, type ScaleEvent } from './scalingRules.ts'

const PERIOD_MS = 15_000

interface Memory {
  recommendations: { atMs: number; replicas: number }[]
  ups: ScaleEvent[]
  downs: ScaleEvent[]
}

interface Scale {
  gvr: GroupVersionResource
  object: KubeObject
  replicas: number
  selector: string
}

/** Sizes workloads by the resources their pods use, as metrics.k8s.io tells. @see pkg/controller/podautoscaler/horizontal.go */
export function horizontalPodAutoscalerController(context: ControllerContext): Controller {
  const { client, clock } = context
  const gvr = context.resource(HORIZONTAL_POD_AUTOSCALERS)
  const autoscalers = context.informer(HORIZONTAL_POD_AUTOSCALERS)
  const pods = context.informer(PODS)
  const events = context.recorder('horizontal-pod-autoscaler')
  const queue = context.queue('horizontalpodautoscaler', sync)
  const memories = new Map<string, Memory>()
  autoscalers.onEvent(({ type, object, old }) => {
    if (type === 'delete') memories.delete(object.metadata.uid ?? '')
    else if (type === 'add' || !deepEqual(old?.['spec'], object['spec'])) queue.add(keyOf(object))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const autoscaler = autoscalers.get(namespace, name)
    if (autoscaler === undefined) return
    queue.addAfter(key, PERIOD_MS)
    const round = new Conditions(autoscaler, context.now())
    const status: JsonObject = {
      ...statusOf(autoscaler),
      ...(autoscaler.metadata.generation === undefined ? {} : { observedGeneration: autoscaler.metadata.generation }),
    }
    const scale = await scaleOf(autoscaler, round, signal)
    if (scale !== null) await decide(autoscaler, scale, { round, status }, signal)
    status['conditions'] = round.list
    status['currentReplicas'] = scale?.replicas ?? countAt(status['currentReplicas'])
    status['desiredReplicas'] = countAt(status['desiredReplicas'])
    if (deepEqual(statusOf(autoscaler), status)) return
    try {
      await client.update(gvr, { namespace, name, subresource: 'status' }, { ...autoscaler, status }, signal)
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  async function scaleOf(autoscaler: KubeObject, round: Conditions, signal: AbortSignal): Promise<Scale | null> {
    const ref = objectAt(specOf(autoscaler)['scaleTargetRef'])
    const { group } = parseGroupVersion(textAt(ref['apiVersion']) || 'v1')
    try {
      const found = (await discoverResources(client, signal, ['get'])).find((each) => each.kind === ref['kind'] && each.gvr.group === group)
      if (found === undefined) throw new Error(`no matches for kind "${textAt(ref['kind'])}" in group "${group}"`)
      const object = await client.get(found.gvr, { namespace: autoscaler.metadata.namespace, name: textAt(ref['name']), subresource: 'scale' }, signal)
      round.set('AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale")
      return { gvr: found.gvr, object, replicas: countAt(specOf(object)['replicas']), selector: textAt(statusOf(object)['selector']) }
    } catch (error) {
      if (signal.aborted) throw error
      events.event(autoscaler, 'Warning', 'FailedGetScale', errorText(error))
      round.set('AbleToScale', 'False', 'FailedGetScale', `the HPA controller was unable to get the target's current scale: ${errorText(error)}`)
      return null
    }
  }

  async function decide(
    autoscaler: KubeObject,
    scale: Scale,
    { round, status }: { round: Conditions; status: JsonObject },
    signal: AbortSignal,
  ): Promise<void> {
    const spec = specOf(autoscaler)
    const least = typeof spec['minReplicas'] === 'number' ? spec['minReplicas'] : 1
    const most = countAt(spec['maxReplicas'])
    const current = scale.replicas
    const memory = memories.get(autoscaler.metadata.uid ?? '') ?? { recommendations: [{ atMs: clock.now(), replicas: current }], ups: [], downs: [] }
    memories.set(autoscaler.metadata.uid ?? '', memory)
    let desired: number
    let reason: string
    if (current === 0 && least !== 0) {
      round.set('ScalingActive', 'False', 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero')
      status['desiredReplicas'] = 0
      return
    }
    if (current > most) [desired, reason] = [most, 'Current number of replicas above Spec.MaxReplicas']
    else if (current < least) [desired, reason] = [least, 'Current number of replicas below Spec.MinReplicas']
    else {
      const measured = await measure(autoscaler, scale, { round, status }, signal)
      if (measured === null) {
        status['desiredReplicas'] = countAt(statusOf(autoscaler)['desiredReplicas'])
        return
      }
      desired = normalize({ autoscaler, memory, round }, { current, proposed: measured.replicas, least, most })
      reason = desired > current ? `${measured.metric} above target` : desired < current ? 'All metrics below target' : ''
    }
    if (desired !== current) await rescale(autoscaler, scale, { round, desired, reason, memory }, signal)
    else
      round.set(
        'AbleToScale',
        'True',
        round.stabilized ? 'ScaleDownStabilized' : 'ReadyForNewScale',
        round.stabilized ? STABILIZED : 'recommended size matches current size',
      )
    if (desired !== current) status['lastScaleTime'] = context.now()
    status['desiredReplicas'] = desired
  }

  /** The largest number any metric asks for. */
  async function measure(
    autoscaler: KubeObject,
    scale: Scale,
    { round, status }: { round: Conditions; status: JsonObject },
    signal: AbortSignal,
  ): Promise<{ replicas: number; metric: string } | null> {
    const selector = parseLabelSelector(scale.selector)
    if (scale.selector === '' || selector.error !== undefined) {
      events.event(autoscaler, 'Warning', 'SelectorRequired', 'selector is required')
      round.set('ScalingActive', 'False', 'InvalidSelector', "the HPA target's scale is missing a selector")
      return null
    }
    const own = pods
      .byIndex('namespace', autoscaler.metadata.namespace ?? '')
      .filter((pod) => matchesRequirements(selector.requirements, pod.metadata.labels ?? {}))
    let best: { replicas: number; metric: string } | null = null
    let failure: { reason: string; message: string } | null = null
    const currentMetrics: JsonObject[] = []
    for (const metric of objectsAt(specOf(autoscaler)['metrics'])) {
      const target = resourceTarget(metric)
      try {
        if (target === null) throw new Error(`unable to get metric: no ${textAt(metric['type'])} metrics API is served`)
        const measured = await podMetrics(autoscaler, scale.selector, target, signal)
        const proposal = resourceReplicas(own, measured, { target, current: scale.replicas, nowMs: clock.now(), selector: scale.selector })
        currentMetrics.push(metricStatus(target, proposal))
        const text = `${target.resource} resource${target.kind === 'Utilization' ? ' utilization (percentage of request)' : ''}`
        if (best === null || proposal.replicas > best.replicas) best = { replicas: proposal.replicas, metric: text }
      } catch (error) {
        if (signal.aborted) throw error
        const reason = target === null ? 'FailedGetExternalMetric' : 'FailedGetResourceMetric'
        const message = target?.kind === 'Utilization' ? `failed to get ${target.resource} utilization: ${errorText(error)}` : errorText(error)
        events.event(autoscaler, 'Warning', reason, message)
        failure ??= { reason, message }
      }
    }
    status['currentMetrics'] = currentMetrics
    // A metric that cannot be read stops shrinking: it might have asked for more.
    if (best === null || (failure !== null && best.replicas < scale.replicas)) {
      const { reason, message } = failure ?? { reason: 'InvalidMetricSourceType', message: 'no metrics' }
      round.set('ScalingActive', 'False', reason, `the HPA was unable to compute the replica count: ${message}`)
      events.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', `invalid metrics (1 invalid out of 1), first error is: ${message}`)
      return null
    }
    round.set('ScalingActive', 'True', 'ValidMetricFound', `the HPA was able to successfully calculate a replica count from ${best.metric}`)
    return best
  }

  async function podMetrics(autoscaler: KubeObject, selector: string, { resource }: ResourceTarget, signal: AbortSignal): Promise<PodMetrics> {
    const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${autoscaler.metadata.namespace ?? ''}/pods?labelSelector=${encodeURIComponent(selector)}`
    let list: unknown
    try {
      list = await client.raw(path, signal)
    } catch (error) {
      // client-go's words where the server has no such API.
      const told = isNotFound(error) ? 'the server could not find the requested resource (get pods.metrics.k8s.io)' : errorText(error)
      throw new Error(`unable to get metrics for resource ${resource}: unable to fetch metrics from resource metrics API: ${told}`, { cause: error })
    }
    const result = new Map<string, number>()
    for (const item of objectsAt(objectAt(list)['items'])) {
      const containers = objectsAt(item['containers'])
      if (containers.every((container) => objectAt(container['usage'])[resource] !== undefined))
        result.set(
          textAt(objectAt(item['metadata'])['name']),
          containers.reduce((sum, container) => sum + milliOf(objectAt(container['usage'])[resource]), 0),
        )
    }
    if (result.size === 0) throw new Error(`unable to get metrics for resource ${resource}: no metrics returned from resource metrics API`)
    return result
  }

  function normalize(
    { autoscaler, memory, round }: { autoscaler: KubeObject; memory: Memory; round: Conditions },
    { current, proposed, least, most }: { current: number; proposed: number; least: number; most: number },
  ): number {
    const nowMs = clock.now()
    const { behavior } = specOf(autoscaler)
    const [up, down] = [rulesOf(behavior, 'scaleUp'), rulesOf(behavior, 'scaleDown')]
    memory.recommendations = memory.recommendations.filter(({ atMs }) => atMs > nowMs - Math.max(up.windowMs, down.windowMs))
    const within = (windowMs: number): number[] => [
      proposed,
      ...memory.recommendations.filter(({ atMs }) => atMs > nowMs - windowMs).map(({ replicas }) => replicas),
    ]
    const lowest = Math.min(...within(up.windowMs))
    const highest = Math.max(...within(down.windowMs))
    memory.recommendations.push({ atMs: nowMs, replicas: proposed })
    const stable = current < lowest ? lowest : current > highest ? highest : current
    round.stabilized = stable !== proposed && stable >= proposed
    const limit =
      stable > current
        ? Math.min(most, policyLimit('scaleUp', { current, behavior, events: memory.ups, nowMs }))
        : stable < current
          ? Math.max(least, policyLimit('scaleDown', { current, behavior, events: memory.downs, nowMs }))
          : stable
    const allowed = stable > current ? Math.min(stable, Math.max(current, limit)) : stable < current ? Math.max(stable, Math.min(current, limit)) : stable
    const clamped = Math.min(most, Math.max(least, allowed))
    if (stable > most || proposed > most)
      round.set('ScalingLimited', 'True', 'TooManyReplicas', 'the desired replica count is more than the maximum replica count')
    else if (stable < least || proposed < least)
      round.set('ScalingLimited', 'True', 'TooFewReplicas', 'the desired replica count is less than the minimum replica count')
    else if (clamped !== stable)
      round.set(
        'ScalingLimited',
        'True',
        stable > current ? 'ScaleUpLimit' : 'ScaleDownLimit',
        `the desired replica count is ${stable > current ? 'increasing' : 'decreasing'} faster than the maximum scale rate`,
      )
    else round.set('ScalingLimited', 'False', 'DesiredWithinRange', 'the desired count is within the acceptable range')
    return clamped
  }

  async function rescale(
    autoscaler: KubeObject,
    scale: Scale,
    { round, desired, reason, memory }: { round: Conditions; desired: number; reason: string; memory: Memory },
    signal: AbortSignal,
  ): Promise<void> {
    const ref = objectAt(specOf(autoscaler)['scaleTargetRef'])
    try {
      const body = { ...scale.object, spec: { ...specOf(scale.object), replicas: desired } }
      await client.update(scale.gvr, { namespace: autoscaler.metadata.namespace, name: textAt(ref['name']), subresource: 'scale' }, body, signal)
    } catch (error) {
      if (signal.aborted) throw error
      events.event(autoscaler, 'Warning', 'FailedRescale', `New size: ${String(desired)}; reason: ${reason}; error: ${errorText(error)}`)
      round.set('AbleToScale', 'False', 'FailedUpdateScale', `the HPA controller was unable to update the target scale: ${errorText(error)}`)
      throw error
    }
    const change = { atMs: clock.now(), change: Math.abs(desired - scale.replicas) }
    ;(desired > scale.replicas ? memory.ups : memory.downs).push(change)
    round.set('AbleToScale', 'True', 'SucceededRescale', `the HPA controller was able to update the target scale to ${String(desired)}`)
    events.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${String(desired)}; reason: ${reason}`)
  }

  return { name: 'horizontalpodautoscaling', run: (signal) => queue.run(signal) }
}

const STABILIZED = 'recent recommendations were higher than current one, applying the highest recent recommendation'

function metricStatus({ resource, kind }: ResourceTarget, { utilization, average }: Proposal): JsonObject {
  const averageValue = resource === 'cpu' ? `${String(average)}m` : String(Math.floor(average / 1000))
  return { type: 'Resource', resource: { name: resource, current: { ...(kind === 'Utilization' ? { averageUtilization: utilization } : {}), averageValue } } }
}

/** The autoscaler's conditions, of which each look replaces some. */
class Conditions {
  list: JsonObject[]
  stabilized = false
  readonly #now: string

  constructor(autoscaler: KubeObject, now: string) {
    this.list = objectsAt(statusOf(autoscaler)['conditions'])
    this.#now = now
  }

  set(type: string, status: string, reason: string, message: string): void {
    const known = this.list.find((each) => each['type'] === type)
    const lastTransitionTime = known?.['status'] === status ? known['lastTransitionTime'] : this.#now
    const next = { type, status, lastTransitionTime, reason, message }
    this.list = known === undefined ? [...this.list, next] : this.list.map((each) => (each === known ? next : each))
  }
}
