/** An item of a list and what it is known by. */
export interface KeyedItem {
  element: string
  item: unknown
}

/**
 * The items of a live list with those of an applied one laid over them: the applied order wins among what both have, and what only the
 * live list has keeps its place before what follows it there. Items that the live list has twice stay so, unless they are applied.
 *
 * @param merge of one item; undefined stands for an item that a side lacks, null for one that the live list has twice
 * @see sigs.k8s.io/structured-merge-diff/v6/typed/merge.go visitListItems
 */
export function mergedItems(live: readonly KeyedItem[], applied: readonly KeyedItem[], merge: (live: unknown, applied: unknown) => unknown): unknown[] {
  const ours = new Map<string, unknown>()
  for (const { element, item } of live) ours.set(element, ours.has(element) ? null : item)
  const theirs = new Map(applied.map(({ element, item }) => [element, item]))
  const shared = applied.map(({ element }) => element).filter((element) => ours.has(element))
  const result: unknown[] = []
  const done = new Set<string>()
  const take = (element: string): void => {
    done.add(element)
    result.push(merge(ours.get(element), theirs.get(element)))
  }
  let [at, next] = [0, 0]
  let wanted = shared.shift()
  while (at < live.length || next < applied.length) {
    const [left, right] = [live[at], applied[next]]
    if (left !== undefined && right !== undefined) {
      if (left.element === right.element) {
        take(left.element)
        at += 1
        next += 1
        wanted = shared.shift()
        continue
      }
      if (theirs.has(left.element) && wanted !== undefined && wanted !== left.element) {
        at += 1
        continue
      }
    }
    if (left !== undefined) {
      if (!theirs.has(left.element)) {
        result.push(merge(left.item, undefined))
        at += 1
        continue
      }
      if (done.has(left.element)) at += 1
    }
    if (right !== undefined) {
      take(right.element)
      next += 1
      if (wanted === right.element) wanted = shared.shift()
    }
  }
  return result
}
