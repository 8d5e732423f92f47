/** Time without a break in which something was worked on. `toMs` is null while that goes on. */
export interface Spell {
  fromMs: number
  toMs: number | null
}

/**
 * How long something was worked on within a time, in milliseconds. What goes on side by side counts once.
 *
 * @param toMs counts for now too: where a spell that goes on ends
 * @param fromMs what lies before is left out
 */
export function workedMs(spells: readonly Spell[], toMs: number, fromMs = -Infinity): number {
  let worked = 0
  let countedToMs = fromMs
  for (const spell of spells.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const endMs = Math.min(spell.toMs ?? toMs, toMs)
    worked += Math.max(0, endMs - Math.max(spell.fromMs, countedToMs))
    countedToMs = Math.max(countedToMs, endMs)
  }
  return worked
}
