import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { SnapshotFile } from '#electron/snapshot/snapshotFile.ts'
import { judgeMutations } from '#test/support/corruption/judgeMutations.ts'
import { snapshotOfFilledEtcd } from '#test/support/filledEtcd.ts'
import { etcdReleases } from '#test/support/peerPrograms.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const SEED = Number(process.env['DRYDOCK_SEED'] ?? 1)
/** Of all snapshots together. */
const ALL_MUTATIONS = Number(process.env['DRYDOCK_ROUNDS'] ?? 10_000)
const KEYS = 500
const releases = etcdReleases()

/** Ours is written from what the newest real one holds, buckets of auth included. */
const kinds = [...releases.map(({ release }) => `etcd ${release}`), 'Drydock']
const MUTATIONS = Math.ceil(ALL_MUTATIONS / kinds.length)

describe.skipIf(releases.length === 0)(`damaged snapshots, seed ${String(SEED)}`, () => {
  const dir = temporaryDirectory('corruption')
  const made = new Map<string, string>()
  async function snapshotOf(kind: string): Promise<string> {
    const known = made.get(kind)
    if (known !== undefined) return known
    const directory = join(dir, kind.replaceAll(/\W/g, '-'))
    mkdirSync(directory)
    const release = releases.find((each) => kind === `etcd ${each.release}`)
    let path = join(directory, 'own.db')
    if (release !== undefined) path = await snapshotOfFilledEtcd(release, { directory, keys: KEYS, random: new SeededRandom(SEED) })
    else {
      const file = new SnapshotFile(await snapshotOf(kinds[releases.length - 1] ?? ''))
      await encodeSnapshot(file.source(), { path, signal: new AbortController().signal })
      file.close()
    }
    made.set(kind, path)
    return path
  }

  it.each(kinds)(`of %s: all ${String(MUTATIONS)} are noticed or harmless, within the memory of a good one`, async (kind) => {
    const good = await snapshotOf(kind)
    const { findings, outcomes, goodPeakBytes, peakBytes } = await judgeMutations({ good, scratch: dir, seed: SEED, count: MUTATIONS })
    const sums: Record<string, number> = {}
    for (const row of Object.values(outcomes)) for (const [outcome, count] of Object.entries(row)) sums[outcome] = (sums[outcome] ?? 0) + count
    process.stdout.write(
      `${kind}: ${JSON.stringify(sums)}; peak memory ${(peakBytes / 2 ** 20).toFixed(0)} MiB, ${(peakBytes / goodPeakBytes).toFixed(2)} of the good file's\n${JSON.stringify(outcomes, null, 1)}\n`,
    )
    expect(findings.slice(0, 20)).toEqual([])
    expect(peakBytes / goodPeakBytes).toBeLessThan(1.5)
  })
})
