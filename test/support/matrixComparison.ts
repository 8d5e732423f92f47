import type { Answer, MatrixLine, MatrixSide } from './kubectlMatrix.ts'

/** managedFields are compared by the proof of apply and patches, and differ between releases. */
function withoutManagers(text: string): string {
  const json = /^\s*\{/.test(text) ? parsed(text) : null
  if (json !== null) return JSON.stringify(json, (key, value: unknown) => (key === 'managedFields' ? undefined : value), 2)
  let skipped: number | null = null
  return text
    .split('\n')
    .filter((line) => {
      const indent = line.length - line.trimStart().length
      if (skipped !== null && (indent > skipped || (indent === skipped && line.trimStart().startsWith('- ')))) return false
      skipped = /^\s*managedFields:/.test(line) ? indent : null
      return skipped === null
    })
    .join('\n')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Without what differs from run to run: names of nodes, ages, times, identities, addresses, sizes of columns. */
export function normalize(text: string, { nodes, server, folder, cluster }: MatrixSide): string {
  const port = new URL(server).port
  // kubectl's own log: when it waits so as not to ask too often is left out, of the rest the time and the process.
  const ownLog = text
    .replace(/^I\d{4} .*(Throttling request took|client-side throttling).*\n/gm, '')
    .replace(/^([IWE])\d{4} [\d:.]+ +\d+ (?=\w+\.go:)/gm, '$1 ')
  let result = withoutManagers(ownLog).replaceAll(folder, '<folder>').replaceAll(server, '<server>')
  result = result.replaceAll(new RegExp(`(?<=@|name: |cluster: )${cluster}\\b`, 'g'), '<cluster>')
  for (const [index, node] of nodes.entries()) result = result.replaceAll(new RegExp(`\\b${node}\\b`, 'g'), `node-${String(index)}`)
  return result
    .replace(/\r/g, '')
    .replace(/https:\/\/127\.0\.0\.1:\d+/g, '<server>')
    .replace(/127\.0\.0\.1:\d+|\[::1\]:\d+/g, '<local>')
    .replaceAll(new RegExp(`\\b${port}\\b`, 'g'), '<port>')
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replace(/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, '<time>')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uid>')
    .replace(/\b\d{1,3}(\.\d{1,3}){3}(\/\d+)?\b/g, '<ip>')
    .replace(/(resourceVersion|generation|observedGeneration)("?: ?"?)\d+/g, '$1$2<n>')
    .replace(/Resource Version: +\d+/g, 'Resource Version: <n>')
    .replace(/("continue": "|"remainingItemCount": )[\w-]+/g, '$1<n>')
    .replace(/(containerd|docker|fakeRuntime):\/\/[^\s",]+/g, '<container>')
    .replace(/(imageID"?: "?|Image ID: +)[^\s",]+/g, '$1<image>')
    .replace(/\bnginx:latest\b/g, 'nginx')
    .replace(/\b(eyJ[\w-]+\.){2}[\w-]+/g, '<jwt>')
    .replace(/\b(pod-template-hash"?[=:] ?)"?[0-9a-z]+"?/g, '$1<hash>')
    .replace(/\b([a-z0-9]+)-[0-9a-z]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1-<hash>-<id>')
    .replace(/\b(web|d1|x|k|j)-[0-9a-z]{8,10}\b/g, '$1-<hash>')
    .replace(/\b([a-z0-9]+(?:-token|-api-access)?)-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1-<id>')
    .replace(/\b(\d+[smhd]){1,2}\b(?! ?cpu)/g, '<age>')
    .replace(/ {2,}|\t+/g, '  ')
    .replace(/ +$/gm, '')
    .trimEnd()
}

/** Why answers to some lines differ. */
export interface Explanation {
  why: string
  commands: string[]
  /** Patterns of the lines of text that may differ for it, exit codes included; any may when absent. */
  lines?: string[]
}

export interface Difference {
  line: MatrixLine
  part: 'exit code' | 'stdout' | 'stderr'
  /** Lines that one answer has and the other has not, or not as often; both empty when only their order differs. */
  ours: string[]
  theirs: string[]
}

/** Events come in no fixed order, nor do lists of several kinds of times. */
const unordered = (command: string): boolean => /\bevents\b|describe|--show-labels/.test(command)

/** What remains different between two answers. */
export function compare(line: MatrixLine, ours: Answer, theirs: Answer, sides: { ours: MatrixSide; theirs: MatrixSide }): Difference[] {
  const found: Difference[] = []
  if (ours.code !== theirs.code) found.push({ line, part: 'exit code', ours: [String(ours.code)], theirs: [String(theirs.code)] })
  for (const part of ['stdout', 'stderr'] as const) {
    const [own, other] = [normalize(ours[part], sides.ours), normalize(theirs[part], sides.theirs)]
    if (own === other) continue
    const [only, missing] = [surplus(own.split('\n'), other.split('\n')), surplus(other.split('\n'), own.split('\n'))]
    if (only.length > 0 || missing.length > 0 || !unordered(line.command)) found.push({ line, part, ours: only, theirs: missing })
  }
  return found
}

/** The lines that the first text has more often than the second. */
function surplus(lines: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const each of others) counts.set(each, (counts.get(each) ?? 0) + 1)
  return lines.filter((each) => {
    const left = counts.get(each) ?? 0
    counts.set(each, left - 1)
    return left <= 0
  })
}

/** @returns what of a difference no explanation covers; null when nothing is left */
export function unexplained(difference: Difference, explanations: readonly Explanation[]): Difference | null {
  const { command } = difference.line
  const own = explanations.filter(({ commands }) => commands.includes(command))
  if (own.some(({ lines }) => lines === undefined)) return null
  const patterns = own.flatMap(({ lines = [] }) => lines.map((pattern) => new RegExp(pattern)))
  const open = (lines: readonly string[]): string[] => lines.filter((text) => !patterns.some((pattern) => pattern.test(text)))
  const [ours, theirs] = [open(difference.ours), open(difference.theirs)]
  const covered = ours.length === 0 && theirs.length === 0 && difference.ours.length + difference.theirs.length > 0
  return covered ? null : { ...difference, ours, theirs }
}
