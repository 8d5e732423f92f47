import type { BenchmarkRow } from '../benchmark.ts'
import { median } from './processUsage.ts'
import type { Served } from './servers.ts'

/** One of the two that are compared. */
export interface Side {
  name: 'ours' | 'peer'
  served: Served
}

/** Runs work on each side in turn, the first alternately, so that what else the machine does meets both. */
export async function alternately(sides: readonly Side[], rounds: number, work: (side: Side, round: number) => Promise<void>): Promise<void> {
  for (let round = 0; round < rounds; round++) for (const side of round % 2 === 0 ? sides : sides.toReversed()) await work(side, round)
}

/** Figures of one measure, a value per round and side. */
export class Measures {
  readonly #benchmark: string
  readonly #values = new Map<string, { unit: string; ours: number[]; peer: number[] }>()

  constructor(benchmark: string) {
    this.#benchmark = benchmark
  }

  add(side: Side['name'], measure: string, unit: string, value: number): void {
    const entry = this.#values.get(measure) ?? { unit, ours: [], peer: [] }
    entry[side].push(value)
    this.#values.set(measure, entry)
  }

  rows(): BenchmarkRow[] {
    return [...this.#values].map(([measure, { unit, ours, peer }]) => ({
      benchmark: this.#benchmark,
      measure,
      unit,
      ours: median(ours),
      peer: peer.length === 0 ? null : median(peer),
    }))
  }
}
