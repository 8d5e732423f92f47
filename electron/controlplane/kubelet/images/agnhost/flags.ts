/** `--name=value`, `--name value` and `--name`; what is none is `rest`. */
export function parseFlags(args: readonly string[], booleans: readonly string[] = []): { flags: Map<string, string>; rest: string[] } {
  const flags = new Map<string, string>()
  const rest: string[] = []
  for (let index = 0; index < args.length; index++) {
    const match = /^--?([^=]+)(?:=(.*))?$/s.exec(args[index] ?? '')
    if (match === null) rest.push(args[index] ?? '')
    else {
      const [, name = '', value] = match
      flags.set(name, value ?? (booleans.includes(name) ? 'true' : (args[++index] ?? '')))
    }
  }
  return { flags, rest }
}

const UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a Go duration such as `1m30s`; null when the text is none. */
export function durationMs(text: string): number | null {
  if (text === '0') return 0
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) return null
  return parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (UNITS[unit] ?? 0), 0)
}
