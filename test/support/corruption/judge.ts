import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { SeededRandom } from '#shared/base/random.ts'
import { liveKeys } from '#electron/snapshot/contents.ts'
import { SnapshotError } from '#electron/snapshot/snapshotError.ts'
import { SnapshotFile } from '#electron/snapshot/snapshotFile.ts'
import { snapshotStatus } from '#electron/snapshot/status.ts'
import { verifySnapshot } from '#electron/snapshot/verify.ts'
import { mutate } from './mutations.ts'

/** What the parent process is told: each mutation before it is read (-1 for the good file), so that it knows which one hangs or kills. */
export type Told =
  | { about: 'mutation'; index: number }
  | { about: 'end'; outcomes: Record<string, Record<string, number>>; findings: string[]; goodPeakBytes: number; peakBytes: number }

// `judge.ts GOOD SCRATCH SEED FROM COUNT`: reads damaged copies of a good snapshot in every way the app does, in a process of its own.

const WARM_UP_READS = 64
/** Garbage is let go after so many files, so that the peak is that of reading and not of the collector's leisure. */
const FILES_PER_COLLECTION = 8
const { gc } = globalThis as { gc?: () => void }
function collectGarbage(file: number): void {
  if (file % FILES_PER_COLLECTION === 0) gc?.()
}
const [goodPath = '', scratch = '', seed = '1', from = '0', count = '1'] = process.argv.slice(2)
const { signal } = new AbortController()
const tell = (message: Told): Promise<void> =>
  new Promise((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error) => (error === null ? resolve() : reject(error)))
  })
const peakBytes = (): number => process.resourceUsage().maxRSS * 1024

/** All that a snapshot holds, as one digest. */
function contentsOf(path: string): string {
  const file = new SnapshotFile(path)
  try {
    const digest = createHash('sha256')
    const { revision, compactRevision, leases, members, clusterVersion, otherBuckets } = file.source()
    const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
    digest.update(JSON.stringify({ revision, compactRevision, leases, members, clusterVersion, otherBuckets: [...otherBuckets] }, plain))
    for (const { main, sub, tombstone, kv } of file.revisions()) {
      digest.update(JSON.stringify([main, sub, tombstone, kv.createRevision, kv.modRevision, kv.version, String(kv.lease), kv.key.length, kv.value.length]))
      digest.update(kv.key)
      digest.update(kv.value)
    }
    return digest.digest('hex')
  } finally {
    file.close()
  }
}

/** How a reader ends: well, or by saying that the file is bad. Anything else is a crash. */
async function ends(read: () => unknown): Promise<'read' | 'refused'> {
  try {
    await read()
    return 'read'
  } catch (error) {
    if (error instanceof SnapshotError) return 'refused'
    throw error
  }
}

async function readInEveryWay(path: string): Promise<Awaited<ReturnType<typeof verifySnapshot>>['verdict']> {
  const { verdict } = await verifySnapshot(path, { signal })
  await ends(() => snapshotStatus(path, { signal }))
  await ends(async () => {
    const file = new SnapshotFile(path)
    try {
      await liveKeys(file, { signal })
    } finally {
      file.close()
    }
  })
  return verdict
}

const random = new SeededRandom(Number(seed))
const good = readFileSync(goodPath)
const wanted = contentsOf(goodPath)
const path = `${scratch}/damaged.db`
// The same work on the good file, copies included: what memory it takes is the measure.
for (let round = 0; round < WARM_UP_READS; round++) {
  await tell({ about: 'mutation', index: -1 })
  mutate(good, random.fork(`warm ${String(round)}`))
  writeFileSync(path, good)
  const verdict = await readInEveryWay(path)
  if (verdict !== 'good' || contentsOf(path) !== wanted) throw new Error(`the good file is ${verdict}`)
  collectGarbage(round)
}
const goodPeakBytes = peakBytes()
const outcomes: Record<string, Record<string, number>> = {}
const findings: string[] = []
for (let index = Number(from); index < Number(from) + Number(count); index++) {
  await tell({ about: 'mutation', index })
  const mutation = mutate(good, random.fork(String(index)))
  writeFileSync(path, mutation.bytes)
  const name = `${mutation.kind}${mutation.sealed ? ', sealed' : ''}`
  let outcome: string
  try {
    const verdict = await readInEveryWay(path)
    const equal = mutation.bytes.equals(good) || (verdict === 'good' && (await ends(() => contentsOf(path))) === 'read' && contentsOf(path) === wanted)
    outcome = verdict !== 'good' ? verdict : equal ? 'harmless' : mutation.undetectable ? 'undetectable' : 'missed'
    if (outcome === 'missed') findings.push(`mutation ${String(index)} (${name}) is not noticed`)
  } catch (error) {
    outcome = 'crashed'
    findings.push(`mutation ${String(index)} (${name}): ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }
  const row = (outcomes[name] ??= {})
  row[outcome] = (row[outcome] ?? 0) + 1
  collectGarbage(index)
}
rmSync(path, { force: true })
await tell({ about: 'end', outcomes, findings, goodPeakBytes, peakBytes: peakBytes() })
process.disconnect()
