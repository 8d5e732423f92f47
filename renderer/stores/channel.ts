import { onScopeDispose, ref, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref, type ShallowRef } from 'vue'
import type { InputOf, MessageOf, OutputOf, RequestName, SubscriptionName } from '#shared/contract/contract.ts'
import { clusterOf, onClusterLive } from './clusterLive.ts'
import { useLine } from './line.ts'

/** Something fetched: what we know, apart from what we are doing. `error` stands beside the last good `data`. */
export interface Loadable<T> {
  data: ShallowRef<T | null>
  error: ShallowRef<Error | null>
  loading: Ref<boolean>
  receivedAtMs: Ref<number | null>
}

/** Sameness of inputs is by content: getters make new objects each time they run. */
const contentOf = (input: unknown): string => JSON.stringify(input)

/** The latest message of a subscription, while the scope lives. A null input means: none now. */
export function useSubscription<N extends SubscriptionName>(
  name: N,
  input: MaybeRefOrGetter<InputOf<N> | null>,
): Loadable<MessageOf<N>> & { ended: Ref<boolean> } {
  const line = useLine()
  const data = shallowRef(null) as ShallowRef<MessageOf<N> | null>
  const error = shallowRef<Error | null>(null)
  const loading = ref(false)
  const ended = ref(false)
  const receivedAtMs = ref<number | null>(null)
  let release: (() => void) | null = null
  function begin(): void {
    release?.()
    release = null
    data.value = null
    error.value = null
    ended.value = false
    const current = toValue(input)
    loading.value = current !== null
    if (current === null) return
    release = line.client().subscribe(name, current, {
      onMessage: (message) => {
        data.value = message
        error.value = null
        loading.value = false
        receivedAtMs.value = Date.now()
      },
      onEnd: (failure) => {
        error.value = failure
        loading.value = false
        ended.value = true
      },
    })
  }

  watch(() => contentOf(toValue(input)), begin, { immediate: true })
  // Not what reports its own end, as a drain does: only what never got a word out.
  onClusterLive(
    () => clusterOf(toValue(input)),
    () => {
      if (error.value !== null && data.value === null) begin()
    },
  )
  onScopeDispose(() => release?.())
  return { data, error, loading, ended, receivedAtMs }
}

export interface RequestOptions {
  /** Asks again after so long; 0 = only when the input changes or `refresh` is called. @default 0 */
  everyMs?: number
}

/** The answer to a request, asked again when its input changes; an answer that comes too late is dropped. A null input means: none now. */
export function useRequest<N extends RequestName>(
  name: N,
  input: MaybeRefOrGetter<InputOf<N> | null>,
  options: RequestOptions = {},
): Loadable<OutputOf<N>> & { refresh: () => Promise<void> } {
  const line = useLine()
  const data = shallowRef(null) as ShallowRef<OutputOf<N> | null>
  const error = shallowRef<Error | null>(null)
  const loading = ref(false)
  const receivedAtMs = ref<number | null>(null)
  let abort: AbortController | null = null

  async function refresh(): Promise<void> {
    abort?.abort()
    const current = toValue(input)
    if (current === null) return
    const mine = new AbortController()
    abort = mine
    loading.value = true
    try {
      const answer = await line.client().invoke(name, current, { signal: mine.signal })
      if (mine.signal.aborted) return
      data.value = answer
      error.value = null
      receivedAtMs.value = Date.now()
    } catch (failure) {
      if (!mine.signal.aborted) error.value = failure instanceof Error ? failure : new Error(String(failure))
    } finally {
      if (abort === mine) loading.value = false
    }
  }

  watch(
    () => contentOf(toValue(input)),
    () => {
      data.value = null
      error.value = null
      void refresh()
    },
    { immediate: true },
  )
  // After a break of the line the answer may be old.
  watch(
    () => line.connected,
    (connected) => {
      if (connected && error.value !== null) void refresh()
    },
  )
  onClusterLive(
    () => clusterOf(toValue(input)),
    () => {
      if (error.value !== null) void refresh()
    },
  )
  const timer = (options.everyMs ?? 0) > 0 ? setInterval(() => void refresh(), options.everyMs) : undefined
  onScopeDispose(() => {
    clearInterval(timer)
    abort?.abort()
  })
  return { data, error, loading, receivedAtMs, refresh }
}
