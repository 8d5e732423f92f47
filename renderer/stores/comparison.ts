import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import type { ClusterId } from '#shared/contract/clusters.ts'
import type { Comparison } from '#shared/contract/compare.ts'
import { useLine } from './line.ts'

/** One side of a comparison, as it stands in the address: `backup:<id>` or `cluster:<id>`; '' = not chosen yet. */
export type Side = string

export const backupSide = (id: string): Side => `backup:${id}`
export const clusterSide = (id: ClusterId): Side => `cluster:${id}`

export interface ComparedSides {
  before: ClusterId
  after: ClusterId
}

/** Two sides compared: a backup is opened first, which takes some seconds the first time. */
export function useComparison(
  before: () => Side,
  after: () => Side,
): {
  phase: Ref<'none' | 'opening' | 'comparing' | 'done' | 'failed'>
  /** The clusters that stand for the sides, once they are open. */
  sides: ShallowRef<ComparedSides | null>
  data: ShallowRef<Comparison | null>
  error: ShallowRef<Error | null>
  comparedAtMs: Ref<number>
  refresh: () => Promise<void>
} {
  const line = useLine()
  const phase = ref<'none' | 'opening' | 'comparing' | 'done' | 'failed'>('none')
  const sides = shallowRef<ComparedSides | null>(null)
  const data = shallowRef<Comparison | null>(null)
  const error = shallowRef<Error | null>(null)
  const comparedAtMs = ref(Number.NaN)
  let running: AbortController | null = null

  async function opened(side: Side, signal: AbortSignal): Promise<ClusterId> {
    const id = side.slice(side.indexOf(':') + 1)
    const { clusterId } = side.startsWith('backup:') ? await line.client().invoke('backups.openAsCluster', { id }, { signal }) : { clusterId: id }
    await line.client().invoke('clusters.open', { clusterId }, { signal })
    return clusterId
  }
  async function refresh(): Promise<void> {
    running?.abort()
    const [left, right] = [before(), after()]
    if (left === '' || right === '') {
      phase.value = 'none'
      return
    }
    const { signal } = (running = new AbortController())
    phase.value = 'opening'
    error.value = null
    try {
      const both = { before: await opened(left, signal), after: await opened(right, signal) }
      if (signal.aborted) return
      sides.value = both
      phase.value = 'comparing'
      const found = await line.client().invoke('compare.objects', both, { signal })
      if (signal.aborted) return
      data.value = found
      comparedAtMs.value = Date.now()
      phase.value = 'done'
    } catch (failure) {
      if (signal.aborted) return
      error.value = failure instanceof Error ? failure : new Error(String(failure))
      phase.value = 'failed'
    }
  }
  watch(
    [before, after],
    () => {
      data.value = null
      sides.value = null
      void refresh()
    },
    { immediate: true },
  )
  onScopeDispose(() => running?.abort())
  return { phase, sides, data, error, comparedAtMs, refresh }
}
