import { computed, type ComputedRef } from 'vue'
import type { ResourceName } from '#shared/contract/table.ts'
import { rankAttention, troubledRows, type Attention } from '../composables/attention.ts'
import { controlPlaneOf, type ControlPlaneNode } from '../composables/controlPlane.ts'
import type { RowStore } from '../composables/rowStore.ts'
import { refusalOf } from './refusal.ts'
import { useTable, type LiveTable } from './table.ts'

export interface WarningGroup {
  reason: string
  /** Times it happened, repeats counted. */
  count: number
  /** Of the newest. */
  object: string
  message: string
  lastSeenMs: number
}

const CAPACITY = [
  'cpuRequest',
  'cpuLimit',
  'cpuUse',
  'cpuAllocatable',
  'memoryRequest',
  'memoryLimit',
  'memoryUse',
  'memoryAllocatable',
  'podCount',
  'podCapacity',
] as const
/** Warnings older than this say little about now. */
const RECENT_MS = 3_600_000

/** What the first page tells of a cluster, from its live tables. `now` in milliseconds, for what is recent. */
export function useOverview(clusterId: () => string, now: () => number) {
  const watch = (resource: ResourceName, namespace = ''): LiveTable =>
    useTable(() => (clusterId() === '' ? null : { clusterId: clusterId(), resource, namespace }))
  const nodeTable = watch('nodes')
  const podTable = watch('pods')
  const eventTable = watch('events')
  const deployments = watch('deployments')
  const daemonSets = watch('daemonsets')
  const statefulSets = watch('statefulsets')
  const leases = watch('leases', 'kube-system')
  const storeOf = (table: LiveTable): RowStore => {
    void table.version.value
    return table.store.value
  }

  const refused = (table: LiveTable): Error | null => table.error.value ?? refusalOf(table.connection.value)
  /** What may not be listed; the rest of the page is shown without it. */
  const denied = computed(() => ({ nodes: !nodeTable.loaded.value && refused(nodeTable) !== null, pods: !podTable.loaded.value && refused(podTable) !== null }))
  const loaded = computed(() => {
    const settled = (nodeTable.loaded.value || denied.value.nodes) && (podTable.loaded.value || denied.value.pods)
    return settled && !(denied.value.nodes && denied.value.pods)
  })
  /** Why nothing comes at all. */
  const error = computed(() => (denied.value.nodes && denied.value.pods ? (refused(nodeTable) ?? refused(podTable)) : null))
  const nodeRows = (): RowStore => storeOf(nodeTable)
  const nodes = computed(() => {
    const store = storeOf(nodeTable)
    let ready = 0
    for (let row = 0; row < store.count; row++) if (store.text('status', row).startsWith('Ready')) ready++
    return { ready, total: store.count }
  })
  const capacity = computed(() => {
    const store = storeOf(nodeTable)
    return Object.fromEntries(CAPACITY.map((column) => [column, sumOf(store, column)])) as Record<(typeof CAPACITY)[number], number>
  })
  const troubled = (table: LiveTable, resource: ResourceName, detailColumn: string): Attention[] =>
    troubledRows(storeOf(table), resource, { detailColumn, nowMs: now() })
  const troubledPods = computed(() => troubled(podTable, 'pods', 'message'))
  const attention: ComputedRef<Attention[]> = computed(() =>
    rankAttention([
      ...troubled(nodeTable, 'nodes', 'pressure'),
      ...troubled(deployments, 'deployments', 'message'),
      ...troubled(daemonSets, 'daemonsets', 'message'),
      ...troubled(statefulSets, 'statefulsets', 'message'),
      ...troubledPods.value,
    ]),
  )
  const needsOf = (key: string): { cpuCores: number; memoryBytes: number } => {
    const store = storeOf(podTable)
    const row = store.rowOf(key)
    return { cpuCores: store.number('cpuRequest', row), memoryBytes: store.number('memoryRequest', row) }
  }
  const pods = computed(() => ({ total: storeOf(podTable).count, trouble: troubledPods.value.length }))
  const phases = computed(() => [...storeOf(podTable).countBy('status')].sort((a, b) => b[1] - a[1]))
  const warnings: ComputedRef<WarningGroup[]> = computed(() => warningGroups(storeOf(eventTable), now() - RECENT_MS))
  const controlPlane: ComputedRef<ControlPlaneNode[]> = computed(() => controlPlaneOf(storeOf(podTable), storeOf(leases)))

  return { loaded, error, denied, nodes, nodeRows, pods, capacity, attention, needsOf, phases, warnings, controlPlane }
}

/** A sum of nothing but missing samples is missing, not zero. */
function sumOf(store: RowStore, column: string): number {
  let sum = Number.NaN
  for (let row = 0; row < store.count; row++) {
    const value = store.number(column, row)
    if (!Number.isNaN(value)) sum = (Number.isNaN(sum) ? 0 : sum) + value
  }
  return sum
}

/** Warnings since a time, by reason, the most frequent first. */
export function warningGroups(store: RowStore, sinceMs: number): WarningGroup[] {
  const groups = new Map<string, WarningGroup>()
  for (let row = 0; row < store.count; row++) {
    const lastSeenMs = store.number('lastSeenMs', row)
    if (store.text('type', row) !== 'Warning' || !(lastSeenMs >= sinceMs)) continue
    const reason = store.text('reason', row)
    const known = groups.get(reason)
    const count = (known?.count ?? 0) + store.number('count', row)
    if (known !== undefined && known.lastSeenMs >= lastSeenMs) known.count = count
    else groups.set(reason, { reason, count, object: store.text('object', row), message: store.text('message', row), lastSeenMs })
  }
  return [...groups.values()].sort((a, b) => b.count - a.count || b.lastSeenMs - a.lastSeenMs)
}
