import type { SnapshotCheck, SnapshotStatus } from '#shared/contract/backups.ts'
import { decodeRevisionKey, readRecordFacts, WireError, type RecordFacts } from '#shared/etcd/mvccpb.ts'
import type { LeafPage } from './bbolt/tree.ts'
import { ObjectCounter } from './objectCounts.ts'
import { SnapshotError } from './snapshotError.ts'
import { SnapshotFile } from './snapshotFile.ts'
import { statusOf, type ReadOptions } from './status.ts'
import { checkTrailer } from './trailer/checkTrailer.ts'

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
 * Reads a snapshot file whole: its bytes against the SHA-256 at the end, in a thread of its own, and meanwhile every page, order, record
 * and revision. A bad file is an answer, not an error.
 * @throws the system's error when the file cannot be read at all, or the signal's reason
 */
export async function verifySnapshot(path: string, { signal, onProgress }: ReadOptions): Promise<Verification> {
  const failed = new AbortController()
  const hashing = checkTrailer(path, { signal: AbortSignal.any([signal, failed.signal]) })
  // Its outcome is awaited below; without this an early failure counts as unhandled meanwhile.
  hashing.catch(() => undefined)
  try {
    const structure = await readStructure(path, { signal, ...(onProgress === undefined ? {} : { onProgress }) })
    const { check, sha256, fileSizeBytes } = await hashing
    const checks = [check, ...structure.checks]
    return { status: structure.status, checks, verdict: worst(checks), sha256, fileSizeBytes, objectCounts: structure.objectCounts }
  } finally {
    failed.abort(new DOMException('nobody waits for it any more', 'AbortError'))
    await hashing.catch(() => undefined)
  }
}

async function readStructure(path: string, options: ReadOptions): Promise<Pick<Verification, 'status' | 'checks' | 'objectCounts'>> {
  const checks: SnapshotCheck[] = []
  const counter = new ObjectCounter()
  const order = new RevisionOrder()
  let status: SnapshotStatus | null
  try {
    const file = new SnapshotFile(path, { recycle: true })
    try {
      status = await statusOf(file, options, (leaf) => {
        order.see(leaf, counter)
      })
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
  return { status, checks, objectCounts: counter.counts() }
}

function worst(checks: SnapshotCheck[]): 'good' | 'suspicious' | 'broken' {
  if (checks.some((check) => check.verdict === 'broken')) return 'broken'
  return checks.some((check) => check.verdict === 'suspicious') ? 'suspicious' : 'good'
}

/** Checks what bbolt cannot know: that revisions and the records under them agree. */
class RevisionOrder {
  #problem = ''
  #count = 0
  #first = 0
  #last = 0
  readonly #record: RecordFacts = { keyStart: 0, keyEnd: 0, createRevision: 0, modRevision: 0, version: 0 }

  see(leaf: LeafPage, counter: ObjectCounter): void {
    const { bytes } = leaf
    const record = this.#record
    for (let index = 0; index < leaf.count; index++) {
      try {
        const valueStart = leaf.valueStart(index)
        const { main, tombstone } = decodeRevisionKey(bytes, leaf.keyStart(index), valueStart)
        readRecordFacts(bytes, valueStart, leaf.valueEnd(index), record)
        const hasKey = record.keyEnd > record.keyStart
        if (hasKey) counter.see(bytes, record.keyStart, record.keyEnd, tombstone)
        this.#count++
        if (this.#first === 0) this.#first = main
        this.#last = main
        // A restore that bumps revisions leaves one record without a key.
        if (!hasKey || tombstone) continue
        if (record.modRevision !== main) this.#note(`revision ${String(main)} holds a record that says it is of revision ${String(record.modRevision)}`)
        else if (record.createRevision > record.modRevision || record.version < 1)
          this.#note(`revision ${String(main)} holds a record with impossible creation or version`)
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
