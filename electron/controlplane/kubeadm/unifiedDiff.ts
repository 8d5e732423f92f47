type Operation = { kind: ' ' | '-' | '+'; text: string }

/**
 * A unified diff of two texts; '' when they are equal.
 *
 * @param context lines around a change
 */
export function unifiedDiff(before: { name: string; text: string }, after: { name: string; text: string }, context: number): string {
  const operations = compare(linesOf(before.text), linesOf(after.text))
  const changed = operations.flatMap(({ kind }, index) => (kind === ' ' ? [] : [index]))
  if (changed.length === 0) return ''
  const hunks: [number, number][] = []
  for (const index of changed) {
    const [start, end] = [Math.max(0, index - context), Math.min(operations.length, index + context + 1)]
    const last = hunks.at(-1)
    if (last !== undefined && start <= last[1]) last[1] = end
    else hunks.push([start, end])
  }
  return `--- ${before.name}\n+++ ${after.name}\n${hunks.map(([start, end]) => hunk(operations, start, end)).join('')}`
}

const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n')

function hunk(operations: readonly Operation[], start: number, end: number): string {
  const count = (from: number, to: number, kind: '-' | '+'): number =>
    operations.slice(from, to).filter((each) => each.kind === ' ' || each.kind === kind).length
  const range = (kind: '-' | '+'): string => {
    const length = count(start, end, kind)
    const first = count(0, start, kind) + (length === 0 ? 0 : 1)
    return length === 1 ? String(first) : `${String(first)},${String(length)}`
  }
  const body = operations.slice(start, end).map(({ kind, text }) => `${kind}${text}\n`)
  return `@@ -${range('-')} +${range('+')} @@\n${body.join('')}`
}

/** By the longest common subsequence; the texts are manifests of a hundred lines. */
function compare(before: readonly string[], after: readonly string[]): Operation[] {
  const width = after.length + 1
  const lengths = new Uint32Array((before.length + 1) * width)
  const at = (row: number, column: number): number => lengths[row * width + column] ?? 0
  for (let row = before.length - 1; row >= 0; row--)
    for (let column = after.length - 1; column >= 0; column--)
      lengths[row * width + column] = before[row] === after[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
  const operations: Operation[] = []
  for (let row = 0, column = 0; row < before.length || column < after.length;) {
    const [own, other] = [before[row], after[column]]
    if (own !== undefined && own === other) {
      operations.push({ kind: ' ', text: own })
      row++
      column++
    } else if (own !== undefined && (other === undefined || at(row + 1, column) >= at(row, column + 1))) {
      operations.push({ kind: '-', text: own })
      row++
    } else {
      operations.push({ kind: '+', text: other ?? '' })
      column++
    }
  }
  return operations
}
