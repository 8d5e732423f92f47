import { deepEqual, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isNotFound } from '#shared/kubernetes/status.ts'
import type { EventRecorder } from '#electron/client/eventRecorder.ts'
import { DEPLOYMENTS, REPLICA_SETS } from '#electron/client/resources.ts'
import { controllerRef, countAt, isDeleting, objectsAt, specOf, statusOf, type ControllerContext } from '../../controller.ts'
import { errorText, isNamespaceTerminating } from '../../podControl.ts'
import { calculateStatus, findCondition, isComplete, lateInMs, progressDeadline, withCondition, withProgress, withReplicaFailure } from './conditions.ts'
import { findNewSet, newReplicaSet, sameTemplate, setAnnotations } from './newReplicaSet.ts'
import {
  activeOf,
  availableOf,
  createdMs,
  isRecreate,
  isSaturated,
  newSetReplicas,
  proportionalSizes,
  replicasOf,
  REVISION,
  revisionOf,
  sizeAnnotations,
  sum,
  unavailableOf,
} from './replicas.ts'

const nameOf = ({ metadata }: KubeObject): string => metadata.name ?? ''
const targetOf = ({ metadata }: KubeObject): { namespace: string | undefined; name: string } => ({ namespace: metadata.namespace, name: metadata.name ?? '' })
/** Releases whose events tell the size before, of scaled and of new sets. */
const FROM_SINCE = { scaled: 28, created: 31 } as const

/** One look at one Deployment. What it writes it remembers, so that later steps go on from there. */
export class DeploymentSync {
  readonly #context: ControllerContext
  readonly #events: EventRecorder
  readonly #signal: AbortSignal
  #deployment: KubeObject
  #sets: KubeObject[]
  #current: KubeObject | undefined

  constructor(context: ControllerContext, options: { events: EventRecorder; deployment: KubeObject; sets: readonly KubeObject[]; signal: AbortSignal }) {
    this.#context = context
    this.#events = options.events
    this.#signal = options.signal
    this.#deployment = options.deployment
    this.#sets = [...options.sets]
    this.#current = findNewSet(options.deployment, options.sets)
  }

  get deployment(): KubeObject {
    return this.#deployment
  }

  get #old(): KubeObject[] {
    return this.#sets.filter((set) => set !== this.#current)
  }

  /** Puts paused and resumed into the Progressing condition. */
  async notePaused(): Promise<void> {
    if (progressDeadline(this.#deployment) === null) return
    const status = statusOf(this.#deployment)
    const conditions = objectsAt(status['conditions'])
    const known = findCondition(conditions, 'Progressing')
    // A late rollout keeps saying so.
    if (known?.['reason'] === 'ProgressDeadlineExceeded') return
    const paused = specOf(this.#deployment)['paused'] === true
    const marked = known?.['reason'] === 'DeploymentPaused'
    if (paused === marked) return
    const condition = paused
      ? { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }
      : { type: 'Progressing', status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' }
    await this.#putStatus({ ...status, conditions: withCondition(conditions, condition, this.#context.now()) })
  }

  /** Of a deployment that is paused or whose size changed: no set is made. */
  async scaleOnly(): Promise<void> {
    await this.#syncRevision()
    await this.#scale()
    if (specOf(this.#deployment)['paused'] === true) await this.#cleanUp()
    await this.#syncStatus()
  }

  async statusOnly(): Promise<void> {
    await this.#syncRevision()
    await this.#syncStatus()
  }

  async rollingUpdate(): Promise<void> {
    if (!(await this.#ensureNewSet())) return
    if (await this.#growNewSet()) return this.#syncRollout()
    if (await this.#shrinkOldSets()) return this.#syncRollout()
    if (isComplete(this.#deployment, statusOf(this.#deployment))) await this.#cleanUp()
    return this.#syncRollout()
  }

  /** @param isRunning whether pods of sets of other templates still run */
  async recreate(isRunning: (oldSets: readonly KubeObject[]) => boolean): Promise<void> {
    await this.#syncRevision()
    let scaled = false
    for (const set of activeOf(this.#old)) scaled = (await this.#scaleTo(set, 0)) || scaled
    if (scaled || isRunning(this.#old)) return this.#syncRollout()
    if (!(await this.#ensureNewSet())) return
    if (this.#current !== undefined) await this.#scaleTo(this.#current, replicasOf(this.#deployment))
    if (isComplete(this.#deployment, statusOf(this.#deployment))) await this.#cleanUp()
    return this.#syncRollout()
  }

  /** Milliseconds until a rollout that stands still is late; null when none is. */
  get lateInMs(): number | null {
    return isComplete(this.#deployment, statusOf(this.#deployment)) ? null : lateInMs(this.#deployment, statusOf(this.#deployment), this.#context.clock.now())
  }

  get #nextRevision(): bigint {
    return this.#old.map(revisionOf).reduce((most, each) => (each > most ? each : most), 0n) + 1n
  }

  /** Gives the set of the current template its revision, and the deployment the same. */
  async #syncRevision(): Promise<void> {
    if (this.#current === undefined) return
    const annotations = setAnnotations(this.#deployment, this.#current, this.#nextRevision)
    const { minReadySeconds = 0 } = specOf(this.#deployment)
    if (!deepEqual(this.#current.metadata.annotations ?? {}, annotations) || (specOf(this.#current)['minReadySeconds'] ?? 0) !== minReadySeconds) {
      const next = {
        ...this.#current,
        metadata: { ...this.#current.metadata, annotations },
        spec: { ...specOf(this.#current), ...(minReadySeconds === (specOf(this.#current)['minReadySeconds'] ?? 0) ? {} : { minReadySeconds }) },
      }
      await this.#putSet(this.#current, next)
    }
    const status = statusOf(this.#deployment)
    const conditions = objectsAt(status['conditions'])
    const found = { type: 'Progressing', status: 'True', reason: 'FoundNewReplicaSet', message: `Found new replica set "${nameOf(this.#current)}"` }
    const first = progressDeadline(this.#deployment) !== null && findCondition(conditions, 'Progressing') === undefined
    const revision = annotations[REVISION] ?? ''
    if (first || this.#deployment.metadata.annotations?.[REVISION] !== revision)
      await this.#putStatus(first ? { ...status, conditions: withCondition(conditions, found, this.#context.now()) } : status, revision)
  }

  /** @returns false when the deployment was written and comes again */
  async #ensureNewSet(): Promise<boolean> {
    await this.#syncRevision()
    if (this.#current !== undefined) return true
    const deployment = this.#deployment
    const status = statusOf(deployment)
    const conditions = objectsAt(status['conditions'])
    const revision = this.#nextRevision
    const collisions = countAt(status['collisionCount'])
    const set = newReplicaSet(deployment, this.#sets, { revision, collisions })
    try {
      this.#current = await this.#context.client.create(REPLICA_SETS, { namespace: deployment.metadata.namespace }, set, this.#signal)
      const replicas = replicasOf(set)
      const from = this.#context.minor >= FROM_SINCE.created ? 'from 0 to' : 'to'
      if (replicas > 0) this.#events.event(deployment, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${nameOf(set)} ${from} ${String(replicas)}`)
    } catch (error) {
      if (isAlreadyExists(error)) {
        const known = await this.#context.client.get(REPLICA_SETS, targetOf(set), this.#signal)
        if (controllerRef(known)?.uid !== deployment.metadata.uid || !sameTemplate(known, deployment)) {
          await this.#putStatus({ ...status, collisionCount: collisions + 1 })
          return false
        }
        this.#current = known
      } else {
        if (!this.#signal.aborted && !isNamespaceTerminating(error)) await this.#tellCreateFailure(set, errorText(error))
        throw error
      }
    }
    this.#sets.push(this.#current)
    const created = { type: 'Progressing', status: 'True', reason: 'NewReplicaSetCreated', message: `Created new replica set "${nameOf(set)}"` }
    await this.#putStatus(
      progressDeadline(deployment) === null ? status : { ...status, conditions: withCondition(conditions, created, this.#context.now()) },
      String(revision),
    )
    return true
  }

  async #tellCreateFailure(set: KubeObject, text: string): Promise<void> {
    const message = `Failed to create new replica set "${nameOf(set)}": ${text}`
    const status = statusOf(this.#deployment)
    if (progressDeadline(this.#deployment) !== null) {
      const failed = { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message }
      await this.#putStatus({ ...status, conditions: withCondition(objectsAt(status['conditions']), failed, this.#context.now()) })
    }
    this.#events.event(this.#deployment, 'Warning', 'ReplicaSetCreateError', message)
  }

  async #growNewSet(): Promise<boolean> {
    const set = this.#current
    if (set === undefined || replicasOf(set) === replicasOf(this.#deployment)) return false
    const wanted = replicasOf(this.#deployment)
    return this.#scaleTo(set, replicasOf(set) > wanted ? wanted : newSetReplicas(this.#deployment, this.#sets, replicasOf(set)))
  }

  /** First pods that are not available go, then as many as the rest keeps enough available; the oldest sets first. */
  async #shrinkOldSets(): Promise<boolean> {
    const old = this.#old
    if (sum(old, replicasOf) === 0) return false
    const least = replicasOf(this.#deployment) - unavailableOf(this.#deployment)
    const unavailableNew = this.#current === undefined ? 0 : replicasOf(this.#current) - availableOf(this.#current)
    const most = sum(this.#sets, replicasOf) - least - unavailableNew
    if (most <= 0) return false
    const byAge = (sets: readonly KubeObject[]): KubeObject[] => sets.toSorted((a, b) => createdMs(a) - createdMs(b) || Number(revisionOf(a) - revisionOf(b)))
    let removed = 0
    for (const set of byAge(old)) {
      const unhealthy = replicasOf(set) - availableOf(set)
      if (removed >= most || replicasOf(set) === 0 || unhealthy <= 0) continue
      const less = Math.min(most - removed, unhealthy)
      await this.#scaleTo(set, replicasOf(set) - less)
      removed += less
    }
    let spare = Math.max(0, sum(this.#sets, availableOf) - least)
    for (const set of byAge(this.#old)) {
      const less = Math.min(spare, replicasOf(set))
      if (less === 0) continue
      await this.#scaleTo(set, replicasOf(set) - less)
      spare -= less
      removed += less
    }
    return removed > 0
  }

  async #scale(): Promise<void> {
    const wanted = replicasOf(this.#deployment)
    const active = activeOf(this.#sets)
    const latest = this.#old.toSorted((a, b) => createdMs(a) - createdMs(b)).at(-1)
    const only = active.length === 0 ? (this.#current ?? latest) : active.length === 1 ? active[0] : undefined
    if (only !== undefined) {
      if (replicasOf(only) !== wanted) await this.#scaleTo(only, wanted)
    } else if (isSaturated(this.#deployment, this.#current)) {
      for (const set of activeOf(this.#old)) await this.#scaleTo(set, 0)
    } else if (!isRecreate(this.#deployment)) {
      for (const { set, replicas } of proportionalSizes(this.#deployment, this.#sets)) await this.#scaleTo(set, replicas, true)
    }
  }

  /** @param always writes the size annotations also when the size stays. @returns whether the size changed */
  async #scaleTo(set: KubeObject, replicas: number, always = false): Promise<boolean> {
    const before = replicasOf(set)
    const annotations = sizeAnnotations(this.#deployment)
    const annotated = Object.entries(annotations).every(([key, value]) => set.metadata.annotations?.[key] === value)
    if (before === replicas && (!always || annotated)) return false
    await this.#putSet(set, {
      ...set,
      metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, ...annotations } },
      spec: { ...specOf(set), replicas },
    })
    if (before === replicas) return false
    const from = this.#context.minor >= FROM_SINCE.scaled ? `from ${String(before)} to` : 'to'
    this.#events.event(
      this.#deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${replicas > before ? 'up' : 'down'} replica set ${nameOf(set)} ${from} ${String(replicas)}`,
    )
    return true
  }

  async #putSet(before: KubeObject, next: KubeObject): Promise<void> {
    const written = await this.#context.client.update(REPLICA_SETS, targetOf(before), next, this.#signal)
    this.#sets = this.#sets.map((set) => (set === before ? written : set))
    if (this.#current === before) this.#current = written
  }

  /** Old sets beyond revisionHistoryLimit go, once nothing runs in them. */
  async #cleanUp(): Promise<void> {
    const limit = specOf(this.#deployment)['revisionHistoryLimit']
    if (typeof limit !== 'number') return
    const kept = this.#old.filter((set) => !isDeleting(set)).sort((a, b) => Number(revisionOf(a) - revisionOf(b)) || createdMs(a) - createdMs(b))
    for (const set of kept.slice(0, Math.max(0, kept.length - limit))) {
      const status = statusOf(set)
      if (countAt(status['replicas']) !== 0 || replicasOf(set) !== 0 || (set.metadata.generation ?? 0) > countAt(status['observedGeneration'])) continue
      try {
        await this.#context.client.delete(REPLICA_SETS, targetOf(set), { uid: set.metadata.uid }, this.#signal)
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
  }

  async #syncStatus(): Promise<void> {
    await this.#putStatus(calculateStatus(this.#deployment, this.#sets, this.#current, this.#context.now()))
  }

  async #syncRollout(): Promise<void> {
    const { clock } = this.#context
    const now = this.#context.now()
    const status = calculateStatus(this.#deployment, this.#sets, this.#current, now)
    status['conditions'] = withReplicaFailure(
      withProgress(this.#deployment, status, { current: this.#current, nowMs: clock.now(), now }),
      this.#sets,
      this.#current,
    )
    await this.#putStatus(status)
  }

  async #putStatus(status: JsonObject, revision?: string): Promise<void> {
    const deployment = this.#deployment
    const { terminatingReplicas: _, ...known } = statusOf(deployment)
    const annotated = revision === undefined || deployment.metadata.annotations?.[REVISION] === revision
    if (annotated && deepEqual(known, status)) return
    const metadata = annotated ? deployment.metadata : { ...deployment.metadata, annotations: { ...deployment.metadata.annotations, [REVISION]: revision } }
    this.#deployment = await this.#context.client.update(
      DEPLOYMENTS,
      { ...targetOf(deployment), subresource: 'status' },
      { ...deployment, metadata, status },
      this.#signal,
    )
  }
}
