interface Line {
  mark: ' ' | '-' | '+'
  text: string
}

/** Lines of a unified diff around each change. */
const CONTEXT_LINES = 3

/** A unified diff of two texts as Go's difflib prints it; '' when they are equal. */
export function unifiedDiff(before: { name: string; text: string }, after: { name: string; text: string }): string {
  if (before.text === after.text) return ''
  const lines = compareLines(before.text.split('\n'), after.text.split('\n'))
  const near = lines.map((_, index) => lines.slice(Math.max(0, index - CONTEXT_LINES), index + CONTEXT_LINES + 1).some(({ mark }) => mark !== ' '))
  let out = `--- ${before.name}\n+++ ${after.name}\n`
  let [left, right] = [1, 1]
  for (let index = 0; index < lines.length;) {
    const hunk: Line[] = []
    const [leftStart, rightStart] = [left, right]
    for (; index < lines.length && near[index] === true; index++) {
      const line = lines[index]
      if (line === undefined) break
      hunk.push(line)
      if (line.mark !== '+') left += 1
      if (line.mark !== '-') right += 1
    }
    if (hunk.length > 0) {
      const count = (mark: Line['mark']): number => hunk.filter((line) => line.mark === ' ' || line.mark === mark).length
      out += `@@ -${String(leftStart)},${String(count('-'))} +${String(rightStart)},${String(count('+'))} @@\n`
      for (const { mark, text } of hunk) out += `${mark}${text}\n`
      continue
    }
    index += 1
    left += 1
    right += 1
  }
  return out
}

/** By the longest common subsequence; manifests have some hundred lines. */
function compareLines(a: readonly string[], b: readonly string[]): Line[] {
  const width = b.length + 1
  const common = new Uint16Array((a.length + 1) * width)
  const at = (i: number, j: number): number => common[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const lines: Line[] = []
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const [left, right] = [a[i], b[j]]
    if (left !== undefined && left === right) {
      lines.push({ mark: ' ', text: left })
      i += 1
      j += 1
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ mark: '-', text: left })
      i += 1
    } else if (right !== undefined) {
      lines.push({ mark: '+', text: right })
      j += 1
    }
  }
  return lines
}
