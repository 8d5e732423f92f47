import type { KubeObject } from '#shared/kubernetes/object.ts'
import { countAt, scaledValue, specOf, statusOf } from '../../controller.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

export const REVISION = 'deployment.kubernetes.io/revision'
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history'
const DESIRED = 'deployment.kubernetes.io/desired-replicas'
const MAXIMUM = 'deployment.kubernetes.io/max-replicas'

export const replicasOf = (object: KubeObject): number => countAt(specOf(object)['replicas'])
export const availableOf = (object: KubeObject): number => countAt(statusOf(object)['availableReplicas'])
export const sum = (sets: readonly KubeObject[], of: (set: KubeObject) => number): number => sets.reduce((total, set) => total + of(set), 0)
/** As large as Go's int64, which a number does not hold. */
export function revisionOf(set: KubeObject): bigint {
  const text = set.metadata.annotations?.[REVISION] ?? ''
  return /^\d+$/.test(text) ? BigInt(text) : 0n
}
export const activeOf = (sets: readonly KubeObject[]): KubeObject[] => sets.filter((set) => replicasOf(set) > 0)
export const createdMs = ({ metadata }: KubeObject): number => Date.parse(metadata.creationTimestamp ?? '')

export const isRecreate = (deployment: KubeObject): boolean => objectAt(specOf(deployment)['strategy'])['type'] === 'Recreate'
const rolling = (deployment: KubeObject): Record<string, unknown> => objectAt(objectAt(specOf(deployment)['strategy'])['rollingUpdate'])

/** Pods above the wanted number during a rollout. */
export function surgeOf(deployment: KubeObject): number {
  return isRecreate(deployment) ? 0 : scaledValue(rolling(deployment)['maxSurge'], replicasOf(deployment), 'up')
}

/** Pods that may be missing during a rollout; at least one of this and the surge lets a rollout move. */
export function unavailableOf(deployment: KubeObject): number {
  if (isRecreate(deployment) || replicasOf(deployment) === 0) return 0
  const value = scaledValue(rolling(deployment)['maxUnavailable'], replicasOf(deployment), 'down')
  return value === 0 && surgeOf(deployment) === 0 ? 1 : Math.min(value, replicasOf(deployment))
}

/** What a set remembers of its deployment's size, for scaling in proportion. */
export function sizeAnnotations(deployment: KubeObject): Record<string, string> {
  return { [DESIRED]: String(replicasOf(deployment)), [MAXIMUM]: String(replicasOf(deployment) + surgeOf(deployment)) }
}

/** Whether the deployment's size changed since a set was last scaled for it. */
export function isScalingEvent(deployment: KubeObject, sets: readonly KubeObject[]): boolean {
  return activeOf(sets).some((set) => {
    const desired = set.metadata.annotations?.[DESIRED]
    return desired !== undefined && Number(desired) !== replicasOf(deployment)
  })
}

/** The set runs everything its deployment wants. */
export function isSaturated(deployment: KubeObject, set: KubeObject | undefined): boolean {
  if (set === undefined) return false
  const wanted = replicasOf(deployment)
  return Number(set.metadata.annotations?.[DESIRED]) === wanted && replicasOf(set) === wanted && availableOf(set) === wanted
}

/** How many pods the set of the current template may have now. */
export function newSetReplicas(deployment: KubeObject, all: readonly KubeObject[], current: number): number {
  const wanted = replicasOf(deployment)
  if (isRecreate(deployment)) return wanted
  const room = wanted + surgeOf(deployment) - sum(all, replicasOf)
  return room <= 0 ? current : current + Math.min(room, wanted - current)
}

/**
 * Shares a change of size among the sets of a rollout that is under way, in proportion to their sizes; what rounding leaves
 * goes to the first. Larger ones first, and among equals newer ones when growing, older ones when shrinking.
 *
 * @see pkg/controller/deployment/sync.go scale
 */
export function proportionalSizes(deployment: KubeObject, all: readonly KubeObject[]): { set: KubeObject; replicas: number }[] {
  const sets = activeOf(all)
  const allowed = replicasOf(deployment) > 0 ? replicasOf(deployment) + surgeOf(deployment) : 0
  const toAdd = allowed - sum(sets, replicasOf)
  const byAge = toAdd > 0 ? -1 : 1
  sets.sort((a, b) => replicasOf(b) - replicasOf(a) || byAge * (createdMs(a) - createdMs(b)))
  let added = 0
  const sizes = sets.map((set) => {
    const share = toAdd === 0 ? 0 : portion(set, deployment, { toAdd, added })
    added += share
    return { set, replicas: replicasOf(set) + share }
  })
  const [first] = sizes
  if (first !== undefined) first.replicas = Math.max(0, first.replicas + toAdd - added)
  return sizes
}

function portion(set: KubeObject, deployment: KubeObject, { toAdd, added }: { toAdd: number; added: number }): number {
  if (replicasOf(set) === 0 || toAdd === added) return 0
  const fraction = fractionOf(set, deployment)
  return toAdd > 0 ? Math.min(fraction, toAdd - added) : Math.max(fraction, toAdd - added)
}

function fractionOf(set: KubeObject, deployment: KubeObject): number {
  const size = replicasOf(set)
  if (replicasOf(deployment) === 0) return -size
  const before = Number(set.metadata.annotations?.[MAXIMUM]) || countAt(statusOf(deployment)['replicas'])
  return before === 0 ? 0 : Math.round((size * (replicasOf(deployment) + surgeOf(deployment))) / before) - size
}
