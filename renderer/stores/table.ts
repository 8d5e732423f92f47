import { onScopeDispose, ref, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref, type ShallowRef } from 'vue'
import type { ClusterId, ConnectionState } from '#shared/contract/clusters.ts'
import type { ResourceName, TableMessage } from '#shared/contract/table.ts'
import { RowStore } from '../composables/rowStore.ts'
import { onClusterLive } from './clusterLive.ts'
import { useLine } from './line.ts'

export interface TableSource {
  clusterId: ClusterId
  resource: ResourceName
  /** '' = all. */
  namespace: string
}

export interface LiveTable {
  store: ShallowRef<RowStore>
  /** Goes up at most once a frame when rows changed. */
  version: Ref<number>
  /** False until the first snapshot. */
  loaded: Ref<boolean>
  connection: ShallowRef<ConnectionState | null>
  error: ShallowRef<Error | null>
}

/** A resource's rows, kept up to date while the scope lives. */
export function useTable(source: MaybeRefOrGetter<TableSource | null>): LiveTable {
  const line = useLine()
  const store = shallowRef(new RowStore())
  const version = ref(0)
  const loaded = ref(false)
  const connection = shallowRef<ConnectionState | null>(null)
  const error = shallowRef<Error | null>(null)
  let release: (() => void) | null = null
  let frame = 0

  function changed(): void {
    if (frame !== 0) return
    frame = requestAnimationFrame(() => {
      frame = 0
      version.value++
    })
  }

  function receive(message: TableMessage): void {
    if (message.type === 'connection') {
      connection.value = message.connection
      return
    }
    if (message.type === 'snapshot') {
      const fresh = new RowStore()
      fresh.replace(message.packed)
      store.value = fresh
      loaded.value = true
      error.value = null
      version.value++
    } else {
      store.value.apply(message.upserted, message.removed)
      changed()
    }
  }

  function begin(): void {
    release?.()
    release = null
    store.value = new RowStore()
    loaded.value = false
    connection.value = null
    error.value = null
    version.value++
    const current = toValue(source)
    if (current === null) return
    release = line.client().subscribe(
      'table.watch',
      { clusterId: current.clusterId, resource: current.resource, ...(current.namespace === '' ? {} : { namespace: current.namespace }) },
      {
        onMessage: receive,
        onEnd: (failure) => {
          error.value = failure
        },
      },
    )
  }

  watch(() => JSON.stringify(toValue(source)), begin, { immediate: true })
  onClusterLive(
    () => toValue(source)?.clusterId,
    () => {
      if (error.value !== null) begin()
    },
  )
  onScopeDispose(() => {
    release?.()
    cancelAnimationFrame(frame)
  })
  return { store, version, loaded, connection, error }
}
