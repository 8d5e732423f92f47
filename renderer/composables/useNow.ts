import { onScopeDispose, ref, type Ref } from 'vue'

/** The time, once a second (default), for ages on the screen. Milliseconds since the epoch. */
export function useNow(everyMs = 1000): Ref<number> {
  const now = ref(Date.now())
  const timer = setInterval(() => {
    now.value = Date.now()
  }, everyMs)
  onScopeDispose(() => {
    clearInterval(timer)
  })
  return now
}
