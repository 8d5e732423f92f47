import { onScopeDispose, ref, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref, type ShallowRef } from 'vue'
import type { InputOf } from '#shared/contract/contract.ts'
import { useLine } from './line.ts'

/** Lines kept; older ones are let go, and counted. */
export const KEPT_LINES = 50_000

export interface Logs {
  lines: ShallowRef<readonly string[]>
  dropped: Ref<number>
  ended: Ref<boolean>
  error: ShallowRef<Error | null>
  restart: () => void
}

/** A container's log while the scope lives; begun anew when the input changes. */
export function useLogs(input: MaybeRefOrGetter<InputOf<'pods.logs'>>): Logs {
  const line = useLine()
  const lines = shallowRef<readonly string[]>([])
  const dropped = ref(0)
  const ended = ref(false)
  const error = shallowRef<Error | null>(null)
  let release: (() => void) | null = null
  let kept: string[] = []
  let frame = 0

  // Batches are gathered and shown once a frame, so that a fast log does not stop the page.
  function show(): void {
    frame ||= requestAnimationFrame(() => {
      frame = 0
      if (kept.length > KEPT_LINES) {
        dropped.value += kept.length - KEPT_LINES
        kept = kept.slice(-KEPT_LINES)
      }
      lines.value = kept.slice()
    })
  }

  function restart(): void {
    release?.()
    kept = []
    lines.value = []
    dropped.value = 0
    ended.value = false
    error.value = null
    release = line.client().subscribe('pods.logs', toValue(input), {
      onMessage: (message) => {
        for (const each of message.lines) kept.push(each)
        if (message.end) ended.value = true
        show()
      },
      onEnd: (failure) => {
        error.value = failure
        ended.value = true
      },
    })
  }

  watch(() => JSON.stringify(toValue(input)), restart, { immediate: true })
  onScopeDispose(() => {
    release?.()
    cancelAnimationFrame(frame)
  })
  return { lines, dropped, ended, error, restart }
}
