import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Benchmark, BenchmarkRow } from './benchmark.ts'

/**
 * `npm run bench [-- NAME]`: runs each `*.bench.ts` beside this file, prints one table, writes test-results/bench.json.
 * Figures are ratios against a real peer measured in the same run, as absolute times say little on a shared machine.
 */
async function main(): Promise<void> {
  const wanted = process.argv.slice(2)
  const folder = import.meta.dirname
  const rows: BenchmarkRow[] = []
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.bench.ts'))
    .sort()) {
    const { benchmark } = (await import(join(folder, file))) as { benchmark: Benchmark }
    if (wanted.length > 0 && !wanted.includes(benchmark.name)) continue
    process.stdout.write(`${benchmark.name}: ${benchmark.description}\n`)
    const missing = benchmark.missing()
    if (missing !== null) {
      process.stdout.write(`  skipped: ${missing}\n`)
      continue
    }
    for (const row of await benchmark.run()) {
      rows.push(row)
      const ratio = row.peer === null ? '' : `  peer ${format(row.peer)}  ratio ${(row.ours / row.peer).toFixed(2)}`
      process.stdout.write(`  ${row.measure.padEnd(48)} ${format(row.ours)} ${row.unit}${ratio}\n`)
    }
  }
  if (rows.length === 0 && wanted.length > 0) {
    process.stderr.write(`drydock: no benchmark named ${wanted.join(', ')} ran\n`)
    process.exitCode = 1
  }
  mkdirSync('test-results', { recursive: true })
  writeFileSync('test-results/bench.json', `${JSON.stringify(rows, null, 2)}\n`)
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

await main()
