import { mainOf, packRevision } from './revision.ts'
import { SortedKeys, type BinaryText } from './sortedKeys.ts'

/**
 * Where each key's versions are: for every key the packed revisions that changed it, ascending, with tombstones negative.
 *
 *   put a (2.0), put a (3.0), delete a (5.0), put a (6.0)   ->   a: [2.0, 3.0, -5.0, 6.0]
 *   a at revision 1: none · at 3 and 4: 3.0 · at 5: none (deleted) · at 6: 6.0
 *   compact 4 -> [3.0, -5.0, 6.0]: the version alive at 4 stays
 *   compact 5 -> [-5.0, 6.0]:      a tombstone at the compact revision itself stays (etcd from 3.5.16 on)
 *   compact 6 -> [6.0]
 */
export class KeyIndex {
  readonly #versions = new Map<BinaryText, number[]>()
  /** Marked are the keys whose newest version is no tombstone. */
  readonly #keys = new SortedKeys((key) => (this.#versions.get(key)?.at(-1) ?? -1) > 0)

  /** Adds a change; revisions of a key must come in ascending order. */
  add(key: BinaryText, packed: number, tombstone: boolean): void {
    const entry = tombstone ? -packed : packed
    const versions = this.#versions.get(key)
    if (versions === undefined) {
      this.#versions.set(key, [entry])
      this.#keys.add(key)
      if (!tombstone) this.#keys.mark(key, 1)
      return
    }
    const lived = (versions.at(-1) ?? -1) > 0
    versions.push(entry)
    if (lived === tombstone) this.#keys.mark(key, tombstone ? -1 : 1)
  }

  /** For an index that is empty: as `add`, but the keys are put in order once, at the end. Nothing can be read before. */
  filling(): { add: (key: BinaryText, packed: number, tombstone: boolean) => void; end: () => void } {
    return {
      add: (key, packed, tombstone) => {
        const versions = this.#versions.get(key)
        if (versions === undefined) this.#versions.set(key, [tombstone ? -packed : packed])
        else versions.push(tombstone ? -packed : packed)
      },
      end: () => {
        this.#keys.fill([...this.#versions.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
      },
    }
  }

  /** The version visible at main revision `atMain`, or null when the key did not exist then. */
  visible(key: BinaryText, atMain: number): number | null {
    const versions = this.#versions.get(key)
    if (versions === undefined) return null
    const index = lastAtOrBelow(versions, packRevision(atMain + 1, 0) - 1)
    const entry = versions[index]
    return entry === undefined || entry < 0 ? null : entry
  }

  /** Visits keys in [start, end) with their visible version, in key order. `end` null = to the last key. */
  each(start: BinaryText, end: BinaryText | null, atMain: number, visit: (packed: number, key: BinaryText) => void): void {
    this.#keys.walk(start, end, (key) => {
      const packed = this.visible(key, atMain)
      if (packed !== null) visit(packed, key)
      return true
    })
  }

  /** How many keys of [start, end) exist now. */
  count(start: BinaryText, end: BinaryText | null): number {
    return this.#keys.count(start, end)
  }

  /** The first `limit` visible versions of [start, end). */
  first(start: BinaryText, end: BinaryText | null, { atMain, limit }: { atMain: number; limit: number }): number[] {
    const found: number[] = []
    this.#keys.walk(start, end, (key) => {
      const packed = this.visible(key, atMain)
      if (packed !== null) found.push(packed)
      return found.length < limit
    })
    return found
  }

  /** Drops what nobody can read once revisions up to `atMain` are compacted. @returns the dropped packed revisions */
  compact(atMain: number): number[] {
    const dropped: number[] = []
    for (const [key, versions] of this.#versions) {
      const index = lastAtOrBelow(versions, packRevision(atMain + 1, 0) - 1)
      if (index < 0) continue
      const last = versions[index] ?? 0
      const keepFrom = last < 0 && mainOf(-last) !== atMain ? index + 1 : index
      for (const entry of versions.splice(0, keepFrom)) dropped.push(Math.abs(entry))
      if (versions.length === 0) {
        this.#versions.delete(key)
        this.#keys.delete(key)
      }
    }
    return dropped
  }

  /** Keys that have any version, deleted ones included. */
  get size(): number {
    return this.#keys.size
  }
}

/** Index of the last entry whose revision is at or below `packed`, -1 when none. */
function lastAtOrBelow(versions: number[], packed: number): number {
  // The newest is asked for nearly always.
  if (Math.abs(versions[versions.length - 1] ?? 0) <= packed) return versions.length - 1
  let low = -1
  let high = versions.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (Math.abs(versions[middle] ?? 0) <= packed) low = middle
    else high = middle - 1
  }
  return low
}
