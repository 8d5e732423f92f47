import { parseArgs } from 'node:util'

/** kubeadm ends with this message and exit code. */
export class KubeadmError extends Error {
  override readonly name = 'KubeadmError'
  readonly exitCode: number

  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** What stands after a command: words and flags in any order. */
export interface Flags {
  words: string[]
  has(name: string): boolean
  /** The last value; undefined without the flag. */
  value(name: string): string | undefined
  /** Every value, comma-separated ones apart. */
  list(name: string): string[]
}

/** Flags that every command takes, without effect here. */
const COMMON = { switches: ['skip-headers', 'one-output'], values: ['v', 'log-file', 'rootfs', 'kubeconfig', 'config', 'cri-socket', 'patches'] }

/**
 * @param short one letter to the flag it stands for
 * @throws KubeadmError in the words of kubeadm's own parser
 */
export function readFlags(
  args: readonly string[],
  { switches = [], values = [], short = {} }: { switches?: readonly string[]; values?: readonly string[]; short?: Readonly<Record<string, string>> },
): Flags {
  const letters = new Map(Object.entries(short).map(([letter, name]) => [name, letter]))
  const option = (name: string, type: 'boolean' | 'string'): [string, { type: 'boolean' | 'string'; multiple?: boolean; short?: string }] => {
    const letter = name === 'v' ? 'v' : letters.get(name)
    return [name, { type, ...(type === 'string' ? { multiple: true } : {}), ...(letter === undefined ? {} : { short: letter }) }]
  }
  const options = Object.fromEntries([
    ...[...COMMON.switches, ...switches].map((name) => option(name, 'boolean')),
    ...[...COMMON.values, ...values].map((name) => option(name, 'string')),
  ])
  try {
    const { values: found, positionals } = parseArgs({ args: args.map(spelledOut), options, allowPositionals: true, strict: true })
    const all = (name: string): string[] => {
      const value = found[name]
      return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
    }
    return {
      words: positionals,
      has: (name) => found[name] !== undefined,
      value: (name) => all(name).at(-1),
      list: (name) => all(name).flatMap((each) => each.split(',')),
    }
  } catch (error) {
    const unknown = /'(--?[^']*)'/.exec(error instanceof Error ? error.message : '')?.[1]?.replace(/[ ,<].*$/, '') ?? ''
    const missing = error instanceof Error && /argument missing|ambiguous/.test(error.message)
    throw new KubeadmError(
      missing
        ? `flag needs an argument: ${unknown}`
        : unknown.startsWith('--')
          ? `unknown flag: ${unknown}`
          : `unknown shorthand flag: '${unknown.slice(1)}' in ${unknown}`,
    )
  }
}

/** `--flag=true` of a switch is the switch. */
const spelledOut = (arg: string): string => arg.replace(/^(--[a-z-]+)=true$/, '$1')

/** Milliseconds of a Go duration such as `24h0m0s`. @throws KubeadmError when it is none */
export function goDuration(text: string, flag: string): number {
  if (text === '0') return 0
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text)
    throw new KubeadmError(`invalid argument "${text}" for "--${flag}" flag: time: invalid duration "${text}"`)
  return parts.reduce((sum, [, number = '0', unit = '']) => sum + Number(number) * (units[unit] ?? 0), 0)
}
