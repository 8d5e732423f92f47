import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { judgeMutations } from '#test/support/corruption/judgeMutations.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { sourceOf } from './source.ts'

/** The whole proof is `npm run conformance -- corruption`. */
const MUTATIONS = 250
const SEED = 7

describe('a damaged snapshot', () => {
  const dir = temporaryDirectory('corruption')
  const good = join(dir, 'good.db')
  beforeAll(() =>
    encodeSnapshot(sourceOf({ count: 300, valueBytes: (index) => 40 + ((index * 97) % 900), deletes: 30 }), {
      path: good,
      signal: new AbortController().signal,
    }),
  )

  it('is noticed, or is harmless, and never ends or hangs who reads it', { timeout: 180_000 }, async () => {
    const { findings, outcomes, goodPeakBytes, peakBytes } = await judgeMutations({ good, scratch: dir, seed: SEED, count: MUTATIONS })
    expect(findings).toEqual([])
    expect(
      Object.values(outcomes)
        .flatMap((each) => Object.values(each))
        .reduce((sum, each) => sum + each, 0),
    ).toBe(MUTATIONS)
    expect(peakBytes / goodPeakBytes).toBeLessThan(1.5)
  })
})
