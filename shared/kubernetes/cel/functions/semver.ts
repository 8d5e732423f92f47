import { CelFunctionError } from '../functionError.ts'
import type { CelFunction } from '../interface.ts'

const SHAPE = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/

/** A `semver("1.2.3")` in an expression. */
export class CelSemver {
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly pre: readonly string[]

  constructor(numbers: readonly [bigint, bigint, bigint], pre: readonly string[]) {
    this.numbers = numbers
    this.pre = pre
  }

  equals(other: unknown): boolean {
    return other instanceof CelSemver && compareSemver(this, other) === 0
  }
}

function parse(text: string, normalize: boolean): CelSemver | null {
  let source = text
  if (normalize) {
    const parts = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)$/.exec(text.trim())
    if (parts === null) return null
    source = `${[parts[1], parts[2], parts[3]].map((each) => String(BigInt(each ?? '0'))).join('.')}${parts[4] ?? ''}`
  }
  const parts = SHAPE.exec(source)
  if (parts === null) return null
  const pre = parts[4]?.split('.') ?? []
  if (pre.some((each) => /^0\d+$/.test(each))) return null
  return new CelSemver([BigInt(parts[1] ?? 0), BigInt(parts[2] ?? 0), BigInt(parts[3] ?? 0)], pre)
}

function compareSemver(a: CelSemver, b: CelSemver): number {
  for (const index of [0, 1, 2] as const) if (a.numbers[index] !== b.numbers[index]) return a.numbers[index] < b.numbers[index] ? -1 : 1
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length === a.pre.length ? 0 : a.pre.length === 0 ? 1 : -1
  for (let index = 0; index < Math.min(a.pre.length, b.pre.length); index++) {
    const [left = '', right = ''] = [a.pre[index], b.pre[index]]
    if (left === right) continue
    const [leftNumber, rightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)]
    if (leftNumber && rightNumber) return BigInt(left) < BigInt(right) ? -1 : 1
    if (leftNumber !== rightNumber) return leftNumber ? -1 : 1
    return left < right ? -1 : 1
  }
  return Math.sign(a.pre.length - b.pre.length)
}

function parsed(text: string, normalize = false): CelSemver {
  const found = parse(text, normalize)
  if (found === null) throw new CelFunctionError('No Major.Minor.Patch elements found')
  return found
}

/** Kubernetes' semver library. */
export const semverFunctions: readonly CelFunction[] = [
  { signature: 'semver(string): Semver', call: (text: string) => parsed(text) },
  { signature: 'semver(string, bool): Semver', call: (text: string, normalize: boolean) => parsed(text, normalize) },
  { signature: 'isSemver(string): bool', call: (text: string) => parse(text, false) !== null },
  { signature: 'isSemver(string, bool): bool', call: (text: string, normalize: boolean) => parse(text, normalize) !== null },
  { signature: 'Semver.isGreaterThan(Semver): bool', call: (a: CelSemver, b: CelSemver) => compareSemver(a, b) > 0 },
  { signature: 'Semver.isLessThan(Semver): bool', call: (a: CelSemver, b: CelSemver) => compareSemver(a, b) < 0 },
  { signature: 'Semver.compareTo(Semver): int', call: (a: CelSemver, b: CelSemver) => BigInt(compareSemver(a, b)) },
  { signature: 'Semver.major(): int', call: (a: CelSemver) => a.numbers[0] },
  { signature: 'Semver.minor(): int', call: (a: CelSemver) => a.numbers[1] },
  { signature: 'Semver.patch(): int', call: (a: CelSemver) => a.numbers[2] },
]
