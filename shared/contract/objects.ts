import * as v from 'valibot'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { SchedulingDecision } from '#shared/planning/scheduling/decision.ts'
import { request, subscription } from './channel.ts'
import { clusterId } from './clusters.ts'

const gvr = v.object({ group: v.string(), version: v.string(), resource: v.string() })
const objectRef = v.object({ clusterId, gvr, namespace: v.optional(v.string()), name: v.string() })
const podRef = v.object({ clusterId, namespace: v.string(), name: v.string() })

/** One applied document's outcome. `before` and `after` are YAML without managedFields; equal texts mean no change. */
export interface AppliedDocument {
  title: string
  outcome: 'created' | 'configured' | 'unchanged' | 'failed'
  message: string
  before: string
  after: string
}

/**
 * Where a pod may go and why not elsewhere. `recorded`: what the scheduler of this cluster decided when it last tried; otherwise the
 * same rules applied now to the cluster as it is, since a remote scheduler keeps no record that can be read.
 */
export interface PodScheduling {
  recorded: boolean
  decision: SchedulingDecision
}

export const objectChannels = {
  'objects.get': request<KubeObject>()(objectRef),
  /** YAML as kubectl prints it, managedFields left out. */
  'objects.yaml': request<{ text: string }>()(objectRef),
  /** The object each time it changes; null once it is deleted. */
  'objects.watch': subscription<KubeObject | null>()(objectRef),
  'objects.list': request<KubeObject[]>()(
    v.object({ clusterId, gvr, namespace: v.optional(v.string()), labelSelector: v.optional(v.string()), fieldSelector: v.optional(v.string()) }),
  ),
  'objects.delete': request<null>()(
    v.object({
      ...objectRef.entries,
      gracePeriodSeconds: v.optional(v.number()),
      propagationPolicy: v.optional(v.picklist(['Background', 'Foreground', 'Orphan'])),
    }),
  ),
  /** JSON merge patch, or strategic for built-in kinds. */
  'objects.patch': request<KubeObject>()(
    v.object({ ...objectRef.entries, patchType: v.picklist(['merge', 'strategic', 'json']), patch: v.unknown(), subresource: v.optional(v.string()) }),
  ),
  /** Server-side apply of a YAML stream as manager `drydock`. */
  'objects.apply': request<AppliedDocument[]>()(
    v.object({ clusterId, yaml: v.string(), dryRun: v.boolean(), force: v.boolean(), namespace: v.optional(v.string()) }),
  ),
  'nodes.cordon': request<null>()(v.object({ clusterId, name: v.string(), unschedulable: v.boolean() })),
  'pods.scheduling': request<PodScheduling>()(podRef),
  'pods.evict': request<null>()(podRef),
  /** Lines as they come, in batches. `end` says that the log ended. */
  'pods.logs': subscription<{ lines: string[]; end: boolean }>()(
    v.object({
      ...podRef.entries,
      container: v.string(),
      follow: v.boolean(),
      previous: v.optional(v.boolean()),
      tailLines: v.optional(v.number()),
      timestamps: v.optional(v.boolean()),
      sinceSeconds: v.optional(v.number()),
    }),
  ),
} as const
