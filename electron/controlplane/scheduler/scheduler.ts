import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { deepEqual } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { filterNode, fitErrorMessage, prepareCycle, type CycleState, type Refusal, type SchedulingView } from '#shared/planning/scheduling/filters.ts'
import { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'
import { isFinished, nodeNameOf, objectAt, objectsAt, priorityOf, specOf, textAt } from '#shared/planning/scheduling/pod.ts'
import { scoreNodes } from '#shared/planning/scheduling/scores.ts'
import { volumesOn, type VolumePlan } from '#shared/planning/scheduling/volumes.ts'
import { minorOf, servedResources } from '#shared/kubernetes/schema/served.ts'
import { EventRecorder } from '#electron/client/eventRecorder.ts'
import { Informer } from '#electron/client/informer.ts'
import { NAMESPACES, NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, POD_DISRUPTION_BUDGETS, PODS, STORAGE_CLASSES } from '#electron/client/resources.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { choosePreemption } from './preemption.ts'

export interface SchedulerOptions {
  transport: Transport
  clock: Clock
  random: Random
  logger: Logger
  signal: AbortSignal
  /** Which plugins and messages there are differs between releases. */
  kubernetesVersion: string
  /** Pods that ask for another one are left alone. @default default-scheduler */
  schedulerName?: string
}

// Upstream: 1 s doubling to 10 s.
const FIRST_BACKOFF_MS = 1_000
const MAX_BACKOFF_MS = 10_000
/** What no event woke is tried again anyway (upstream: 5 minutes). */
const UNSCHEDULABLE_MS = 300_000

/** Runs until the signal aborts. */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  await new Scheduler(options).run()
}

interface Waiting {
  attempts: number
  /** When it may be tried again. */
  notBeforeMs: number
}

class Scheduler {
  readonly #options: SchedulerOptions
  readonly #name: string
  readonly #client: RestClient
  readonly #events: EventRecorder
  readonly #pods: Informer
  readonly #nodes: Informer
  readonly #namespaces: Informer
  readonly #claims: Informer
  readonly #volumes: Informer
  readonly #classes: Informer
  readonly #budgets: Informer
  readonly #view: SchedulingView
  readonly #infos = new Map<string, NodeInfo>()
  /** Pods placed here whose binding the API server has not told yet, by uid. */
  readonly #assumed = new Map<string, string>()
  readonly #active = new Set<string>()
  readonly #waiting = new Map<string, Waiting>()
  #wake: (() => void) | null = null

  constructor(options: SchedulerOptions) {
    this.#options = options
    const { transport, clock, random, logger } = options
    this.#name = options.schedulerName ?? 'default-scheduler'
    this.#client = new RestClient(transport, { userAgent: 'kube-scheduler' })
    this.#events = new EventRecorder({ client: this.#client, clock, component: this.#name, logger })
    const informer = (gvr: typeof PODS): Informer => new Informer({ client: this.#client, gvr, clock, random, logger })
    this.#pods = informer(PODS)
    this.#nodes = informer(NODES)
    this.#namespaces = informer(NAMESPACES)
    this.#claims = informer(PERSISTENT_VOLUME_CLAIMS)
    this.#volumes = informer(PERSISTENT_VOLUMES)
    this.#classes = informer(STORAGE_CLASSES)
    const policy = servedResources(options.kubernetesVersion).find(({ plural }) => plural === POD_DISRUPTION_BUDGETS.resource)
    this.#budgets = informer({ ...POD_DISRUPTION_BUDGETS, version: policy?.version ?? POD_DISRUPTION_BUDGETS.version })
    this.#view = {
      namespaceLabels: (namespace) => this.#namespaces.get('', namespace)?.metadata.labels ?? {},
      minor: minorOf(options.kubernetesVersion),
      volumes: {
        claim: (namespace, claim) => this.#claims.get(namespace, claim),
        volume: (volume) => this.#volumes.get('', volume),
        volumes: () => this.#volumes.list(),
        storageClass: (storageClass) => this.#classes.get('', storageClass),
      },
    }
  }

  async run(): Promise<void> {
    const { signal } = this.#options
    this.#nodes.onEvent(({ type, object, old }) => {
      this.#nodeChanged(type, object, old)
    })
    this.#pods.onEvent(({ type, object }) => {
      this.#podChanged(type, object)
    })
    // A claim that is bound or a volume that comes may be what a pod waits for.
    for (const informer of [this.#claims, this.#volumes, this.#classes])
      informer.onEvent(() => {
        this.#retryAll()
      })
    const informers = [this.#nodes, this.#namespaces, this.#claims, this.#volumes, this.#classes, this.#budgets, this.#pods]
    const running = informers.map((informer) => informer.run(signal))
    try {
      await Promise.all(informers.map((informer) => informer.synced(signal)))
      await this.#loop(signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#events.stop()
      await Promise.all(running)
    }
  }

  #nodeChanged(type: 'add' | 'update' | 'delete', node: KubeObject, old: KubeObject | undefined): void {
    const name = node.metadata.name ?? ''
    if (type === 'delete') {
      this.#infos.delete(name)
      return
    }
    const info = this.#infos.get(name)
    if (info === undefined) {
      const made = new NodeInfo(node)
      for (const pod of this.#pods.list()) if (nodeNameOf(pod) === name && !isFinished(pod)) made.add(pod)
      this.#infos.set(name, made)
    } else info.update(node)
    // A heartbeat makes room for nobody.
    const relevant =
      old === undefined ||
      !deepEqual(old['spec'], node['spec']) ||
      !deepEqual(old.metadata.labels, node.metadata.labels) ||
      !deepEqual(objectAt(old['status'])['allocatable'], objectAt(node['status'])['allocatable'])
    if (relevant) this.#retryAll()
  }

  #podChanged(type: 'add' | 'update' | 'delete', pod: KubeObject): void {
    const key = `${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''}`
    const uid = pod.metadata.uid ?? ''
    const node = nodeNameOf(pod)
    if (type === 'delete' || isFinished(pod)) {
      this.#active.delete(key)
      this.#waiting.delete(key)
      const info = this.#infos.get(node !== '' ? node : (this.#assumed.get(uid) ?? ''))
      this.#assumed.delete(uid)
      info?.remove(pod)
      if (info !== undefined) this.#retryAll()
    } else if (node !== '') {
      const assumed = this.#assumed.get(uid)
      if (assumed !== undefined && assumed !== node) this.#infos.get(assumed)?.remove(pod)
      this.#assumed.delete(uid)
      this.#active.delete(key)
      this.#waiting.delete(key)
      this.#infos.get(node)?.add(pod)
      // A pod with affinity may have been waiting for this one.
      if (assumed === undefined) this.#retryAll()
    } else if (this.#isMine(pod) && !this.#assumed.has(uid) && !this.#waiting.has(key)) {
      this.#active.add(key)
      this.#wake?.()
    }
  }

  #isMine(pod: KubeObject): boolean {
    const spec = specOf(pod)
    return (
      (textAt(spec['schedulerName']) || 'default-scheduler') === this.#name &&
      pod.metadata.deletionTimestamp === undefined &&
      objectsAt(spec['schedulingGates']).length === 0
    )
  }

  /** Something changed that may make room. */
  #retryAll(): void {
    const now = this.#options.clock.now()
    for (const [key, { notBeforeMs, attempts }] of this.#waiting) {
      const backoffEnds = notBeforeMs - UNSCHEDULABLE_MS
      if (backoffEnds <= now) this.#active.add(key)
      else this.#waiting.set(key, { attempts, notBeforeMs: Math.min(notBeforeMs, backoffEnds) })
    }
    this.#wake?.()
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const key = this.#next()
      if (key === null) await this.#idle(signal)
      else await this.#schedule(key, signal)
    }
  }

  /** The most important pod first, then the oldest. */
  #next(): string | null {
    const now = this.#options.clock.now()
    for (const [key, { notBeforeMs }] of this.#waiting) if (notBeforeMs <= now) this.#active.add(key)
    let best: { key: string; pod: KubeObject } | null = null
    for (const key of this.#active) {
      const slash = key.indexOf('/')
      const pod = this.#pods.get(key.slice(0, slash), key.slice(slash + 1))
      if (pod === undefined) {
        this.#active.delete(key)
        continue
      }
      if (best === null || priorityOf(pod) > priorityOf(best.pod)) best = { key, pod }
    }
    if (best !== null) this.#active.delete(best.key)
    return best?.key ?? null
  }

  async #idle(signal: AbortSignal): Promise<void> {
    const soonest = Math.min(...[...this.#waiting.values()].map(({ notBeforeMs }) => notBeforeMs), Number.POSITIVE_INFINITY)
    await new Promise<void>((resolve) => {
      const cancel = Number.isFinite(soonest) ? this.#options.clock.schedule(Math.max(1, soonest - this.#options.clock.now()), done) : undefined
      const wake = done
      function done(): void {
        cancel?.()
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#wake = done
      signal.addEventListener('abort', wake, { once: true })
      if (signal.aborted) done()
    })
    this.#wake = null
  }

  async #schedule(key: string, signal: AbortSignal): Promise<void> {
    const slash = key.indexOf('/')
    const pod = this.#pods.get(key.slice(0, slash), key.slice(slash + 1))
    if (pod === undefined || nodeNameOf(pod) !== '' || !this.#isMine(pod) || this.#assumed.has(pod.metadata.uid ?? '')) return
    const infos = [...this.#infos.values()]
    const state = prepareCycle(pod, infos, this.#view)
    const refusals = new Map<string, Refusal>()
    const feasible = infos.filter((info) => {
      const refusal = filterNode(state, info)
      if (refusal !== null) refusals.set(info.name, refusal)
      return refusal === null
    })
    if (feasible.length === 0) {
      await this.#unschedulable(key, { state, infos, refusals }, signal)
      return
    }
    const scores = scoreNodes(state, feasible)
    const best = scores.filter(({ total }) => total === scores[0]?.total)
    const chosen = best[this.#options.random.below(best.length)]?.info
    if (chosen === undefined) return
    const { plan } = volumesOn(state.volumes, chosen.node, this.#view.volumes)
    if (plan.length > 0) await this.#bindVolumes(key, plan, chosen.name, signal)
    else this.#bind(key, pod, chosen, signal)
  }

  /** Chooses volumes for claims that waited for a node, or has them made for it; the pod comes again once they are bound. */
  async #bindVolumes(key: string, plan: VolumePlan, node: string, signal: AbortSignal): Promise<void> {
    this.#wait(key)
    try {
      for (const { claim, volume } of plan) {
        const { namespace, name = '', uid } = claim.metadata
        if (volume === null)
          await this.#client.patch(
            PERSISTENT_VOLUME_CLAIMS,
            { namespace, name },
            { metadata: { annotations: { 'volume.kubernetes.io/selected-node': node } } },
            { type: 'merge' },
            signal,
          )
        else
          await this.#client.patch(
            PERSISTENT_VOLUMES,
            { name: volume.metadata.name ?? '' },
            {
              metadata: { resourceVersion: volume.metadata.resourceVersion, annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
              spec: { claimRef: { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid } },
            },
            { type: 'merge' },
            signal,
          )
      }
    } catch (error) {
      if (signal.aborted || isNotFound(error) || isConflict(error)) return
      this.#options.logger.warn('binding volumes failed', { pod: key, error: error instanceof Error ? error.message : String(error) })
    }
  }

  /** The next pod is looked at while this binding is on its way, as if it had arrived. */
  #bind(key: string, pod: KubeObject, info: NodeInfo, signal: AbortSignal): void {
    const { namespace = '', name = '', uid = '' } = pod.metadata
    this.#assumed.set(uid, info.name)
    this.#waiting.delete(key)
    info.add(pod)
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace, uid }, target: { apiVersion: 'v1', kind: 'Node', name: info.name } }
    this.#client.create(PODS, { namespace, name, subresource: 'binding' }, binding, signal).then(
      () => {
        this.#events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${info.name}`)
      },
      (error: unknown) => {
        if (signal.aborted) return
        this.#assumed.delete(uid)
        info.remove(pod)
        if (isNotFound(error) || isConflict(error)) return
        this.#options.logger.warn('binding failed', { pod: key, node: info.name, error: error instanceof Error ? error.message : String(error) })
        this.#wait(key)
      },
    )
  }

  #wait(key: string): void {
    const attempts = (this.#waiting.get(key)?.attempts ?? 0) + 1
    const backoff = Math.min(FIRST_BACKOFF_MS * 2 ** (attempts - 1), MAX_BACKOFF_MS)
    this.#waiting.set(key, { attempts, notBeforeMs: this.#options.clock.now() + backoff + UNSCHEDULABLE_MS })
  }

  async #unschedulable(
    key: string,
    { state, infos, refusals }: { state: CycleState; infos: readonly NodeInfo[]; refusals: ReadonlyMap<string, Refusal> },
    signal: AbortSignal,
  ): Promise<void> {
    this.#wait(key)
    const { pod } = state
    const { minor } = this.#view
    const preemption = choosePreemption(pod, infos, refusals, { view: this.#view, budgets: this.#budgets.list() })
    const fit = fitErrorMessage(infos.length, refusals.values(), state)
    // What preemption found is told since 1.24.
    const told = preemption.kind === 'victims' ? '' : ` preemption: ${preemption.message}`
    const message = minor >= 24 && infos.length > 0 ? `${fit}${told}` : fit
    await this.#tell(key, pod, { message, nominated: preemption.kind === 'victims' ? preemption.node : null }, signal)
    if (preemption.kind !== 'victims') return
    const { namespace = '', name = '', uid = '' } = pod.metadata
    try {
      for (const victim of preemption.victims) {
        await this.#client.delete(PODS, { namespace: victim.metadata.namespace, name: victim.metadata.name ?? '' }, { uid: victim.metadata.uid }, signal)
        const by = minor >= 26 ? `pod ${uid}` : `${namespace}/${name}`
        this.#events.event(victim, 'Normal', 'Preempted', `Preempted by ${by} on node ${preemption.node}`)
      }
    } catch (error) {
      if (signal.aborted || isNotFound(error) || isConflict(error)) return
      this.#options.logger.warn('preempting failed', { pod: key, error: error instanceof Error ? error.message : String(error) })
    }
  }

  /** The pod's condition and event of an attempt that found no node. */
  async #tell(key: string, pod: KubeObject, { message, nominated }: { message: string; nominated: string | null }, signal: AbortSignal): Promise<void> {
    this.#events.event(pod, 'Warning', 'FailedScheduling', message)
    try {
      await this.#setCondition(pod, message, nominated, signal)
    } catch (error) {
      if (signal.aborted || isNotFound(error) || isConflict(error)) return
      this.#options.logger.warn('telling that a pod cannot be scheduled failed', { pod: key, error: error instanceof Error ? error.message : String(error) })
    }
  }

  async #setCondition(pod: KubeObject, message: string, nominated: string | null, signal: AbortSignal): Promise<void> {
    const { namespace = '', name = '' } = pod.metadata
    const known = objectsAt(objectAt(pod['status'])['conditions'])
    const before = known.find((each) => each['type'] === 'PodScheduled')
    if (before?.['status'] === 'False' && before['message'] === message && nominated === null) return
    const now = `${new Date(this.#options.clock.now()).toISOString().slice(0, 19)}Z`
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastProbeTime: null,
      lastTransitionTime: before?.['status'] === 'False' ? before['lastTransitionTime'] : now,
    }
    const status = { conditions: [condition], ...(nominated === null ? {} : { nominatedNodeName: nominated }) }
    await this.#client.patch(PODS, { namespace, name, subresource: 'status' }, { status }, { type: 'strategic' }, signal)
  }
}
