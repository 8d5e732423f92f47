import { encodePackedTable } from '#shared/contract/packedTable.ts'
import type { TableColumns } from '#shared/contract/table.ts'
import { RowStore } from '../../../renderer/composables/rowStore.ts'

export type Rows = Record<string, Record<string, number | string>>

/** Rows by key as the feed sends them: a column's kind is that of its first value; what is missing is NaN or ''. */
export function packedRows(rows: Rows): Uint8Array {
  const keys = Object.keys(rows)
  const names = [...new Set(Object.values(rows).flatMap((row) => Object.keys(row)))]
  const columns: TableColumns['columns'] = {}
  for (const name of names) {
    const values = keys.map((key) => rows[key]?.[name])
    if (typeof values.find((each) => each !== undefined) === 'number')
      columns[name] = { kind: 'number', values: Float64Array.from(values, (each) => (typeof each === 'number' ? each : Number.NaN)) }
    else {
      const dictionary = ['', ...new Set(values.filter((each): each is string => typeof each === 'string' && each !== ''))]
      columns[name] = { kind: 'text', dictionary, codes: Uint32Array.from(values, (each) => Math.max(0, dictionary.indexOf(String(each ?? '')))) }
    }
  }
  return encodePackedTable({ rowCount: keys.length, keys, columns })
}

export function storeOf(rows: Rows): RowStore {
  const store = new RowStore()
  store.replace(packedRows(rows))
  return store
}
