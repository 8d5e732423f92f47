import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isPodReady, nodeNameOf, objectsAt, statusOf, textAt } from './controller.ts'

const PHASES = ['Pending', 'Unknown', 'Running']

function readySince(pod: KubeObject): number {
  const ready = objectsAt(statusOf(pod)['conditions']).find((each) => each['type'] === 'Ready' && each['status'] === 'True')
  return ready === undefined ? 0 : Date.parse(textAt(ready['lastTransitionTime'])) || 0
}

function restarts(pod: KubeObject): number {
  const statuses = objectsAt(statusOf(pod)['containerStatuses'])
  return Math.max(0, ...statuses.map(({ restartCount }) => (typeof restartCount === 'number' ? restartCount : 0)))
}

/**
 * Whom a smaller workload loses first: unassigned, then pending, then not ready, then of lower deletion cost (since 1.22),
 * then on nodes with more of its pods, then those ready for a shorter time, with more restarts, younger.
 *
 * @param related pods that count for how crowded a node is
 * @see pkg/controller/controller_utils.go ActivePodsWithRanks
 */
export function rankForDeletion(active: readonly KubeObject[], options: { minor: number; related?: readonly KubeObject[] }): KubeObject[] {
  const perNode = new Map<string, number>()
  for (const pod of options.related ?? []) perNode.set(nodeNameOf(pod), (perNode.get(nodeNameOf(pod)) ?? 0) + 1)
  const order = (pod: KubeObject): number[] => [
    nodeNameOf(pod) === '' ? 0 : 1,
    PHASES.indexOf(textAt(statusOf(pod)['phase'])),
    isPodReady(pod) ? 1 : 0,
    options.minor >= 22 ? Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0 : 0,
    -(perNode.get(nodeNameOf(pod)) ?? 0),
    -readySince(pod),
    -restarts(pod),
    -Date.parse(pod.metadata.creationTimestamp ?? ''),
  ]
  const keyed = active.map((pod) => ({ pod, key: order(pod) }))
  keyed.sort((a, b) => {
    const index = a.key.findIndex((value, at) => value !== b.key[at])
    return index < 0 ? 0 : (a.key[index] ?? 0) - (b.key[index] ?? 0)
  })
  return keyed.map(({ pod }) => pod)
}
