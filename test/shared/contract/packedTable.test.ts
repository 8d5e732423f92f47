import { describe, expect, it } from 'vitest'
import { decodePackedTable, encodePackedTable } from '#shared/contract/packedTable.ts'
import type { TableColumns } from '#shared/contract/table.ts'

const table: TableColumns = {
  rowCount: 3,
  keys: ['default/a', 'default/ä', 'kube-system/日本'],
  columns: {
    restarts: { kind: 'number', values: Float64Array.of(1, Number.NaN, -0.5) },
    status: { kind: 'text', dictionary: ['', 'Running', 'Crash\nLoop'], codes: Uint32Array.of(1, 0, 2) },
  },
}

describe('packed table', () => {
  it('gives back what was packed', () => {
    expect(decodePackedTable(encodePackedTable(table))).toEqual(table)
  })

  it('packs no rows and no columns', () => {
    const empty: TableColumns = { rowCount: 0, keys: [], columns: {} }
    expect(decodePackedTable(encodePackedTable(empty))).toEqual(empty)
  })

  it('reads a table at an odd address of a larger buffer', () => {
    const packed = encodePackedTable(table)
    const frame = new Uint8Array(packed.length + 3)
    frame.set(packed, 3)
    expect(decodePackedTable(frame.subarray(3))).toEqual(table)
  })

  it('refuses every cut of a table', () => {
    const packed = encodePackedTable(table)
    for (let length = 0; length < packed.length - 7; length++) expect(() => decodePackedTable(packed.slice(0, length))).toThrow(RangeError)
  })

  it('never reads outside when a byte is damaged', () => {
    const packed = encodePackedTable(table)
    for (let index = 0; index < packed.length; index++) {
      const damaged = packed.slice()
      damaged[index] = 0xff
      try {
        decodePackedTable(damaged)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }
  })

  it('refuses a column of another length', () => {
    expect(() => encodePackedTable({ rowCount: 1, keys: ['a'], columns: { x: { kind: 'number', values: new Float64Array(2) } } })).toThrow(RangeError)
  })
})
