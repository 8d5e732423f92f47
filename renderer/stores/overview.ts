import { computed, type ComputedRef } from 'vue'
import type { ResourceName } from '#shared/contract/table.ts'
import { toneOf } from '../composables/tone.ts'
import { useTable, type LiveTable } from './table.ts'

export interface Attention {
  resource: ResourceName
  key: string
  status: string
  detail: string
  sinceMs: number
}

export interface WarningEvent {
  key: string
  reason: string
  object: string
  message: string
  lastSeenMs: number
}

const CAPACITY = ['cpuRequest', 'cpuUse', 'cpuAllocatable', 'memoryRequest', 'memoryUse', 'memoryAllocatable', 'podCount', 'podCapacity'] as const
/** Warnings older than this say little about now. */
const RECENT_MS = 3_600_000

/** What the first page tells of a cluster, from its live tables. */
export function useOverview(clusterId: () => string) {
  const watch = (resource: ResourceName): LiveTable => useTable(() => (clusterId() === '' ? null : { clusterId: clusterId(), resource, namespace: '' }))
  const nodeTable = watch('nodes')
  const podTable = watch('pods')
  const eventTable = watch('events')
  const deployments = watch('deployments')

  const loaded = computed(() => nodeTable.loaded.value && podTable.loaded.value)
  const nodes = computed(() => {
    void nodeTable.version.value
    const { value: store } = nodeTable.store
    let ready = 0
    for (let row = 0; row < store.count; row++) if (store.text('status', row).startsWith('Ready')) ready++
    return { ready, total: store.count }
  })
  const capacity = computed(() => {
    void nodeTable.version.value
    const { value: store } = nodeTable.store
    // A sum of nothing but missing samples is missing, not zero.
    return Object.fromEntries(
      CAPACITY.map((column) => {
        let sum = Number.NaN
        for (let row = 0; row < store.count; row++) {
          const value = store.number(column, row)
          if (!Number.isNaN(value)) sum = (Number.isNaN(sum) ? 0 : sum) + value
        }
        return [column, sum]
      }),
    ) as Record<(typeof CAPACITY)[number], number>
  })

  function troubled(table: LiveTable, resource: ResourceName, detailColumn: string): Attention[] {
    void table.version.value
    const { value: store } = table.store
    const found: Attention[] = []
    for (let row = 0; row < store.count; row++) {
      const status = store.text('status', row)
      if (!['bad', 'warn'].includes(toneOf(status))) continue
      const restartedAt = store.number('lastRestartAtMs', row)
      found.push({
        resource,
        key: store.key(row),
        status,
        detail: store.text(detailColumn, row),
        sinceMs: Number.isNaN(restartedAt) ? store.number('createdAtMs', row) : restartedAt,
      })
    }
    return found
  }
  const troubledPods = computed(() => troubled(podTable, 'pods', 'message'))
  const attention: ComputedRef<Attention[]> = computed(() => {
    const weight = (each: Attention): number => (toneOf(each.status) === 'bad' ? 0 : 1)
    const byWeight = (list: Attention[]): Attention[] => list.sort((a, b) => weight(a) - weight(b))
    return [
      ...byWeight(troubled(nodeTable, 'nodes', 'pressure')),
      ...byWeight(troubled(deployments, 'deployments', 'message')),
      ...byWeight([...troubledPods.value]),
    ]
  })
  const pods = computed(() => {
    void podTable.version.value
    return { total: podTable.store.value.count, trouble: troubledPods.value.length }
  })
  const phases = computed(() => {
    void podTable.version.value
    return [...podTable.store.value.countBy('status')].sort((a, b) => b[1] - a[1])
  })
  const warnings: ComputedRef<WarningEvent[]> = computed(() => {
    void eventTable.version.value
    const { value: store } = eventTable.store
    const found: WarningEvent[] = []
    const since = Date.now() - RECENT_MS
    for (let row = 0; row < store.count; row++) {
      if (store.text('type', row) !== 'Warning' || store.number('lastSeenMs', row) < since) continue
      found.push({
        key: store.key(row),
        reason: store.text('reason', row),
        object: store.text('object', row),
        message: store.text('message', row),
        lastSeenMs: store.number('lastSeenMs', row),
      })
    }
    return found.sort((a, b) => b.lastSeenMs - a.lastSeenMs)
  })

  return { loaded, nodes, pods, capacity, attention, phases, warnings }
}
