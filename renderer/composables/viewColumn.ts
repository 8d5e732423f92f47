import { bytes, cores, count, dateTime, duration } from './format.ts'
import type { RowStore } from './rowStore.ts'

/** How a table shows one column. */
export interface ViewColumn {
  /** The column of the feed that it shows and sorts by; its head is the text `column.<id>`. */
  id: string
  format: 'name' | 'text' | 'mono' | 'status' | 'level' | 'age' | 'count' | 'cores' | 'bytes' | 'flag' | 'of'
  /** Least width in pixels. */
  width: number
  /** Share of the spare width. @default 0 */
  flex?: number
  /** Not shown until chosen. */
  hidden?: boolean
  /** The column of the whole: for `of` the second number (`2/3`), for `cores` and `bytes` what the bar is measured against. */
  whole?: string
  /** A tick on the bar: what is requested. */
  mark?: string
  /** What may be used at most, told on hover. */
  limit?: string
  /** Further states shown as pills beside it, comma separated in their column. */
  also?: string
  /** Gives way when the table is narrow, the highest first; 0 = never. @default later columns before earlier ones */
  drop?: number
}

/** Columns that always stay. */
const STAY = new Set(['name', 'status', 'object', 'message'])

/** The columns that fit into so many pixels, in order: of the others, those that may give way do. */
export function fitColumns(columns: readonly ViewColumn[], availablePx: number): ViewColumn[] {
  const kept = [...columns]
  const order = columns
    .map((column, index) => ({ column, order: column.drop ?? (STAY.has(column.id) ? 0 : index + 1) }))
    .filter((each) => each.order > 0)
    .sort((a, b) => b.order - a.order)
  let width = columns.reduce((sum, each) => sum + each.width, 0)
  for (const { column } of order) {
    if (width <= availablePx) break
    kept.splice(kept.indexOf(column), 1)
    width -= column.width
  }
  return kept
}

export const isRight = (column: ViewColumn): boolean => ['count', 'cores', 'bytes', 'of'].includes(column.format)

/** What a cell says. `nowMs` is for ages. */
export function cellText(store: RowStore, row: number, column: ViewColumn, nowMs: number): string {
  switch (column.format) {
    case 'age': {
      const at = store.number(column.id, row)
      return Number.isNaN(at) ? '' : duration(nowMs - at)
    }
    case 'count':
      return count(store.number(column.id, row))
    case 'cores':
      return cores(store.number(column.id, row))
    case 'bytes':
      return bytes(store.number(column.id, row))
    case 'flag':
      return flagText(store.number(column.id, row))
    case 'of': {
      const part = store.number(column.id, row)
      const whole = store.number(column.whole ?? '', row)
      return Number.isNaN(part) && Number.isNaN(whole) ? '' : `${count(part) || '0'}/${count(whole) || '0'}`
    }
    default:
      return store.text(column.id, row)
  }
}

const flagText = (value: number): string => (Number.isNaN(value) ? '' : value === 0 ? '' : '✓')

/** What a cell says in a file: exact numbers, absolute times. */
export function exportText(store: RowStore, row: number, column: ViewColumn): string {
  if (column.format === 'age') return dateTime(store.number(column.id, row))
  if (column.format === 'of') return cellText(store, row, column, 0)
  return store.text(column.id, row)
}

/** The cell's share of its whole, 0 to 1 and above; NaN when there is no such thing. */
export function cellRatio(store: RowStore, row: number, column: ViewColumn): number {
  if (column.whole === undefined || column.format === 'of') return Number.NaN
  return store.number(column.id, row) / store.number(column.whole, row)
}

/** The tick's place on the bar, 0 to 1 and above; NaN when nothing is requested. */
export function markRatio(store: RowStore, row: number, column: ViewColumn): number {
  if (column.whole === undefined || column.mark === undefined) return Number.NaN
  return store.number(column.mark, row) / store.number(column.whole, row)
}
