export interface PaletteEntry {
  id: string
  text: string
  /** The heading it belongs to, shown beside it and searched too. */
  group: string
  /** Left out until something is asked: there are too many of them. */
  onlyFound?: boolean
}

/** How well a text fits: 0 not at all; whole words before starts before what stands inside. */
function score(text: string, query: string): number {
  const lower = text.toLowerCase()
  if (lower === query) return 100
  if (lower.startsWith(query)) return 80
  const at = lower.indexOf(query)
  if (at < 0) return 0
  return /[\s/.-]/.test(lower[at - 1] ?? '') ? 60 : 40
}

/** Letters of the query in order anywhere in the text, e.g. `dbu` in Disruption budgets; the least of the fits. */
function scattered(text: string, query: string): number {
  const lower = text.toLowerCase()
  let from = 0
  for (const letter of query) {
    from = lower.indexOf(letter, from) + 1
    if (from === 0) return 0
  }
  return query.length > 1 ? 10 : 0
}

/** Entries that fit the query, best first; all, in their order, without one. */
export function rankEntries<E extends PaletteEntry>(entries: readonly E[], query: string): E[] {
  const wanted = query.trim().toLowerCase()
  if (wanted === '') return entries.filter((entry) => entry.onlyFound !== true)
  return entries
    .map((entry, index) => ({ entry, index, points: pointsOf(entry, wanted) }))
    .filter((each) => each.points > 0)
    .sort((a, b) => b.points - a.points || a.index - b.index)
    .map((each) => each.entry)
}

/** Long lists of names are searched for what stands in them only: letters scattered over a pod's name mean nothing. */
function pointsOf(entry: PaletteEntry, wanted: string): number {
  const whole = Math.max(score(entry.text, wanted), score(`${entry.group} ${entry.text}`, wanted) / 2)
  return whole > 0 || entry.onlyFound === true ? whole : scattered(entry.text, wanted)
}
