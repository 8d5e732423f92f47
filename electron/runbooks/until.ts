import type { StepContext } from './runbook.ts'

/** Pause between looks. */
const POLL_MS = 500

/**
 * Looks until a condition holds. The API server itself may be restarting, so a look that fails counts as "not yet".
 * @throws when it takes longer than `timeoutMs`, with the last look's error
 */
export async function until(
  { signal, clock, waitFor }: StepContext,
  what: string,
  { timeoutMs, holds }: { timeoutMs: number; holds: () => Promise<boolean> },
): Promise<void> {
  const deadlineMs = clock.now() + timeoutMs
  let lastError: unknown = null
  for (;;) {
    const held = await holds().catch((error: unknown) => {
      signal.throwIfAborted()
      lastError = error
      return false
    })
    if (held) break
    if (clock.now() > deadlineMs)
      throw new Error(`waited ${String(timeoutMs / 1000)} s for ${what}${lastError instanceof Error ? `; last error: ${lastError.message}` : ''}`)
    waitFor(what)
    await clock.sleep(POLL_MS, { signal })
  }
  waitFor('')
}
