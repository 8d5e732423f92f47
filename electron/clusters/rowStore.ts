import type { NumberColumn, TableColumns, TextColumn } from '#shared/contract/table.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ResourceColumns, RowContext } from '#shared/resources/columns.ts'

type Cell = number | string

/** Row key of an object: `namespace/name`, or `name`. */
export function rowKey(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

const NO_OBJECT: KubeObject = { metadata: {} }

/** The extracted rows of one resource. The objects themselves are not kept: 50,000 pods as objects are some 400 MB, as rows 20. */
export class RowStore {
  readonly #names: string[]
  readonly #definition: ResourceColumns
  readonly #rows = new Map<string, Cell[]>()
  /** One string per distinct text, so that equal cells share memory. */
  readonly #texts = new Map<string, string>()

  constructor(definition: ResourceColumns) {
    this.#definition = definition
    this.#names = Object.keys(definition.columns)
  }

  get size(): number {
    return this.#rows.size
  }

  keys(): IterableIterator<string> {
    return this.#rows.keys()
  }

  has(key: string): boolean {
    return this.#rows.has(key)
  }

  /** Extracts and keeps an object's row; says whether anything shown has changed. */
  set(key: string, object: KubeObject, context: RowContext): boolean {
    const row = this.#names.map((name) => this.#read(name, object, context))
    const before = this.#rows.get(key)
    this.#rows.set(key, row)
    return before === undefined || row.some((cell, index) => !Object.is(cell, before[index]))
  }

  /** Reads the columns anew that depend on the context alone; says whether any changed. */
  refresh(key: string, context: RowContext): boolean {
    const row = this.#rows.get(key)
    if (row === undefined) return false
    let changed = false
    for (const [index, name] of this.#names.entries()) {
      if (this.#definition.columns[name]?.from === 'object') continue
      const cell = this.#read(name, NO_OBJECT, context)
      if (Object.is(cell, row[index])) continue
      row[index] = cell
      changed = true
    }
    return changed
  }

  delete(key: string): boolean {
    return this.#rows.delete(key)
  }

  #read(name: string, object: KubeObject, context: RowContext): Cell {
    const cell = this.#definition.columns[name]?.read(object, context) ?? ''
    if (typeof cell === 'number') return cell
    const kept = this.#texts.get(cell)
    if (kept !== undefined) return kept
    // Messages and names come and go for as long as a cluster is open: the pool is dropped before it outgrows the rows.
    if (this.#texts.size > 4 * this.#names.length * (this.#rows.size + 1000)) this.#texts.clear()
    this.#texts.set(cell, cell)
    return cell
  }

  /** The rows of these keys (those that are still there), or of all, as columns. */
  table(keys: Iterable<string> = this.#rows.keys()): TableColumns {
    const present: string[] = []
    const rows: Cell[][] = []
    for (const key of keys) {
      const row = this.#rows.get(key)
      if (row === undefined) continue
      present.push(key)
      rows.push(row)
    }
    const columns: Record<string, NumberColumn | TextColumn> = {}
    for (const [index, name] of this.#names.entries()) {
      columns[name] = this.#definition.columns[name]?.kind === 'number' ? numberColumn(rows, index) : textColumn(rows, index)
    }
    return { rowCount: rows.length, keys: present, columns }
  }
}

function numberColumn(rows: Cell[][], index: number): NumberColumn {
  const values = new Float64Array(rows.length)
  for (let row = 0; row < rows.length; row++) {
    const cell = rows[row]?.[index]
    values[row] = typeof cell === 'number' ? cell : Number.NaN
  }
  return { kind: 'number', values }
}

function textColumn(rows: Cell[][], index: number): TextColumn {
  const codes = new Uint32Array(rows.length)
  const dictionary: string[] = []
  const codeOf = new Map<string, number>()
  for (let row = 0; row < rows.length; row++) {
    const cell = String(rows[row]?.[index] ?? '')
    let code = codeOf.get(cell)
    if (code === undefined) {
      code = dictionary.push(cell) - 1
      codeOf.set(cell, code)
    }
    codes[row] = code
  }
  return { kind: 'text', dictionary, codes }
}
