import type { ResourceName } from '#shared/contract/table.ts'
import type { RowStore } from './rowStore.ts'
import { toneOf } from './tone.ts'

/** What to look at first; its text is `overview.step.<id>`. */
export type FirstStep = 'previousLog' | 'pullEvents' | 'placement' | 'log' | 'nodeConditions' | 'uncordon' | 'pods' | 'rollout' | 'look'

/** One thing that is not as it should be. */
export interface Attention {
  resource: ResourceName
  key: string
  status: string
  /** The object's own words. */
  detail: string
  sinceMs: number
  step: FirstStep
}

const CONTROL_PLANE = /^kube-system\/(etcd|kube-apiserver|kube-controller-manager|kube-scheduler)-/
/** Words that may pass within the first half minute of an object's life say nothing yet. */
const SETTLING_MS = 30_000
const SETTLING = new Set(['Pending', 'ContainerCreating', 'PodInitializing', 'Progressing', 'Degraded', 'Terminating'])

function stepFor(resource: ResourceName, status: string): FirstStep {
  if (resource === 'nodes') return status.startsWith('Ready') ? 'uncordon' : 'nodeConditions'
  if (resource !== 'pods') return status === 'Progressing' ? 'rollout' : 'pods'
  if (/ImagePull|ErrImage|InvalidImage|RegistryUnavailable/.test(status)) return 'pullEvents'
  if (/CrashLoopBackOff|OOMKilled/.test(status)) return 'previousLog'
  if (/Error|ExitCode|Signal|RunContainer|Init:/.test(status)) return 'log'
  return status === 'Pending' || status === 'SchedulingGated' ? 'placement' : 'look'
}

/** The rows of one table whose status word is no good one. */
export function troubledRows(store: RowStore, resource: ResourceName, options: { detailColumn: string; nowMs: number }): Attention[] {
  const found: Attention[] = []
  for (let row = 0; row < store.count; row++) {
    const status = store.text('status', row)
    if (!['bad', 'warn'].includes(toneOf(status))) continue
    const createdAt = store.number('createdAtMs', row)
    if (SETTLING.has(status) && options.nowMs - createdAt < SETTLING_MS) continue
    const restartedAt = store.number('lastRestartAtMs', row)
    found.push({
      resource,
      key: store.key(row),
      status,
      detail: store.text(options.detailColumn, row),
      sinceMs: Number.isNaN(restartedAt) ? createdAt : restartedAt,
      step: stepFor(resource, status),
    })
  }
  return found
}

/**
 * Down control plane or etcd first, then nodes, then workloads, the worse before the others; a workload whose troubled pods are listed
 * is left out, since they say why.
 */
export function rankAttention(found: readonly Attention[]): Attention[] {
  const pods = found.filter((each) => each.resource === 'pods')
  const weight = ({ resource, key, status }: Attention): number => {
    const room = resource === 'pods' && CONTROL_PLANE.test(key) ? 0 : resource === 'nodes' ? 1 : 2
    return room * 2 + (toneOf(status) === 'bad' ? 0 : 1)
  }
  return found
    .filter((each) => each.resource === 'pods' || each.resource === 'nodes' || !pods.some((pod) => pod.key.startsWith(`${each.key}-`)))
    .sort((a, b) => weight(a) - weight(b) || b.sinceMs - a.sinceMs || (a.key < b.key ? -1 : 1))
}
