import { number, text, type ColumnDefinition } from './columns.ts'
import { mapAt, pairsText, timeAt } from './fields.ts'

/** Columns of every kind: name, uid, createdAtMs, deletingSinceMs (NaN unless being deleted), labels (`a=b,c=d`). */
export const common: Record<string, ColumnDefinition> = {
  name: text((object) => object.metadata.name ?? ''),
  uid: text((object) => object.metadata.uid ?? ''),
  createdAtMs: number((object) => timeAt(object, 'metadata', 'creationTimestamp')),
  deletingSinceMs: number((object) => timeAt(object, 'metadata', 'deletionTimestamp')),
  labels: text((object) => pairsText(mapAt(object, 'metadata', 'labels'))),
}

/** What namespaced kinds add. */
export const namespaced: Record<string, ColumnDefinition> = {
  namespace: text((object) => object.metadata.namespace ?? ''),
}
