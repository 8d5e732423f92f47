import { ref, watch, type Ref } from 'vue'

/** A choice about the look that outlives the page, kept in the browser's storage; damaged or refused storage gives the default. */
export function useRemembered<T>(name: string, initial: T): Ref<T> {
  const key = `drydock.${name}`
  const value = ref(read(key, initial)) as Ref<T>
  watch(value, (next) => {
    try {
      localStorage.setItem(key, JSON.stringify(next))
    } catch {
      // Storage may be full or off; the choice then lasts as long as the page.
    }
  })
  return value
}

function read<T>(key: string, initial: T): T {
  try {
    const kept = localStorage.getItem(key)
    return kept === null ? initial : (JSON.parse(kept) as T)
  } catch {
    return initial
  }
}
