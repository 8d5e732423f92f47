import { computed, ref, shallowRef, watch, onScopeDispose, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import type { RowStore } from '../composables/rowStore.ts'
import { viewOf, type SortOrder } from '../composables/tableView.ts'
import type { LiveTable } from './table.ts'

export interface FilteredTable {
  filter: Ref<string>
  sort: ShallowRef<SortOrder | null>
  /** Keys that pass, in order. */
  keys: ShallowRef<readonly string[]>
  total: ComputedRef<number>
}

/** A view costs at most this share of the time while rows stream in. */
const REST_FACTOR = 6

/** Filter and order over a live table; without a chosen column the order is `rank`'s. A change by the person shows at once; changes of rows as often as their cost allows. */
export function useFilteredTable(
  table: LiveTable,
  options: { sort?: SortOrder | null; keep?: () => ((key: string, row: number) => boolean) | null; rank?: (store: RowStore, row: number) => number } = {},
): FilteredTable {
  const filter = ref('')
  const sort = shallowRef<SortOrder | null>(options.sort ?? null)
  const keys = shallowRef<readonly string[]>([])
  let timer: ReturnType<typeof setTimeout> | undefined
  let costMs = 0

  function compute(): void {
    clearTimeout(timer)
    timer = undefined
    const start = performance.now()
    const store = table.store.value
    const keep = options.keep?.() ?? null
    const rows = viewOf(store, {
      filter: filter.value,
      sort: sort.value,
      keep: keep === null ? null : (from, row) => keep(from.key(row), row),
      rank: options.rank ?? null,
    })
    keys.value = Array.from(rows, (row) => store.key(row))
    costMs = performance.now() - start
  }

  watch([filter, sort, table.store, () => options.keep?.()], compute, { immediate: true })
  watch(table.version, () => {
    timer ??= setTimeout(compute, Math.max(30, costMs * REST_FACTOR))
  })
  onScopeDispose(() => {
    clearTimeout(timer)
  })
  return {
    filter,
    sort,
    keys,
    total: computed(() => {
      void table.version.value
      return table.store.value.count
    }),
  }
}
