import type { UnknownFields } from '#shared/kubernetes/codec/unknownFields.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Entry } from './entry.ts'

/** JSON of entries that were read lately and are kept. */
const KEPT_BYTES = 64 * 1024 * 1024
/** Of which so many are given up together. */
const FORGOTTEN_BYTES = KEPT_BYTES / 16

/** Reads entries when somebody wants them and keeps those used lately. */
export class EntryReader {
  readonly #read: (key: string, place: number) => Entry
  readonly #kept = new Map<LazyEntry, Entry>()
  #keptBytes = 0

  /** @param read never fails: what cannot be decoded it gives another form */
  constructor(read: (key: string, place: number) => Entry) {
    this.#read = read
  }

  entry(lazy: LazyEntry): Entry {
    const kept = this.#kept.get(lazy)
    if (kept !== undefined) return kept
    const entry = this.#read(lazy.key, lazy.place)
    this.#kept.set(lazy, entry)
    this.#keptBytes += entry.json.length
    if (this.#keptBytes <= KEPT_BYTES) return entry
    // Many at once: a map goes past the places of those that have left it each time it is asked for its first.
    for (const [oldest, { json }] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES - FORGOTTEN_BYTES || oldest === lazy) break
      this.#kept.delete(oldest)
      this.#keptBytes -= json.length
    }
    return entry
  }
}

/** An entry of a store that never changes: its key is known, its value is read when it is asked for. */
export class LazyEntry implements Entry {
  readonly key: string
  readonly modRevision: number
  readonly place: number
  readonly #reader: EntryReader

  constructor({ key, modRevision, place }: { key: string; modRevision: number; place: number }, reader: EntryReader) {
    this.key = key
    this.modRevision = modRevision
    this.place = place
    this.#reader = reader
  }

  get createRevision(): number {
    return this.#reader.entry(this).createRevision
  }

  get apiVersion(): string {
    return this.#reader.entry(this).apiVersion
  }

  get object(): KubeObject {
    return this.#reader.entry(this).object
  }

  get json(): Uint8Array {
    return this.#reader.entry(this).json
  }

  get unknown(): UnknownFields | null {
    return this.#reader.entry(this).unknown
  }
}
