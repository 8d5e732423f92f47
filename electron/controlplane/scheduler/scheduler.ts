import { setImmediate } from 'node:timers/promises'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { deepEqual, objectAt } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { AffinityTerms } from '#shared/planning/scheduling/affinity.ts'
import { decisionOf, feasibleEnough, findNodes, type NodeSearch, type SchedulingDecision } from '#shared/planning/scheduling/decision.ts'
import { filterNode, fitErrorMessage, prepareCycle, type CycleState, type Refusal, type SchedulingView } from '#shared/planning/scheduling/filters.ts'
import { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'
import { isFinished, nodeNameOf, objectsAt, priorityOf, specOf, textAt } from '#shared/planning/scheduling/pod.ts'
import { volumesOn, type VolumePlan } from '#shared/planning/scheduling/volumes.ts'
import { minorOf, servedResources } from '#shared/kubernetes/schema/served.ts'
import { EventRecorder } from '#electron/client/eventRecorder.ts'
import { Informer } from '#electron/client/informer.ts'
import {
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  SERVICES,
  STATEFUL_SETS,
  STORAGE_CLASSES,
} from '#electron/client/resources.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { DecisionLog } from './decisionLog.ts'
import { ImageNodes } from './imageNodes.ts'
import { NominatedPods } from './nominatedPods.ts'
import { choosePreemption } from './preemption.ts'
import { SchedulingQueue } from './schedulingQueue.ts'

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
  /** Where every attempt is written down. */
  decisions?: DecisionLog
}

/** Pods placed before others have their turn in this process. */
const PODS_PER_TURN = 8

/**
 * The release from which on a pod that waits is not woken by its own deletion. Before, it is taken from the queue once more, and told of.
 *
 * @see pkg/scheduler/scheduler.go skipPodSchedule
 */
const NOT_WOKEN_BY_DELETION = 32

const asksAnew = (old: KubeObject, pod: KubeObject): boolean => !deepEqual(old['spec'], pod['spec']) || !deepEqual(old.metadata.labels, pod.metadata.labels)

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`

/** Runs until the signal aborts. */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  await new Scheduler(options).run()
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
  readonly #imageNodes = new ImageNodes()
  /** The same in the order in which they are looked at; made anew after one came or went. */
  #order: readonly NodeInfo[] | null = null
  /** Pods placed here whose binding the API server has not told yet, by uid. */
  readonly #assumed = new Map<string, string>()
  readonly #queue: SchedulingQueue
  readonly #decisions: DecisionLog
  readonly #nominated = new NominatedPods()
  readonly #services: Informer
  readonly #replicationControllers: Informer
  readonly #replicaSets: Informer
  readonly #statefulSets: Informer
  /** Where the next search begins, so that every node has its turn. */
  #start = 0

  constructor(options: SchedulerOptions) {
    this.#options = options
    const { transport, clock, random, logger } = options
    this.#name = options.schedulerName ?? 'default-scheduler'
    this.#client = new RestClient(transport, { userAgent: 'kube-scheduler', shares: true })
    this.#events = new EventRecorder({ client: this.#client, clock, component: this.#name, logger, correlated: false })
    this.#queue = new SchedulingQueue(clock)
    this.#decisions = options.decisions ?? new DecisionLog()
    const indexers = { namespace: ({ metadata }: KubeObject) => [metadata.namespace ?? ''] }
    const informer = (gvr: typeof PODS): Informer => new Informer({ client: this.#client, gvr, clock, random, logger, indexers })
    const byNode = (pod: KubeObject): string[] => (nodeNameOf(pod) === '' ? [] : [nodeNameOf(pod)])
    this.#pods = new Informer({ client: this.#client, gvr: PODS, clock, random, logger, indexers: { ...indexers, node: byNode } })
    this.#nodes = informer(NODES)
    this.#namespaces = informer(NAMESPACES)
    this.#claims = informer(PERSISTENT_VOLUME_CLAIMS)
    this.#volumes = informer(PERSISTENT_VOLUMES)
    this.#classes = informer(STORAGE_CLASSES)
    this.#services = informer(SERVICES)
    this.#replicationControllers = informer(REPLICATION_CONTROLLERS)
    this.#replicaSets = informer(REPLICA_SETS)
    this.#statefulSets = informer(STATEFUL_SETS)
    const policy = servedResources(options.kubernetesVersion).find(({ plural }) => plural === POD_DISRUPTION_BUDGETS.resource)
    this.#budgets = informer({ ...POD_DISRUPTION_BUDGETS, version: policy?.version ?? POD_DISRUPTION_BUDGETS.version })
    const namespaceLabels = (namespace: string): Record<string, string> => this.#namespaces.get('', namespace)?.metadata.labels ?? {}
    this.#view = {
      namespaceLabels,
      terms: new AffinityTerms(namespaceLabels),
      workloads: (namespace) => ({
        services: this.#services.byIndex('namespace', namespace),
        replicationControllers: this.#replicationControllers.byIndex('namespace', namespace),
        replicaSets: this.#replicaSets.byIndex('namespace', namespace),
        statefulSets: this.#statefulSets.byIndex('namespace', namespace),
      }),
      nodesWithImage: (image) => this.#imageNodes.count(image),
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
    this.#pods.onEvent(({ type, object, old }) => {
      this.#podChanged(type, object)
      // A pod that asks for something else may fit now.
      if (old !== undefined && this.#queue.has(keyOf(object)) && asksAnew(old, object)) this.#queue.add(keyOf(object), object)
    })
    // A claim that is bound or a volume that comes may be what a pod waits for.
    for (const informer of [this.#claims, this.#volumes, this.#classes])
      informer.onEvent(() => {
        this.#queue.retryAll()
      })
    const workloads = [this.#services, this.#replicationControllers, this.#replicaSets, this.#statefulSets]
    const informers = [this.#nodes, this.#namespaces, this.#claims, this.#volumes, this.#classes, this.#budgets, ...workloads, this.#pods]
    const ended = new AbortController()
    const own = AbortSignal.any([signal, ended.signal])
    const running = informers.map((informer) => informer.run(own))
    try {
      await Promise.all(informers.map((informer) => informer.synced(own)))
      await this.#loop(own)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      ended.abort(new Error('the scheduler ends'))
      this.#events.stop()
      await Promise.all(running)
    }
  }

  #nodeChanged(type: 'add' | 'update' | 'delete', node: KubeObject, old: KubeObject | undefined): void {
    const name = node.metadata.name ?? ''
    const info = this.#infos.get(name)
    const images = info?.images
    if (type === 'delete') {
      this.#imageNodes.changed(images)
      this.#infos.delete(name)
      this.#order = null
      return
    }
    if (info === undefined) {
      const made = new NodeInfo(node)
      for (const pod of this.#pods.byIndex('node', name)) if (!isFinished(pod)) made.add(pod)
      this.#infos.set(name, made)
      this.#order = null
    } else info.update(node)
    this.#imageNodes.changed(images, this.#infos.get(name)?.images)
    // A heartbeat makes room for nobody.
    const relevant =
      old === undefined ||
      !deepEqual(old['spec'], node['spec']) ||
      !deepEqual(old.metadata.labels, node.metadata.labels) ||
      !deepEqual(objectAt(old['status'])['allocatable'], objectAt(node['status'])['allocatable'])
    if (relevant) this.#queue.retryAll()
  }

  #podChanged(type: 'add' | 'update' | 'delete', pod: KubeObject): void {
    const key = keyOf(pod)
    const uid = pod.metadata.uid ?? ''
    const node = nodeNameOf(pod)
    this.#nominated.set(pod, type === 'delete' || isFinished(pod) || node !== '' ? '' : textAt(objectAt(pod['status'])['nominatedNodeName']))
    if (type === 'delete' || isFinished(pod)) {
      if (type === 'delete' && node === '' && this.#queue.attempts(key) > 0 && this.#view.minor < NOT_WOKEN_BY_DELETION)
        this.#events.event(pod, 'Warning', 'FailedScheduling', `skip schedule deleting pod: ${key}`)
      this.#queue.forget(key)
      const info = this.#infos.get(node !== '' ? node : (this.#assumed.get(uid) ?? ''))
      this.#assumed.delete(uid)
      info?.remove(pod)
      if (info !== undefined) this.#queue.retryAll()
    } else if (node !== '') {
      const assumed = this.#assumed.get(uid)
      if (assumed !== undefined && assumed !== node) this.#infos.get(assumed)?.remove(pod)
      this.#assumed.delete(uid)
      this.#queue.forget(key)
      this.#infos.get(node)?.add(pod)
      // A pod with affinity may have been waiting for this one.
      if (assumed === undefined && type === 'add') this.#queue.retryAll()
    } else if (this.#isMine(pod) && !this.#assumed.has(uid) && !this.#queue.has(key)) this.#queue.add(key, pod)
  }

  #isMine(pod: KubeObject): boolean {
    const spec = specOf(pod)
    return (
      (textAt(spec['schedulerName']) || 'default-scheduler') === this.#name &&
      pod.metadata.deletionTimestamp === undefined &&
      objectsAt(spec['schedulingGates']).length === 0
    )
  }

  #pod(key: string): KubeObject | undefined {
    const slash = key.indexOf('/')
    return this.#pods.get(key.slice(0, slash), key.slice(slash + 1))
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const priority = (key: string): number | null => {
      const pod = this.#pod(key)
      return pod === undefined ? null : priorityOf(pod)
    }
    for (let tried = 0; !signal.aborted; tried++) {
      const key = this.#queue.next(priority)
      if (key === null) await this.#queue.idle(signal)
      else await this.#schedule(key, signal)
      // Placing takes no wait of its own: now and then bindings and watches have their turn.
      if (tried % PODS_PER_TURN === 0) await setImmediate()
    }
  }

  async #schedule(key: string, signal: AbortSignal): Promise<void> {
    const pod = this.#pod(key)
    if (pod === undefined || nodeNameOf(pod) !== '' || !this.#isMine(pod) || this.#assumed.has(pod.metadata.uid ?? '')) return
    const infos = (this.#order ??= [...this.#infos.values()])
    const state = prepareCycle(pod, infos, this.#view)
    const verdict = (info: NodeInfo): Refusal | null => this.#verdict(state, info)
    const outcome = findNodes(state, infos, { start: this.#start, enough: feasibleEnough(infos.length), verdict })
    this.#start = infos.length === 0 ? 0 : (this.#start + outcome.looked) % infos.length
    if (outcome.feasibleCount === 0) {
      await this.#unschedulable(key, { state, infos, outcome }, signal)
      return
    }
    const chosen = outcome.best[this.#options.random.below(outcome.best.length)]
    if (chosen === undefined) return
    this.#record(key, { state, outcome }, { node: chosen.name, preemption: null })
    const { plan } = volumesOn(state.volumes, chosen.node, this.#view.volumes)
    if (plan.length > 0) await this.#bindVolumes(key, plan, chosen.name, signal)
    else this.#bind(key, pod, chosen, signal)
  }

  /** What the filters say, also beside pods of at least the same priority that are to come to the node. */
  #verdict(state: CycleState, info: NodeInfo): Refusal | null {
    const coming = this.#nominated.on(info.name, state.pod)
    if (coming.length > 0) {
      const fuller = info.changed({ with: coming })
      const nodes = state.nodes.map((each) => (each === info ? fuller : each))
      const refusal = filterNode(prepareCycle(state.pod, nodes, this.#view), fuller)
      if (refusal !== null) return refusal
    }
    return filterNode(state, info)
  }

  #record(
    key: string,
    { state, outcome }: { state: CycleState; outcome: NodeSearch },
    result: { node: string | null; preemption: SchedulingDecision['preemption'] },
  ): void {
    const facts = { ...result, at: new Date(this.#options.clock.now()).toISOString(), attempt: this.#queue.attempts(key) + 1 }
    this.#decisions.record(key, outcome.feasibleCount + outcome.refusals.size, () => decisionOf(state, outcome, facts))
  }

  /** Chooses volumes for claims that waited for a node, or has them made for it; the pod comes again once they are bound. */
  async #bindVolumes(key: string, plan: VolumePlan, node: string, signal: AbortSignal): Promise<void> {
    this.#queue.failed(key)
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
    this.#queue.forget(key)
    this.#nominated.set(pod, '')
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
        this.#queue.failed(key)
      },
    )
  }

  async #unschedulable(
    key: string,
    { state, infos, outcome }: { state: CycleState; infos: readonly NodeInfo[]; outcome: NodeSearch },
    signal: AbortSignal,
  ): Promise<void> {
    const { pod } = state
    const { refusals } = outcome
    const { minor } = this.#view
    const preemption = this.#isEligible(pod, refusals)
      ? choosePreemption(pod, infos, refusals, { view: this.#view, budgets: this.#budgets.list(), coming: (node) => this.#nominated.on(node, pod) })
      : ({ kind: 'none', message: 'not eligible due to a terminating pod on the nominated node.' } as const)
    const found = preemption.kind === 'victims' ? { node: preemption.node, victims: preemption.victims.map(keyOf) } : null
    this.#record(key, { state, outcome }, { node: null, preemption: found })
    this.#queue.failed(key)
    if (preemption.kind === 'victims') this.#nominated.set(pod, preemption.node)
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
      // Less important pods that were to come there look elsewhere.
      for (const other of this.#nominated.below(preemption.node, pod)) {
        this.#nominated.set(other, '')
        const target = { namespace: other.metadata.namespace, name: other.metadata.name ?? '', subresource: 'status' }
        await this.#client.patch(PODS, target, { status: { nominatedNodeName: null } }, { type: 'merge' }, signal)
      }
    } catch (error) {
      if (signal.aborted || isNotFound(error) || isConflict(error)) return
      this.#options.logger.warn('preempting failed', { pod: key, error: error instanceof Error ? error.message : String(error) })
    }
  }

  /** While pods leave the node that was made free for a pod, no others are asked to, unless the node will not do any more. */
  #isEligible(pod: KubeObject, refusals: ReadonlyMap<string, Refusal>): boolean {
    const nominated = textAt(objectAt(pod['status'])['nominatedNodeName'])
    if (nominated === '' || refusals.get(nominated)?.unresolvable === true) return true
    const leaving = [...(this.#infos.get(nominated)?.pods.values() ?? [])]
    return !leaving.some((other) => other.metadata.deletionTimestamp !== undefined && priorityOf(other) < priorityOf(pod))
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
