/** Yields `read()` now and after each change, until the signal aborts; changes while the reader is slow become one. */
export async function* following<T>(read: () => T | Promise<T>, onChange: (listener: () => void) => () => void, signal: AbortSignal): AsyncGenerator<T> {
  let changed = true
  let wake: () => void = () => undefined
  const note = (): void => {
    changed = true
    wake()
  }
  const unsubscribe = onChange(note)
  signal.addEventListener('abort', note, { once: true })
  try {
    while (!signal.aborted) {
      if (changed) {
        changed = false
        yield await read()
      } else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', note)
  }
}
