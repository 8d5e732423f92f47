import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ResourceName } from '#shared/contract/table.ts'

/** Usage that a metrics source adds to a row; null = no sample. */
export interface RowUsage {
  cpuCores: number | null
  memoryBytes: number | null
}

/** What a column's extractor may look at besides the object. */
export interface RowContext {
  usage: RowUsage | null
  /** For nodes: the pods bound there, summed. */
  nodeTotals: NodeTotals | null
}

/** Sums over the pods bound to one node that have not ended. */
export interface NodeTotals {
  pods: number
  cpuRequestCores: number
  memoryRequestBytes: number
  cpuLimitCores: number
  memoryLimitBytes: number
}

export interface ColumnDefinition {
  kind: 'number' | 'text'
  /**
   * What the value is made of: the object, or the context alone. The latter is read again when the context changes, without the
   * object, which the feed does not keep.
   */
  from: 'object' | 'usage' | 'nodeTotals'
  /** Missing number: NaN; missing text: ''. */
  read: (object: KubeObject, context: RowContext) => number | string
}

/** The columns that main extracts from one kind's objects and the page shows. */
export interface ResourceColumns {
  resource: ResourceName
  group: string
  version: string
  kind: string
  namespaced: boolean
  columns: Record<string, ColumnDefinition>
}

/** A text column of the object. */
export function text(read: (object: KubeObject) => string): ColumnDefinition {
  return { kind: 'text', from: 'object', read }
}

/** A number column of the object. */
export function number(read: (object: KubeObject) => number): ColumnDefinition {
  return { kind: 'number', from: 'object', read }
}
