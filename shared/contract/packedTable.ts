import type { NumberColumn, TableColumns, TextColumn } from './table.ts'

/**
 * A TableColumns as one buffer, so that 50,000 rows cross a process border as one copy instead of a million small objects.
 *
 * Layout, little endian, every section padded to 8 bytes:
 * - header: magic, row count, column count, 0 (four u32)
 * - the keys as a text list
 * - per column: kind (u32: 0 number, 1 text), 0, its name as a text list of one, then
 *   - number: rowCount f64
 *   - text: the dictionary as a text list, then rowCount u32 codes
 *
 * A text list is: count, byte length (two u32), count u32 lengths in UTF-16 units, then all texts as one UTF-8 run: one decode
 * and many slices are several times faster than one decode per text.
 */
const MAGIC = 0x31544444

const align = (offset: number): number => (offset + 7) & ~7

interface TextList {
  texts: readonly string[]
  bytes: Uint8Array
}

function prepare(texts: readonly string[], encoder: TextEncoder): TextList {
  return { texts, bytes: encoder.encode(texts.join('')) }
}

const textListSize = (list: TextList): number => align(8 + list.texts.length * 4) + align(list.bytes.length)

class Writer {
  readonly #buffer: ArrayBuffer
  #offset = 0

  constructor(size: number) {
    this.#buffer = new ArrayBuffer(size)
  }

  words(...values: number[]): void {
    new Uint32Array(this.#buffer, this.#offset, values.length).set(values)
    this.#offset = align(this.#offset + values.length * 4)
  }

  textList(list: TextList): void {
    const head = new Uint32Array(this.#buffer, this.#offset, 2 + list.texts.length)
    head[0] = list.texts.length
    head[1] = list.bytes.length
    for (let index = 0; index < list.texts.length; index++) head[2 + index] = (list.texts[index] ?? '').length
    this.#offset = align(this.#offset + head.byteLength)
    new Uint8Array(this.#buffer, this.#offset, list.bytes.length).set(list.bytes)
    this.#offset = align(this.#offset + list.bytes.length)
  }

  numbers(values: Float64Array): void {
    new Float64Array(this.#buffer, this.#offset, values.length).set(values)
    this.#offset += values.byteLength
  }

  codes(values: Uint32Array): void {
    new Uint32Array(this.#buffer, this.#offset, values.length).set(values)
    this.#offset = align(this.#offset + values.byteLength)
  }

  finish(): Uint8Array {
    if (this.#offset !== this.#buffer.byteLength) throw new RangeError('packed table: size was computed wrongly')
    return new Uint8Array(this.#buffer)
  }
}

/** Packs a table. @throws RangeError when a column's length is not the row count. */
export function encodePackedTable(table: TableColumns): Uint8Array {
  const encoder = new TextEncoder()
  const keys = prepare(table.keys, encoder)
  if (table.keys.length !== table.rowCount) throw new RangeError('packed table: keys do not match the row count')
  const columns = Object.entries(table.columns).map(([name, column]) => {
    const length = column.kind === 'number' ? column.values.length : column.codes.length
    if (length !== table.rowCount) throw new RangeError(`packed table: column ${name} does not match the row count`)
    return { name: prepare([name], encoder), column, dictionary: column.kind === 'text' ? prepare(column.dictionary, encoder) : null }
  })
  let size = 16 + textListSize(keys)
  for (const { name, dictionary } of columns) {
    size += 8 + textListSize(name)
    size += dictionary === null ? table.rowCount * 8 : textListSize(dictionary) + align(table.rowCount * 4)
  }
  const writer = new Writer(size)
  writer.words(MAGIC, table.rowCount, columns.length, 0)
  writer.textList(keys)
  for (const { name, column, dictionary } of columns) {
    writer.words(column.kind === 'number' ? 0 : 1, 0)
    writer.textList(name)
    if (column.kind === 'number') writer.numbers(column.values)
    else if (dictionary !== null) {
      writer.textList(dictionary)
      writer.codes(column.codes)
    }
  }
  return writer.finish()
}

class Reader {
  readonly #buffer: ArrayBufferLike
  readonly #base: number
  readonly #length: number
  readonly #decoder = new TextDecoder()
  #offset = 0

  constructor(packed: Uint8Array) {
    // Views of f64 need an address that is a multiple of 8; a buffer that came inside a larger frame may not have one.
    const aligned = packed.byteOffset % 8 === 0 ? packed : packed.slice()
    this.#buffer = aligned.buffer
    this.#base = aligned.byteOffset
    this.#length = aligned.byteLength
  }

  #take(byteLength: number): number {
    const start = this.#offset
    if (byteLength > this.#length - start) throw new RangeError('packed table: cut short')
    this.#offset = Math.min(align(start + byteLength), this.#length)
    return this.#base + start
  }

  words(count: number): Uint32Array {
    return new Uint32Array(this.#buffer, this.#take(count * 4), count)
  }

  numbers(count: number): Float64Array {
    return new Float64Array(this.#buffer, this.#take(count * 8), count)
  }

  textList(): string[] {
    // Count and byte length are read before the lengths, which share their section.
    const start = this.#offset
    const head = this.words(2)
    const count = head[0] ?? 0
    const byteLength = head[1] ?? 0
    this.#offset = start
    const lengths = this.words(2 + count)
    const text = this.#decoder.decode(new Uint8Array(this.#buffer, this.#take(byteLength), byteLength))
    const texts = new Array<string>(count)
    let from = 0
    for (let index = 0; index < count; index++) {
      const to = from + (lengths[2 + index] ?? 0)
      if (to > text.length) throw new RangeError('packed table: text list is damaged')
      texts[index] = text.slice(from, to)
      from = to
    }
    if (from !== text.length) throw new RangeError('packed table: text list is damaged')
    return texts
  }
}

/**
 * Reads a packed table; number columns and codes are views of `packed` where its address allows.
 * @throws RangeError when the bytes are no packed table
 */
export function decodePackedTable(packed: Uint8Array): TableColumns {
  const reader = new Reader(packed)
  const [magic, rowCount = 0, columnCount = 0] = reader.words(4)
  if (magic !== MAGIC) throw new RangeError('packed table: not one')
  const keys = reader.textList()
  if (keys.length !== rowCount) throw new RangeError('packed table: keys do not match the row count')
  const columns: Record<string, NumberColumn | TextColumn> = {}
  for (let index = 0; index < columnCount; index++) {
    const kind = reader.words(2)[0]
    const name = reader.textList()[0]
    if (name === undefined || (kind !== 0 && kind !== 1)) throw new RangeError('packed table: column is damaged')
    if (kind === 0) {
      columns[name] = { kind: 'number', values: reader.numbers(rowCount) }
      continue
    }
    const dictionary = reader.textList()
    const codes = reader.words(rowCount)
    for (const code of codes) if (code >= dictionary.length) throw new RangeError(`packed table: column ${name} has a code outside its dictionary`)
    columns[name] = { kind: 'text', dictionary, codes }
  }
  return { rowCount, keys, columns }
}
