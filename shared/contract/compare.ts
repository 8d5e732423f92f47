import * as v from 'valibot'
import { request, subscription } from './channel.ts'
import { clusterId } from './clusters.ts'

const objectKey = v.object({ group: v.string(), version: v.string(), resource: v.string(), namespace: v.string(), name: v.string() })
/** An object in any cluster. `namespace` is '' for cluster-scoped ones. */
export type ObjectKey = v.InferOutput<typeof objectKey>

export interface ComparedObject extends ObjectKey {
  kind: string
  /** What has happened from `before` to `after`. */
  change: 'added' | 'removed' | 'changed'
  /** Its kind comes and goes by itself (events, leases), or only its status differs. */
  noise: boolean
  /** `ReplicaSet web-5d9` for what a controller makes; '' for what people made. */
  owner: string
}

export interface Comparison {
  objects: ComparedObject[]
  /** Objects that are the same on both sides. */
  same: number
  /** Resources that one side does not serve or does not let us list, with why. */
  notCompared: { resource: string; why: string }[]
}

export interface FieldDifference {
  path: string
  /** YAML; null where the field is not there. */
  before: string | null
  after: string | null
}

export interface RestoreItem extends ObjectKey {
  kind: string
  /** new: will be made. exists: is there and differs. same: is there already. left-out: not to be copied. invalid: the server refuses it. */
  state: 'new' | 'exists' | 'same' | 'left-out' | 'invalid'
  message: string
  /** As it will be applied. */
  yaml: string
  /** What it refers to: on the target already, among the chosen, only in the source, or nowhere. */
  requires: (Omit<ObjectKey, 'version'> & { why: string; where: 'target' | 'chosen' | 'source' | 'nowhere' })[]
}

export interface RestoredItem extends ObjectKey {
  kind: string
  outcome: 'pending' | 'created' | 'replaced' | 'unchanged' | 'skipped' | 'failed'
  message: string
}

export const compareChannels = {
  /** Every listable kind of both clusters. Changes are told from `before` to `after`. */
  'compare.objects': request<Comparison>()(v.object({ before: clusterId, after: clusterId, namespace: v.optional(v.string()) })),
  'compare.fields': request<{ fields: FieldDifference[]; before: string; after: string }>()(
    v.object({ before: clusterId, after: clusterId, object: objectKey, status: v.optional(v.boolean()) }),
  ),
  /** What restoring the chosen objects would do, asked of the target by a server-side dry run. Nothing is changed. */
  'restore.plan': request<RestoreItem[]>()(v.object({ from: clusterId, to: clusterId, objects: v.array(objectKey) })),
  /** Applies the chosen objects in order; the list each time an outcome is known. `overwrite` replaces what is there and differs. */
  'restore.run': subscription<{ items: RestoredItem[]; done: boolean }>()(
    v.object({ from: clusterId, to: clusterId, objects: v.array(objectKey), overwrite: v.boolean() }),
  ),
} as const
