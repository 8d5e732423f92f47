import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { SnapshotCheck, SnapshotStatus } from '#shared/contract/backups.ts'
import { decodeKeyValue, decodeRevisionKey, WireError } from '#shared/etcd/mvccpb.ts'
import { TRAILER_BYTES } from './bbolt/format.ts'
import type { LeafPage } from './bbolt/tree.ts'
import { ObjectCounter } from './objectCounts.ts'
import { SnapshotError } from './snapshotError.ts'
import { SnapshotFile } from './snapshotFile.ts'
import { statusOf, type ReadOptions } from './status.ts'

export interface Verification {
  /** Null when the structure cannot be read. */
  status: SnapshotStatus | null
  checks: SnapshotCheck[]
  verdict: 'good' | 'suspicious' | 'broken'
  /** Of the whole file, trailer included, in hex: what `sha256sum` prints. */
  sha256: string
  fileSizeBytes: number
  /** Live Kubernetes objects by resource. */
  objectCounts: Record<string, number>
}

/**
 * Reads a snapshot file whole, twice: its bytes against the SHA-256 at the end, then every page, order, record and revision.
 * A bad file is an answer, not an error.
 * @throws the system's error when the file cannot be read at all, or the signal's reason
 */
export async function verifySnapshot(path: string, { signal, onProgress }: ReadOptions): Promise<Verification> {
  const checks: SnapshotCheck[] = []
  const hashed = await checkTrailer(path, {
    signal,
    onProgress: (progress) => onProgress?.({ readBytes: progress.readBytes, totalBytes: progress.totalBytes * 2 }),
  })
  checks.push(hashed.check)
  const counter = new ObjectCounter()
  const order = new RevisionOrder()
  let status: SnapshotStatus | null
  try {
    const file = new SnapshotFile(path, { recycle: true })
    try {
      status = await statusOf(
        file,
        {
          signal,
          onProgress: ({ readBytes, totalBytes }) =>
            onProgress?.({
              readBytes: hashed.fileSizeBytes + Math.min(readBytes, hashed.fileSizeBytes),
              totalBytes: Math.max(totalBytes, hashed.fileSizeBytes) * 2,
            }),
        },
        (leaf) => {
          order.see(leaf, counter)
        },
      )
      file.source()
      checks.push(
        file.pages.damagedMetas > 0
          ? { name: 'structure', verdict: 'suspicious', detail: 'one of the two meta pages is damaged; the other one serves' }
          : {
              name: 'structure',
              verdict: 'good',
              detail: `every page in use was read: ${String(status.totalKeys)} elements in ${String(file.buckets.length)} buckets`,
            },
      )
    } finally {
      file.close()
    }
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error
    status = null
    checks.push({ name: 'structure', verdict: 'broken', detail: error.message })
  }
  if (status !== null)
    checks.push(order.check(), {
      name: 'status-hash',
      verdict: 'good',
      detail: `CRC-32C ${status.hash.toString(16)}, revision ${String(status.revision)}, as etcdutl snapshot status computes them`,
    })
  return { status, checks, verdict: worst(checks), sha256: hashed.sha256, fileSizeBytes: hashed.fileSizeBytes, objectCounts: counter.counts() }
}

function worst(checks: SnapshotCheck[]): 'good' | 'suspicious' | 'broken' {
  if (checks.some((check) => check.verdict === 'broken')) return 'broken'
  return checks.some((check) => check.verdict === 'suspicious') ? 'suspicious' : 'good'
}

/** Compares the file's bytes with the SHA-256 that ends it. A file without one is suspicious: a member's own db has none. */
export async function checkTrailer(
  path: string,
  { signal, onProgress }: ReadOptions,
): Promise<{ check: SnapshotCheck; sha256: string; fileSizeBytes: number }> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const body = Math.max(0, size - TRAILER_BYTES)
    const bodyHash = createHash('sha256')
    const chunk = Buffer.allocUnsafe(1 << 20)
    const trailer = Buffer.alloc(TRAILER_BYTES)
    let position = 0
    while (position < size) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
      if (bytesRead === 0) break
      const bytes = chunk.subarray(0, bytesRead)
      const bodyPart = Math.max(0, Math.min(bytesRead, body - position))
      bodyHash.update(bytes.subarray(0, bodyPart))
      bytes.copy(trailer, Math.max(0, position - body), bodyPart)
      position += bytesRead
      onProgress?.({ readBytes: position, totalBytes: size })
    }
    const sha256 = bodyHash
      .copy()
      .update(trailer.subarray(0, Math.min(TRAILER_BYTES, position)))
      .digest('hex')
    const answer = (verdict: SnapshotCheck['verdict'], detail: string): Awaited<ReturnType<typeof checkTrailer>> => ({
      check: { name: 'sha256-trailer', verdict, detail },
      sha256,
      fileSizeBytes: size,
    })
    if (size % 512 !== TRAILER_BYTES)
      return answer(
        'suspicious',
        'the file does not end with a SHA-256, as a copied database does not and an interrupted save may not; its bytes cannot be checked',
      )
    const wanted = trailer.toString('hex')
    const found = bodyHash.digest('hex')
    return wanted === found
      ? answer('good', `the SHA-256 at the end matches: ${found}`)
      : answer('broken', `the SHA-256 at the end is ${wanted}, but the bytes before it give ${found}`)
  } finally {
    await file.close()
  }
}

/** Checks what bbolt cannot know: that revisions and the records under them agree. */
class RevisionOrder {
  #problem = ''
  #count = 0
  #first = 0
  #last = 0

  see(leaf: LeafPage, counter: ObjectCounter): void {
    for (let index = 0; index < leaf.count; index++) {
      try {
        const revision = decodeRevisionKey(leaf.key(index))
        const kv = decodeKeyValue(leaf.value(index))
        if (kv.key.length > 0) counter.see(kv.key, revision.tombstone)
        this.#count++
        if (this.#first === 0) this.#first = revision.main
        this.#last = revision.main
        // A restore that bumps revisions leaves one record without a key.
        if (kv.key.length === 0) continue
        if (!revision.tombstone && kv.modRevision !== revision.main)
          this.#note(`revision ${String(revision.main)} holds a record that says it is of revision ${String(kv.modRevision)}`)
        else if (!revision.tombstone && (kv.createRevision > kv.modRevision || kv.version < 1))
          this.#note(`revision ${String(revision.main)} holds a record with impossible creation or version`)
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        throw new SnapshotError('damaged', `page ${String(leaf.page)}, element ${String(index)}: ${error.message}`, { cause: error })
      }
    }
  }

  #note(problem: string): void {
    if (this.#problem === '') this.#problem = problem
  }

  check(): SnapshotCheck {
    if (this.#problem !== '') return { name: 'order', verdict: 'broken', detail: this.#problem }
    return {
      name: 'order',
      verdict: 'good',
      detail: this.#count === 0 ? 'the store is empty' : `${String(this.#count)} revisions in order, ${String(this.#first)} to ${String(this.#last)}`,
    }
  }
}
