import table from './removedGates.json' with { type: 'json' }

/** A feature gate that components no longer know: one that is given it does not start. */
export interface RemovedGate {
  gate: string
  /** The first minor of 1.x without it. */
  minor: number
}

/** Where the table's contents are from. */
export const REMOVED_GATES_LINK = 'https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates-removed/'

/** Names in a `--feature-gates` value, such as `A=true,B=false`. */
export function gateNames(value: string): string[] {
  return value
    .split(',')
    .map((each) => each.split('=')[0]?.trim() ?? '')
    .filter((name) => name !== '')
}

/** Which of these gates minor `from` knows and minor `to` no longer does. */
export function removedGates(gates: readonly string[], { from, to }: { from: number; to: number }): RemovedGate[] {
  return Object.entries(table.lastKnown)
    .map(([last, names]) => ({ minor: Number(last) + 1, names }))
    .filter(({ minor }) => minor > from && minor <= to)
    .flatMap(({ minor, names }) => names.filter((name) => gates.includes(name)).map((gate) => ({ gate, minor })))
}
