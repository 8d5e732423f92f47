/**
 * What is wrong with a file that should be a snapshot:
 * - `not-a-snapshot`: no bbolt database at all.
 * - `truncated`: the file ends before its own contents do.
 * - `damaged`: pages, order or records contradict each other.
 * - `trailer`: the SHA-256 at the end is absent or not that of the bytes before it.
 * - `locked`: encrypted, and what was given does not open it.
 * - `exists`: the file to write is already there.
 */
export type SnapshotErrorCode = 'not-a-snapshot' | 'truncated' | 'damaged' | 'trailer' | 'locked' | 'exists'

/** A snapshot file that cannot be read or must not be written; the message says what and where. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
  readonly code: SnapshotErrorCode

  constructor(code: SnapshotErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
