/** One figure: ours, and the real peer's in the same run where there is one. */
export interface BenchmarkRow {
  benchmark: string
  measure: string
  unit: string
  ours: number
  peer: number | null
}

export interface Benchmark {
  name: string
  description: string
  /** What this machine lacks, or null when it can run. */
  missing(): string | null
  run(): Promise<BenchmarkRow[]>
}
