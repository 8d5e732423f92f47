import type { ObjectKey, RestoredItem, RestoreItem } from '#shared/contract/compare.ts'
import { objectId } from './comparisonTree.ts'

export type Need = RestoreItem['requires'][number]

/** How many of a plan meet each fate, by the words of the page. */
export function planCounts(items: readonly RestoreItem[]): { made: number; replaced: number; same: number; left: number; invalid: number } {
  const of = (state: RestoreItem['state']): number => items.filter((each) => each.state === state).length
  return { made: of('new'), replaced: of('exists'), same: of('same'), left: of('left-out'), invalid: of('invalid') }
}

export function resultCounts(items: readonly RestoredItem[]): Record<RestoredItem['outcome'], number> {
  const counts = { pending: 0, created: 0, replaced: 0, unchanged: 0, skipped: 0, failed: 0 }
  for (const { outcome } of items) counts[outcome]++
  return counts
}

/** What an item needs and will not find on the target as things stand. */
export const missingOf = (item: RestoreItem): Need[] => item.requires.filter(({ where }) => where === 'source' || where === 'nowhere')

/** Everything the source has and the chosen ones need, each once. */
export function stillNeeded(items: readonly RestoreItem[]): ObjectKey[] {
  const found = new Map<string, ObjectKey>()
  for (const need of items.flatMap(missingOf)) if (need.where === 'source') found.set(objectId(need), keyOf(need))
  return [...found.values()]
}

/** Every kind that is referred to has been served as v1 since 1.14 or longer. */
export const keyOf = ({ group, resource, namespace, name }: Need): ObjectKey => ({ group, version: 'v1', resource, namespace, name })
