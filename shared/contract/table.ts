import * as v from 'valibot'
import { request, subscription } from './channel.ts'
import { clusterId, type ConnectionState } from './clusters.ts'

/**
 * Rows of a resource as columns. Row key = `namespace/name`, or `name` for cluster-scoped kinds. A missing number is NaN, a
 * missing text is ''. Times are milliseconds since the epoch.
 */
export interface TableColumns {
  rowCount: number
  keys: string[]
  columns: Record<string, NumberColumn | TextColumn>
}

export interface NumberColumn {
  kind: 'number'
  values: Float64Array
}

/** `dictionary[codes[row]]` is the row's text. */
export interface TextColumn {
  kind: 'text'
  dictionary: string[]
  codes: Uint32Array
}

/** `packed` is a TableColumns in the form of packedTable.ts. */
export type TableMessage =
  | { type: 'snapshot'; packed: Uint8Array; resourceVersion: string }
  | { type: 'delta'; upserted: Uint8Array; removed: string[] }
  | { type: 'connection'; connection: ConnectionState }

export const resourceName = v.picklist([
  'nodes',
  'pods',
  'events',
  'deployments',
  'replicasets',
  'daemonsets',
  'statefulsets',
  'jobs',
  'cronjobs',
  'namespaces',
  'services',
  'configmaps',
  'secrets',
  'persistentvolumeclaims',
  'persistentvolumes',
  'poddisruptionbudgets',
  'certificatesigningrequests',
  'roles',
  'rolebindings',
  'clusterroles',
  'clusterrolebindings',
  'serviceaccounts',
  'leases',
  'ingresses',
  'endpointslices',
  'storageclasses',
])
export type ResourceName = v.InferOutput<typeof resourceName>

export const tableChannels = {
  /** List, then batched deltas, at most one per 100 ms. `namespace` absent = all. A page that falls behind gets a new snapshot. */
  'table.watch': subscription<TableMessage>()(v.object({ clusterId, resource: resourceName, namespace: v.optional(v.string()) })),
  /** The table as CSV, for export. */
  'table.export': request<{ text: string }>()(v.object({ clusterId, resource: resourceName, namespace: v.optional(v.string()) })),
} as const
