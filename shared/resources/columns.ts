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
  nodeTotals: { pods: number; cpuRequestCores: number; memoryRequestBytes: number; cpuLimitCores: number; memoryLimitBytes: number } | null
}

export interface ColumnDefinition {
  kind: 'number' | 'text'
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
