import type { SchedulingDecision } from '#shared/planning/scheduling/decision.ts'

/** Verdicts kept over all decisions: with 5,000 nodes the last twenty pods that found none, with fewer nodes more. */
const MAX_VERDICTS = 100_000

interface Kept {
  verdicts: number
  decision: () => SchedulingDecision
}

/** The last decision about each pod, the oldest forgotten first. A decision is written out when it is asked for. */
export class DecisionLog {
  readonly #byPod = new Map<string, Kept>()
  #verdicts = 0

  record(key: string, verdicts: number, decision: () => SchedulingDecision): void {
    this.#forget(key)
    this.#byPod.set(key, { verdicts, decision })
    this.#verdicts += verdicts
    for (const oldest of this.#byPod.keys()) {
      if (this.#verdicts <= MAX_VERDICTS || oldest === key) break
      this.#forget(oldest)
    }
  }

  find(namespace: string, name: string): SchedulingDecision | null {
    return this.#byPod.get(`${namespace}/${name}`)?.decision() ?? null
  }

  #forget(key: string): void {
    const kept = this.#byPod.get(key)
    if (kept === undefined) return
    this.#byPod.delete(key)
    this.#verdicts -= kept.verdicts
  }
}
