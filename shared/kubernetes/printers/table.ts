import { isObject, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { clusterPrinters } from './cluster.ts'
import { columns, since, type Cell, type ColumnDefinition, type Printer } from './column.ts'
import { readJsonPath } from './jsonPath.ts'
import { networkAndAccessPrinters } from './networkAndAccess.ts'
import { podPrinter } from './pod.ts'
import { workloadPrinters } from './workloads.ts'

/** What goes into each row's `object`. */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

export interface TableRow {
  cells: Cell[]
  conditions?: { type: string; status: string; reason: string; message: string }[]
  object: unknown
}

/** meta.k8s.io Table. */
export interface Table {
  kind: 'Table'
  apiVersion: string
  metadata: JsonObject
  columnDefinitions: ColumnDefinition[] | null
  rows: TableRow[]
}

const fallback: Printer = {
  columns: [...columns('Name'), { name: 'Created At', type: 'date', format: '', description: '', priority: 0 }],
  cells: (object) => [object.metadata.name ?? '', object.metadata.creationTimestamp ?? ''],
}

/** A custom resource's additionalPrinterColumns. */
export interface PrinterColumn {
  name: string
  type: string
  format?: string
  description?: string
  priority?: number
  jsonPath: string
}

/** How a built-in kind is printed: Name and Created At when nothing else is known. */
export function builtinPrinter(kind: string): Printer {
  if (kind === 'Pod') return podPrinter
  return workloadPrinters[kind] ?? clusterPrinters[kind] ?? networkAndAccessPrinters[kind] ?? fallback
}

/** How a custom resource is printed: its name, then its own columns, or its age when it has none. */
export function customResourcePrinter(printerColumns: readonly PrinterColumn[]): Printer {
  const given = printerColumns.length > 0 ? printerColumns : [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }]
  return {
    columns: [
      ...columns('Name'),
      ...given.map((each): ColumnDefinition => ({
        name: each.name,
        type: each.type as ColumnDefinition['type'],
        format: each.format ?? '',
        description: (each.description ?? '') === '' ? `Custom resource definition column (in JSONPath format): ${each.jsonPath}` : (each.description ?? ''),
        priority: each.priority ?? 0,
      })),
    ],
    cells: (object, nowMs) => [object.metadata.name ?? '', ...given.map((each) => customCell(each, object, nowMs))],
  }
}

function customCell({ type, jsonPath }: PrinterColumn, object: KubeObject, nowMs: number): Cell {
  const found = readJsonPath(object, jsonPath)
  if (found.length === 0) return null
  const [first] = found
  switch (type) {
    case 'integer':
    case 'number':
      return typeof first === 'number' ? (type === 'integer' ? Math.trunc(first) : first) : null
    case 'boolean':
      return typeof first === 'boolean' ? first : null
    case 'date':
      return typeof first === 'string' ? since(first, nowMs) : '<unknown>'
    default:
      // Of several results upstream prints the first.
      return typeof first === 'string' ? first : JSON.stringify(first)
  }
}

/** Conditions of a row: kubectl greys out pods that have ended. */
function rowConditions(object: KubeObject): Pick<TableRow, 'conditions'> {
  const phase = object.kind === 'Pod' && isObject(object['status']) ? object['status']['phase'] : undefined
  if (phase === 'Succeeded') return { conditions: [{ type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' }] }
  return phase === 'Failed' ? { conditions: [{ type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' }] } : {}
}

export interface TableOptions {
  includeObject: IncludeObject
  /** `v1` or `v1beta1`, as the client asked. */
  version: string
  nowMs: number
  /** ListMeta: resourceVersion, continue, remainingItemCount. */
  metadata: JsonObject
  /** False for watch events after the first, which repeat no columns. @default true */
  withColumns?: boolean
}

/** Objects as a Table for `kubectl get`. */
export function toTable(objects: readonly KubeObject[], printer: Printer, options: TableOptions): Table {
  const { includeObject, version, nowMs } = options
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: options.metadata,
    columnDefinitions: options.withColumns === false ? null : printer.columns,
    rows: objects.map((object) => ({
      cells: printer.cells(object, nowMs),
      ...rowConditions(object),
      object: includeObject === 'None' ? null : includeObject === 'Object' ? object : partialMetadata(object, version),
    })),
  }
}

/** An object's metadata alone, as PartialObjectMetadata. */
export function partialMetadata(object: KubeObject, version = 'v1'): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata }
}
