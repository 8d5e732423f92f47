/** Label values of one series, in the order of the instrument's label names. */
export type LabelValues = readonly string[]

interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** False where the served release has no such family. */
  readonly served: boolean
  lines(): Iterable<string>
}

const SEPARATOR = '\u0000'

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

function labelText(names: readonly string[], values: LabelValues, extra = ''): string {
  const pairs = names.map((name, index) => `${name}="${escaped(values[index] ?? '')}"`)
  if (extra !== '') pairs.push(extra)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** Which of the label values that are told become labels; null when all do. */
function keptIndexes(labels: readonly string[], without: readonly string[]): number[] | null {
  return without.length === 0 ? null : labels.flatMap((name, index) => (without.includes(name) ? [] : [index]))
}

function keyOf(values: LabelValues, kept: readonly number[] | null): string {
  return kept === null ? values.join(SEPARATOR) : kept.map((index) => values[index] ?? '').join(SEPARATOR)
}

interface FamilyOptions {
  name: string
  help: string
  /** Names of the label values that are told, in their order. */
  labels?: readonly string[]
  /** Those of them that the served release does not show. */
  without?: readonly string[]
  /** False where the served release has no such family. @default true */
  served?: boolean
}

/** One series of counters or gauges, for who adds to it often. */
export interface Series {
  value: number
}

/** A number per combination of labels: it only grows (counter) or is set (gauge). */
export class Values implements Family {
  readonly type: 'counter' | 'gauge'
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  readonly served: boolean
  readonly #kept: readonly number[] | null
  readonly #series = new Map<string, Series>()

  constructor({ type, name, help, labels = [], without = [], served = true }: FamilyOptions & { type: 'counter' | 'gauge' }) {
    this.type = type
    this.name = name
    this.help = help
    this.served = served
    this.#kept = keptIndexes(labels, without)
    this.labels = labels.filter((label) => !without.includes(label))
    // A series without labels is there from the start, as in Go's client.
    if (this.labels.length === 0) this.series([])
  }

  series(values: LabelValues): Series {
    const key = keyOf(values, this.#kept)
    let series = this.#series.get(key)
    if (series === undefined) this.#series.set(key, (series = { value: 0 }))
    return series
  }

  add(values: LabelValues, amount = 1): void {
    this.series(values).value += amount
  }

  set(values: LabelValues, amount: number): void {
    this.series(values).value = amount
  }

  get(values: LabelValues): number {
    return this.#series.get(keyOf(values, this.#kept))?.value ?? 0
  }

  clear(): void {
    this.#series.clear()
  }

  *lines(): Generator<string> {
    for (const key of [...this.#series.keys()].sort())
      yield `${this.name}${labelText(this.labels, this.labels.length === 0 ? [] : key.split(SEPARATOR))} ${numberText(this.#series.get(key)?.value ?? 0)}`
  }
}

/** One series of a histogram, for who observes often. */
export class Distribution {
  readonly counts: number[]
  sum = 0
  count = 0
  readonly #bounds: readonly number[]

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = bounds.map(() => 0)
  }

  observe(figure: number): void {
    this.sum += figure
    this.count++
    const bounds = this.#bounds
    for (let index = 0; index < bounds.length; index++) {
      if (figure > (bounds[index] ?? Infinity)) continue
      this.counts[index] = (this.counts[index] ?? 0) + 1
      return
    }
  }
}

/** How often a figure fell below each bound, per combination of labels. */
export class Histogram implements Family {
  readonly type = 'histogram'
  readonly name: string
  readonly help: string
  readonly bounds: readonly number[]
  readonly labels: readonly string[]
  readonly served: boolean
  readonly #kept: readonly number[] | null
  readonly #series = new Map<string, Distribution>()

  /** @param family `bounds` are upper bounds, rising; +Inf is added */
  constructor({ name, help, bounds, labels = [], without = [], served = true }: FamilyOptions & { bounds: readonly number[] }) {
    this.name = name
    this.help = help
    this.bounds = bounds
    this.served = served
    this.#kept = keptIndexes(labels, without)
    this.labels = labels.filter((label) => !without.includes(label))
    if (this.labels.length === 0) this.series([])
  }

  series(values: LabelValues): Distribution {
    const key = keyOf(values, this.#kept)
    let series = this.#series.get(key)
    if (series === undefined) this.#series.set(key, (series = new Distribution(this.bounds)))
    return series
  }

  observe(values: LabelValues, figure: number): void {
    this.series(values).observe(figure)
  }

  *lines(): Generator<string> {
    for (const key of [...this.#series.keys()].sort()) {
      const series = this.#series.get(key)
      if (series === undefined) continue
      const values = this.labels.length === 0 ? [] : key.split(SEPARATOR)
      let below = 0
      for (const [index, bound] of this.bounds.entries()) {
        below += series.counts[index] ?? 0
        yield `${this.name}_bucket${labelText(this.labels, values, `le="${numberText(bound)}"`)} ${String(below)}`
      }
      yield `${this.name}_bucket${labelText(this.labels, values, 'le="+Inf"')} ${String(series.count)}`
      yield `${this.name}_sum${labelText(this.labels, values)} ${numberText(series.sum)}`
      yield `${this.name}_count${labelText(this.labels, values)} ${String(series.count)}`
    }
  }
}

/** As Go's client writes numbers, as bounds are labels that queries name: `1e+06` for a million. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN'
  const [digits = '', exponent = ''] = value.toExponential().split('e')
  const power = Number(exponent)
  if (value === 0 || (power >= -4 && power < SIX_DIGITS)) return String(value)
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

/** Go's `g` format without a precision writes exponents from here on. */
const SIX_DIGITS = 6

/** The text format of Prometheus, families in the order of their names. */
export function exposition(families: readonly Family[]): string {
  const parts: string[] = []
  for (const family of families.filter(({ served }) => served).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const lines = [...family.lines()]
    if (lines.length > 0) parts.push(`# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n${lines.join('\n')}\n`)
  }
  return parts.join('')
}
