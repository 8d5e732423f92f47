import { onScopeDispose, ref, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref, type ShallowRef } from 'vue'
import type { OutputOf } from '#shared/contract/contract.ts'
import { useLine } from './line.ts'

export type KeyRevision = OutputOf<'etcd.get'>

export interface KeyHistory {
  /** Newest first. */
  revisions: ShallowRef<readonly KeyRevision[]>
  loading: Ref<boolean>
  /** Why it stops where it does. */
  end: Ref<'created' | 'compacted' | 'limit' | null>
  error: ShallowRef<Error | null>
}

/** Revisions of one key read at most; each is a question of its own, since etcd has none for history. */
const MOST = 25

/** The values a key had, as far back as etcd keeps them: each is asked for at the revision before the one after it. */
export function useKeyHistory(source: MaybeRefOrGetter<{ clusterId: string; key: string }>): KeyHistory {
  const line = useLine()
  const revisions = shallowRef<readonly KeyRevision[]>([])
  const loading = ref(false)
  const end = ref<KeyHistory['end']['value']>(null)
  const error = shallowRef<Error | null>(null)
  let abort: AbortController | null = null

  async function read(): Promise<void> {
    abort?.abort()
    const mine = new AbortController()
    abort = mine
    const { clusterId, key } = toValue(source)
    revisions.value = []
    end.value = null
    error.value = null
    loading.value = true
    try {
      let revision: number | undefined
      while (end.value === null) {
        let found: KeyRevision
        try {
          found = await line.client().invoke('etcd.get', { clusterId, key, ...(revision === undefined ? {} : { revision }) }, { signal: mine.signal })
        } catch (failure) {
          if (revision === undefined || mine.signal.aborted) throw failure
          end.value = 'compacted'
          break
        }
        if (mine.signal.aborted) return
        revisions.value = [...revisions.value, found]
        if (found.key.version <= 1) end.value = 'created'
        else if (revisions.value.length === MOST) end.value = 'limit'
        revision = found.key.modRevision - 1
      }
    } catch (failure) {
      if (!mine.signal.aborted) error.value = failure instanceof Error ? failure : new Error(String(failure))
    } finally {
      if (abort === mine) loading.value = false
    }
  }
  watch(() => JSON.stringify(toValue(source)), read, { immediate: true })
  onScopeDispose(() => abort?.abort())
  return { revisions, loading, end, error }
}
