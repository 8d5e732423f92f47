import type { KubeObject } from '#shared/kubernetes/object.ts'
import { at, countAt, listAt, numberAt, textAt } from '#shared/resources/fields.ts'

/** How far a workload's pods are with its template. */
export interface Rollout {
  desired: number
  ready: number
  updated: number
  /** Pods of older templates. */
  old: number
  unavailable: number
  /** As the strategy says them, e.g. `25%`; '' where there is no such thing. */
  maxSurge: string
  maxUnavailable: string
  strategy: string
  paused: boolean
}

/** The figures of a Deployment, StatefulSet or DaemonSet. */
export function rolloutOf(object: KubeObject): Rollout {
  const daemon = object.kind === 'DaemonSet'
  const said = numberAt(object, 'spec', 'replicas')
  const desired = daemon ? countAt(object, 'status', 'desiredNumberScheduled') : Number.isNaN(said) ? 1 : said
  const total = daemon ? countAt(object, 'status', 'currentNumberScheduled') : countAt(object, 'status', 'replicas')
  const updated = daemon ? countAt(object, 'status', 'updatedNumberScheduled') : countAt(object, 'status', 'updatedReplicas')
  const strategyAt = object.kind === 'Deployment' ? 'strategy' : 'updateStrategy'
  return {
    desired,
    ready: daemon ? countAt(object, 'status', 'numberReady') : countAt(object, 'status', 'readyReplicas'),
    updated,
    old: Math.max(0, total - updated),
    unavailable: Math.max(0, desired - (daemon ? countAt(object, 'status', 'numberAvailable') : countAt(object, 'status', 'availableReplicas'))),
    maxSurge: textAt(object, 'spec', strategyAt, 'rollingUpdate', 'maxSurge'),
    maxUnavailable: textAt(object, 'spec', strategyAt, 'rollingUpdate', 'maxUnavailable'),
    strategy: textAt(object, 'spec', strategyAt, 'type'),
    paused: textAt(object, 'spec', 'paused') === 'true',
  }
}

/** One revision of a Deployment: the ReplicaSet that stands for it. */
export interface Revision {
  number: number
  name: string
  images: string[]
  replicas: number
  createdAt: string
  changeCause: string
  /** As it goes back into the Deployment: without the hash that the controller adds. */
  template: Record<string, unknown>
}

/**
 * A Deployment's revisions, newest first, from the ReplicaSets it owns.
 * @see https://github.com/kubernetes/kubectl/blob/v0.36.0/pkg/polymorphichelpers/rollback.go
 */
export function revisionsOf(deployment: KubeObject, replicaSets: readonly KubeObject[]): Revision[] {
  return replicaSets
    .filter((each) => (each.metadata.ownerReferences ?? []).some((owner) => owner.uid === deployment.metadata.uid))
    .map((each) => ({
      number: Number(each.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0),
      name: each.metadata.name ?? '',
      images: listAt(each, 'spec', 'template', 'spec', 'containers').map((container) => textAt(container, 'image')),
      replicas: countAt(each, 'status', 'replicas'),
      createdAt: each.metadata.creationTimestamp ?? '',
      changeCause: each.metadata.annotations?.['kubernetes.io/change-cause'] ?? '',
      template: withoutHash(at(each, 'spec', 'template')),
    }))
    .sort((a, b) => b.number - a.number)
}

function withoutHash(template: unknown): Record<string, unknown> {
  const copy = structuredClone(template ?? {}) as { metadata?: { labels?: Record<string, string> } }
  if (copy.metadata?.labels !== undefined) delete copy.metadata.labels['pod-template-hash']
  return copy
}
