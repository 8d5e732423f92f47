import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { countAt, objectsAt, specOf, statusOf, textAt } from '../../controller.ts'
import { availableOf, replicasOf, sum, unavailableOf } from './replicas.ts'

/** progressDeadlineSeconds of this many is none (math.MaxInt32). */
const NO_DEADLINE = 2 ** 31 - 1

export function progressDeadline(deployment: KubeObject): number | null {
  const seconds = specOf(deployment)['progressDeadlineSeconds']
  return typeof seconds === 'number' && seconds !== NO_DEADLINE ? seconds : null
}

export const findCondition = (conditions: readonly JsonObject[], type: string): JsonObject | undefined => conditions.find((each) => each['type'] === type)

/** Replaces the condition of the type; one of the same status and reason stays, and the same status keeps its transition time. */
export function withCondition(
  conditions: readonly JsonObject[],
  { type, status, reason, message }: Record<'type' | 'status' | 'reason' | 'message', string>,
  now: string,
): JsonObject[] {
  const known = findCondition(conditions, type)
  if (known?.['status'] === status && known['reason'] === reason) return [...conditions]
  const lastTransitionTime = known?.['status'] === status ? known['lastTransitionTime'] : now
  return [...conditions.filter((each) => each !== known), { type, status, lastUpdateTime: now, lastTransitionTime, reason, message }]
}

/** The figures of all sets, and the Available condition. */
export function calculateStatus(deployment: KubeObject, all: readonly KubeObject[], current: KubeObject | undefined, now: string): JsonObject {
  const before = statusOf(deployment)
  const available = sum(all, availableOf)
  const enough = available >= replicasOf(deployment) - unavailableOf(deployment)
  const figures = {
    replicas: sum(all, (set) => countAt(statusOf(set)['replicas'])),
    updatedReplicas: current === undefined ? 0 : countAt(statusOf(current)['replicas']),
    readyReplicas: sum(all, (set) => countAt(statusOf(set)['readyReplicas'])),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, replicasOf) - available),
  }
  const condition = enough
    ? { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
    : { type: 'Available', status: 'False', reason: 'MinimumReplicasUnavailable', message: 'Deployment does not have minimum availability.' }
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== 0)),
    conditions: withCondition(objectsAt(before['conditions']), condition, now),
    ...(before['collisionCount'] === undefined ? {} : { collisionCount: before['collisionCount'] }),
  }
}

/** Everything wanted runs, is up to date, and nothing else does. */
export function isComplete(deployment: KubeObject, status: JsonObject): boolean {
  const wanted = replicasOf(deployment)
  return (
    ['updatedReplicas', 'replicas', 'availableReplicas'].every((figure) => countAt(status[figure]) === wanted) &&
    countAt(status['observedGeneration']) >= (deployment.metadata.generation ?? 0)
  )
}

function isProgressing(before: JsonObject, after: JsonObject): boolean {
  const figure = (status: JsonObject, name: string): number => countAt(status[name])
  const old = (status: JsonObject): number => figure(status, 'replicas') - figure(status, 'updatedReplicas')
  return (
    figure(after, 'updatedReplicas') > figure(before, 'updatedReplicas') ||
    old(after) < old(before) ||
    ['readyReplicas', 'availableReplicas'].some((name) => figure(after, name) > figure(before, name))
  )
}

/** How long until a rollout that does not move is late, 0 when it is; null when it cannot be. */
export function lateInMs(deployment: KubeObject, status: JsonObject, nowMs: number): number | null {
  const seconds = progressDeadline(deployment)
  const condition = findCondition(objectsAt(status['conditions']), 'Progressing')
  if (seconds === null || condition === undefined || condition['reason'] === 'NewReplicaSetAvailable') return null
  if (condition['reason'] === 'ProgressDeadlineExceeded') return 0
  return Math.max(0, Date.parse(textAt(condition['lastUpdateTime'])) + seconds * 1000 - nowMs)
}

/** Sets Progressing by what changed since the status was last written. @see pkg/controller/deployment/progress.go syncRolloutStatus */
export function withProgress(
  deployment: KubeObject,
  status: JsonObject,
  { current, nowMs, now }: { current: KubeObject | undefined; nowMs: number; now: string },
): JsonObject[] {
  const conditions = objectsAt(status['conditions'])
  if (progressDeadline(deployment) === null) return conditions.filter((each) => each['type'] !== 'Progressing')
  const known = findCondition(conditions, 'Progressing')
  if (countAt(status['replicas']) === countAt(status['updatedReplicas']) && known?.['reason'] === 'NewReplicaSetAvailable') return conditions
  const subject = current === undefined ? `Deployment "${deployment.metadata.name ?? ''}"` : `ReplicaSet "${current.metadata.name ?? ''}"`
  if (isComplete(deployment, status))
    return withCondition(
      conditions,
      { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message: `${subject} has successfully progressed.` },
      now,
    )
  if (isProgressing(statusOf(deployment), status)) {
    const condition = {
      type: 'Progressing',
      status: 'True',
      lastUpdateTime: now,
      lastTransitionTime: known?.['status'] === 'True' ? known['lastTransitionTime'] : now,
    }
    return [...conditions.filter((each) => each !== known), { ...condition, reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` }]
  }
  if (lateInMs(deployment, status, nowMs) === 0)
    return withCondition(
      conditions,
      { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: `${subject} has timed out progressing.` },
      now,
    )
  return conditions
}

/** A set's ReplicaFailure, the current one's first. */
export function withReplicaFailure(conditions: readonly JsonObject[], all: readonly KubeObject[], current: KubeObject | undefined): JsonObject[] {
  const rest = conditions.filter((each) => each['type'] !== 'ReplicaFailure')
  for (const set of current === undefined ? all : [current, ...all]) {
    const failure = findCondition(objectsAt(statusOf(set)['conditions']), 'ReplicaFailure')
    if (failure === undefined) continue
    const { type, status, lastTransitionTime, reason, message } = failure
    return [...rest, { type, status, lastUpdateTime: lastTransitionTime, lastTransitionTime, reason, message }]
  }
  return rest
}
