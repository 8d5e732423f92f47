/** Label values of one series, in the order of the instrument's label names. */
export type LabelValues = readonly string[]

interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
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

/** A number per combination of labels: it only grows (counter) or is set (gauge). */
export class Values implements Family {
  readonly type: 'counter' | 'gauge'
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  readonly #values = new Map<string, number>()

  constructor(family: { type: 'counter' | 'gauge'; name: string; help: string; labels?: readonly string[] }) {
    this.type = family.type
    this.name = family.name
    this.help = family.help
    this.labels = family.labels ?? []
    // A series without labels is there from the start, as in Go's client.
    if (this.labels.length === 0) this.#values.set('', 0)
  }

  add(values: LabelValues, amount = 1): void {
    const key = values.join(SEPARATOR)
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount)
  }

  set(values: LabelValues, amount: number): void {
    this.#values.set(values.join(SEPARATOR), amount)
  }

  get(values: LabelValues): number {
    return this.#values.get(values.join(SEPARATOR)) ?? 0
  }

  clear(): void {
    this.#values.clear()
  }

  *lines(): Generator<string> {
    for (const key of [...this.#values.keys()].sort())
      yield `${this.name}${labelText(this.labels, this.labels.length === 0 ? [] : key.split(SEPARATOR))} ${numberText(this.#values.get(key) ?? 0)}`
  }
}

/** How often a figure fell below each bound. */
export class Series {
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

/** The same per combination of labels. */
export class Histogram implements Family {
  readonly type = 'histogram'
  readonly name: string
  readonly help: string
  readonly bounds: readonly number[]
  readonly labels: readonly string[]
  readonly #series = new Map<string, Series>()

  /** @param family `bounds` are upper bounds, rising; +Inf is added */
  constructor(family: { name: string; help: string; bounds: readonly number[]; labels?: readonly string[] }) {
    this.name = family.name
    this.help = family.help
    this.bounds = family.bounds
    this.labels = family.labels ?? []
  }

  observe(values: LabelValues, figure: number): void {
    this.series(values).observe(figure)
  }

  /** One combination of labels, for who counts the same again and again. It is told of from now on. */
  series(values: LabelValues): Series {
    const key = values.join(SEPARATOR)
    let series = this.#series.get(key)
    if (series === undefined) {
      series = new Series(this.bounds)
      this.#series.set(key, series)
    }
    return series
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

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN'
}

/** The text format of Prometheus, families in the order of their names. */
export function exposition(families: readonly Family[]): string {
  const parts: string[] = []
  for (const family of [...families].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const lines = [...family.lines()]
    if (lines.length > 0) parts.push(`# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n${lines.join('\n')}\n`)
  }
  return parts.join('')
}
