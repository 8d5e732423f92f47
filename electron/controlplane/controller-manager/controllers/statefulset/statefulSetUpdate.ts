import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { countAt, isDeleting, isPodAvailable, scaledValue, specOf, statusOf, textAt } from '../../controller.ts'
import { isCreated, isHealthy, isRunningAndReady, newStatefulPod, ordinalOf, revisionOf, startOrdinal, withIdentity } from './statefulPod.ts'
import { revisionTemplate } from '../../controllerHistory.ts'

/** What the update does, one write at a time. */
export interface StatefulSetWrites {
  create(pod: KubeObject): Promise<void>
  update(pod: KubeObject): Promise<void>
  delete(pod: KubeObject): Promise<void>
  /** A finished pod is about to be replaced. */
  replacing(pod: KubeObject): void
}

export interface StatefulSetView {
  set: KubeObject
  pods: readonly KubeObject[]
  current: KubeObject
  update: KubeObject
  collisions: number
  minor: number
  nowMs: number
}

export type StatefulSetFigures = Record<'replicas' | 'readyReplicas' | 'currentReplicas' | 'updatedReplicas' | 'availableReplicas', number>

const nameOf = ({ metadata }: KubeObject): string => metadata.name ?? ''

/**
 * One round of a StatefulSet: replaces finished pods, makes missing ones in order, removes those beyond the wanted
 * number from the top, then replaces the highest that is not of the update revision. With the OrderedReady policy each
 * round ends at the first pod that is not ready.
 *
 * @returns the figures after the writes that were made; they are right too when a write fails, see `figures`
 * @see pkg/controller/statefulset/stateful_set_control.go updateStatefulSet
 */
export class StatefulSetUpdate {
  readonly figures: StatefulSetFigures = { replicas: 0, readyReplicas: 0, currentReplicas: 0, updatedReplicas: 0, availableReplicas: 0 }
  readonly #view: StatefulSetView
  readonly #writes: StatefulSetWrites
  readonly #ordered: boolean
  readonly #minReadySeconds: number

  constructor(view: StatefulSetView, writes: StatefulSetWrites) {
    this.#view = view
    this.#writes = writes
    this.#ordered = specOf(view.set)['podManagementPolicy'] !== 'Parallel'
    this.#minReadySeconds = countAt(specOf(view.set)['minReadySeconds'])
  }

  async run(): Promise<void> {
    const { set, pods } = this.#view
    const first = startOrdinal(set)
    const wanted = countAt(specOf(set)['replicas'])
    const replicas: KubeObject[] = []
    const byOrdinal = new Map<number, KubeObject>()
    const condemned: KubeObject[] = []
    for (const pod of pods) {
      this.#count(pod)
      const ordinal = ordinalOf(set, pod)
      if (ordinal >= first && ordinal < first + wanted) byOrdinal.set(ordinal, pod)
      else if (ordinal >= 0) condemned.push(pod)
    }
    for (let ordinal = first; ordinal < first + wanted; ordinal++) replicas.push(byOrdinal.get(ordinal) ?? this.#newPod(ordinal))
    condemned.sort((a, b) => ordinalOf(set, a) - ordinalOf(set, b))
    if (isDeleting(set)) return
    const firstUnhealthy = [...replicas, ...condemned].find((pod) => !isHealthy(pod))
    if (!(await this.#keepReplicas(replicas))) return
    if (!(await this.#scaleDown(condemned, firstUnhealthy))) return
    await this.#rollingUpdate(replicas)
  }

  #count(pod: KubeObject): void {
    this.figures.replicas++
    if (isRunningAndReady(pod)) {
      this.figures.readyReplicas++
      if (this.#isAvailable(pod)) this.figures.availableReplicas++
    }
    if (isCreated(pod) && !isDeleting(pod)) this.#countRevision(pod, 1)
  }

  #countRevision(pod: KubeObject, by: 1 | -1): void {
    if (revisionOf(pod) === nameOf(this.#view.current)) this.figures.currentReplicas += by
    if (revisionOf(pod) === nameOf(this.#view.update)) this.figures.updatedReplicas += by
  }

  #isAvailable(pod: KubeObject): boolean {
    return isRunningAndReady(pod) && isPodAvailable(pod, this.#minReadySeconds, this.#view.nowMs)
  }

  /** Below the partition, and where the roll has not come yet, pods are made from the current revision. */
  #newPod(ordinal: number): KubeObject {
    const { set, current, update, minor } = this.#view
    const strategy = objectAt(specOf(set)['updateStrategy'])
    const rolling = strategy['rollingUpdate']
    const limit = startOrdinal(set) + (rolling === undefined ? countAt(statusOf(set)['currentReplicas']) : countAt(objectAt(rolling)['partition']))
    const revision = strategy['type'] === 'RollingUpdate' && ordinal < limit ? current : update
    return newStatefulPod(set, { template: revisionTemplate(revision), revision: nameOf(revision), ordinal, minor })
  }

  /** @returns whether the round goes on */
  async #keepReplicas(replicas: KubeObject[]): Promise<boolean> {
    const { set, minor } = this.#view
    for (const [index, known] of replicas.entries()) {
      let pod = known
      const phase = textAt(statusOf(pod)['phase'])
      if (phase === 'Failed' || (phase === 'Succeeded' && minor >= 22)) {
        if (!isDeleting(pod)) {
          this.#writes.replacing(pod)
          await this.#writes.delete(pod)
          this.#countRevision(pod, -1)
          this.figures.replicas--
        }
        // A later release waits for the finished pod to be gone; earlier ones try to make the new one at once, and try again.
        if (minor >= 26 || isDeleting(pod)) {
          if (this.#ordered) return false
          continue
        }
        pod = this.#newPod(ordinalOf(set, pod))
        replicas[index] = pod
      }
      if (!isCreated(pod)) {
        await this.#writes.create(pod)
        this.figures.replicas++
        this.#countRevision(pod, 1)
        if (this.#ordered) return false
        continue
      }
      if (this.#ordered && (isDeleting(pod) || !isRunningAndReady(pod) || (this.#minReadySeconds > 0 && !this.#isAvailable(pod)))) return false
      const repaired = withIdentity(set, pod, minor)
      if (repaired !== null) await this.#writes.update(repaired)
    }
    return true
  }

  /** From the top down. @returns whether the round goes on */
  async #scaleDown(condemned: readonly KubeObject[], firstUnhealthy: KubeObject | undefined): Promise<boolean> {
    for (const pod of condemned.toReversed()) {
      if (isDeleting(pod)) {
        if (this.#ordered) return false
        continue
      }
      if (this.#ordered && pod !== firstUnhealthy && (!isRunningAndReady(pod) || (this.#minReadySeconds > 0 && !this.#isAvailable(pod)))) return false
      await this.#writes.delete(pod)
      this.#countRevision(pod, -1)
      if (this.#ordered) return false
    }
    return true
  }

  /** One pod at a time unless maxUnavailable allows more. */
  async #rollingUpdate(replicas: readonly KubeObject[]): Promise<void> {
    const { set, update } = this.#view
    const strategy = objectAt(specOf(set)['updateStrategy'])
    if (strategy['type'] === 'OnDelete') return
    const rolling = objectAt(strategy['rollingUpdate'])
    const maxUnavailable = rolling['maxUnavailable'] === undefined ? 1 : Math.max(1, scaledValue(rolling['maxUnavailable'], replicas.length, 'up'))
    const lowest = countAt(rolling['partition'])
    let unavailable = 0
    for (let index = replicas.length - 1; index >= Math.max(0, lowest - startOrdinal(set)); index--) {
      const pod = replicas[index]
      if (pod === undefined) continue
      if (revisionOf(pod) !== nameOf(update) && !isDeleting(pod)) {
        await this.#writes.delete(pod)
        // A pod of some older revision was never counted as current.
        this.figures.currentReplicas = Math.max(0, this.figures.currentReplicas - 1)
        if (++unavailable >= maxUnavailable) return
      } else if (!isHealthy(pod) || (this.#minReadySeconds > 0 && !this.#isAvailable(pod))) {
        if (++unavailable >= maxUnavailable) return
      }
    }
  }
}

/** The status after a round; a roll that is complete makes the update revision the current one. */
export function statefulSetStatus(view: StatefulSetView, figures: StatefulSetFigures): JsonObject {
  const { set, current, update, collisions, minor } = view
  const counted = { ...figures }
  let currentName = nameOf(current)
  if (
    objectAt(specOf(set)['updateStrategy'])['type'] === 'RollingUpdate' &&
    counted.updatedReplicas === counted.replicas &&
    counted.readyReplicas === counted.replicas
  ) {
    counted.currentReplicas = counted.updatedReplicas
    currentName = nameOf(update)
  }
  const { replicas, availableReplicas, ...optional } = counted
  const conditions = statusOf(set)['conditions']
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas,
    ...Object.fromEntries(Object.entries(optional).filter(([, count]) => count !== 0)),
    currentRevision: currentName,
    updateRevision: nameOf(update),
    collisionCount: collisions,
    ...(minor >= 22 ? { availableReplicas } : {}),
    ...(conditions === undefined ? {} : { conditions }),
  }
}
