import { decodePackedTable } from '#shared/contract/packedTable.ts'
import type { TableColumns } from '#shared/contract/table.ts'

interface NumberStore {
  kind: 'number'
  values: Float64Array
}
interface TextStore {
  kind: 'text'
  dictionary: string[]
  codeOf: Map<string, number>
  codes: Uint32Array
}

/**
 * The rows of one table as columns, changed in place by deltas. Rows move when others are removed (the last takes the gap), so a row
 * number is good only until the next change; keys are lasting.
 */
export class RowStore {
  #count = 0
  #keys: string[] = []
  readonly #rowOf = new Map<string, number>()
  readonly #columns = new Map<string, NumberStore | TextStore>()

  get count(): number {
    return this.#count
  }

  get columnNames(): string[] {
    return [...this.#columns.keys()]
  }

  /** Everything anew. @throws RangeError when the bytes are no packed table */
  replace(packed: Uint8Array): void {
    const table = decodePackedTable(packed)
    this.#count = table.rowCount
    this.#keys = table.keys
    this.#rowOf.clear()
    for (const [row, key] of table.keys.entries()) this.#rowOf.set(key, row)
    this.#columns.clear()
    for (const [name, column] of Object.entries(table.columns)) {
      if (column.kind === 'number') this.#columns.set(name, { kind: 'number', values: column.values.slice() })
      else
        this.#columns.set(name, {
          kind: 'text',
          dictionary: column.dictionary,
          codeOf: new Map(column.dictionary.map((text, code) => [text, code])),
          codes: column.codes.slice(),
        })
    }
  }

  /** Rows changed, added and removed. */
  apply(upserted: Uint8Array, removed: readonly string[]): void {
    for (const key of removed) this.#remove(key)
    const table = decodePackedTable(upserted)
    const rows = table.keys.map((key) => this.#rowFor(key))
    for (const [name, column] of Object.entries(table.columns)) this.#write(name, column, rows)
  }

  key(row: number): string {
    return this.#keys[row] ?? ''
  }

  /** -1 when there is none. */
  rowOf(key: string): number {
    return this.#rowOf.get(key) ?? -1
  }

  has(column: string): boolean {
    return this.#columns.has(column)
  }

  isNumber(column: string): boolean {
    return this.#columns.get(column)?.kind === 'number'
  }

  /** NaN when missing. */
  number(column: string, row: number): number {
    const store = this.#columns.get(column)
    return store?.kind === 'number' ? (store.values[row] ?? Number.NaN) : Number.NaN
  }

  /** '' when missing. */
  text(column: string, row: number): string {
    const store = this.#columns.get(column)
    if (store === undefined) return ''
    if (store.kind === 'text') return store.dictionary[store.codes[row] ?? -1] ?? ''
    const value = store.values[row] ?? Number.NaN
    return Number.isNaN(value) ? '' : String(value)
  }

  /** Count of rows by text, for chips and totals. */
  countBy(column: string): Map<string, number> {
    const counts = new Map<string, number>()
    for (let row = 0; row < this.#count; row++) {
      const text = this.text(column, row)
      counts.set(text, (counts.get(text) ?? 0) + 1)
    }
    return counts
  }

  #rowFor(key: string): number {
    const found = this.#rowOf.get(key)
    if (found !== undefined) return found
    const row = this.#count++
    this.#keys[row] = key
    this.#rowOf.set(key, row)
    for (const store of this.#columns.values()) grow(store, this.#count)
    return row
  }

  #remove(key: string): void {
    const row = this.#rowOf.get(key)
    if (row === undefined) return
    const last = --this.#count
    this.#rowOf.delete(key)
    if (row !== last) {
      const moved = this.#keys[last] ?? ''
      this.#keys[row] = moved
      this.#rowOf.set(moved, row)
      for (const store of this.#columns.values()) {
        if (store.kind === 'number') store.values[row] = store.values[last] ?? Number.NaN
        else store.codes[row] = store.codes[last] ?? 0
      }
    }
    this.#keys.length = last
  }

  #write(name: string, column: TableColumns['columns'][string], rows: readonly number[]): void {
    let store = this.#columns.get(name)
    if (store?.kind !== column.kind) {
      store =
        column.kind === 'number'
          ? { kind: 'number', values: new Float64Array(0) }
          : { kind: 'text', dictionary: [''], codeOf: new Map([['', 0]]), codes: new Uint32Array(0) }
      grow(store, this.#count)
      this.#columns.set(name, store)
    }
    for (const [index, row] of rows.entries()) {
      if (column.kind === 'number' && store.kind === 'number') store.values[row] = column.values[index] ?? Number.NaN
      else if (column.kind === 'text' && store.kind === 'text') store.codes[row] = codeFor(store, column.dictionary[column.codes[index] ?? -1] ?? '')
    }
  }
}

function codeFor(store: TextStore, text: string): number {
  const known = store.codeOf.get(text)
  if (known !== undefined) return known
  const code = store.dictionary.push(text) - 1
  store.codeOf.set(text, code)
  return code
}

/** Room for `count` rows, by a quarter more so that many additions cost few copies. */
function grow(store: NumberStore | TextStore, count: number): void {
  const length = store.kind === 'number' ? store.values.length : store.codes.length
  if (length >= count) return
  const capacity = Math.max(count, Math.ceil(count * 1.25), 16)
  if (store.kind === 'number') {
    const values = new Float64Array(capacity).fill(Number.NaN)
    values.set(store.values)
    store.values = values
  } else {
    const codes = new Uint32Array(capacity)
    codes.set(store.codes)
    store.codes = codes
  }
}
