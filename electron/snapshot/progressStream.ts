/**
 * Runs a piece of work that reports by callback and turns it into a stream: reports as they come, of which a slow reader gets
 * the latest, then the result as last message. Letting go of the stream aborts the work and waits until it has cleaned up.
 */
export async function* progressStream<P>(
  work: (report: (progress: P) => void, signal: AbortSignal) => Promise<P>,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<P> {
  const letGo = new AbortController()
  let latest: { progress: P } | null = null
  let wake: () => void = () => undefined
  let ended = false
  const report = (progress: P): void => {
    latest = { progress }
    wake()
  }
  const running = work(report, AbortSignal.any([signal, letGo.signal])).finally(() => {
    ended = true
    wake()
  })
  // Its outcome is awaited below in every case; without this an early failure counts as unhandled meanwhile.
  running.catch(() => undefined)
  const take = (): { progress: P } | null => {
    const taken = latest
    latest = null
    return taken
  }
  const isEnded = (): boolean => ended
  try {
    while (!isEnded()) {
      const next = take()
      if (next !== null) yield next.progress
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
    const last = take()
    if (last !== null) yield last.progress
    yield await running
  } finally {
    letGo.abort(new DOMException('nobody waits for it any more', 'AbortError'))
    await running.catch(() => undefined)
  }
}
