/** Connections to nodes that are opened at once: a bastion and this machine have to bear them, and each has its time limit. */
export const NODES_AT_ONCE = 16

/** The results in the order of the items, so many worked on at once. The first failure ends it, after what is under way. */
export async function sideBySide<T, R>(items: readonly T[], work: (item: T) => Promise<R>, atOnce = NODES_AT_ONCE): Promise<R[]> {
  const results: R[] = []
  let next = 0
  let failed = false
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length && !failed; index = next++) {
      const item = items[index] as T
      try {
        results[index] = await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane))
  return results
}
