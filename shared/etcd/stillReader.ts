import type { KeyValue } from './rpc.ts'

/** Reads a store that never changes, without waiting: what is asked for is read when it is asked for. */
export interface StillReader {
  revision: number
  /** Every key that exists, in order, with the revision that wrote it; `place` is for `read`. */
  keys(): Iterable<{ key: string; modRevision: number; place: number }>
  /** @throws Error when its file cannot be read any more */
  read(place: number): KeyValue
}
