import { hasProgram } from '#test/support/peers.ts'
import { test } from './test.ts'

/** Skips the spec by name where a real peer is not installed. */
export function needs(...programs: string[]): void {
  for (const program of programs) test.skip(!hasProgram(program), `${program} is not installed`)
}

/** A Kubernetes name that no other spec of the same cluster uses, also when it is repeated. */
export function unique(label: string): string {
  const { repeatEachIndex, workerIndex, retry } = test.info()
  return `${label}-${String(workerIndex)}-${String(repeatEachIndex)}-${String(retry)}`
}
