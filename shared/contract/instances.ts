import * as v from 'valibot'
import { request, subscription } from './channel.ts'
import { unlockInput } from './backups.ts'
import { clusterId, type ClusterId } from './clusters.ts'

/** A control plane of Drydock's own that began with a snapshot: opened to be looked at, or a twin that runs. */
export interface InstanceView {
  id: ClusterId
  kind: 'twin' | 'snapshot'
  name: string
  /** The cluster whose snapshot it is, as it was called then. */
  of: string
  backupId: string
  createdAtMs: number
  /** How many times faster its clock runs. */
  timeScale: number
  /** Whether its clock stands still. */
  paused: boolean
  /** Of an opened backup: the revision it is shown at; null = the last one. */
  revision: number | null
  /** The revisions its file holds; null where that is not known. */
  history: { first: number; last: number } | null
  /** The EncryptionConfiguration it is read with; '' for none. */
  encryptionConfig: string
  state: 'starting' | 'running' | 'failed' | 'stopped'
  /** Why it failed; '' otherwise. */
  message: string
  /** Bytes on disk. */
  sizeBytes: number
}

export const instanceChannels = {
  /** Opens a backup read-only beside all other clusters; one that is open already is given again. */
  'backups.openAsCluster': request<{ clusterId: ClusterId }>()(v.object({ id: v.string(), unlock: unlockInput })),
  /** Starts a twin from a backup: its nodes become simulated ones that take over their pods. */
  'backups.makeTwin': request<{ clusterId: ClusterId }>()(
    v.object({
      id: v.string(),
      unlock: unlockInput,
      name: v.optional(v.string()),
      timeScale: v.optional(v.pipe(v.number(), v.minValue(0.1), v.maxValue(1000))),
    }),
  ),
  'instances.watch': subscription<InstanceView[]>()(v.object({})),
  /** Shows an opened backup at another revision, or with the keys of its EncryptionConfiguration: it is started anew for that. */
  'instances.view': request<null>()(
    v.object({
      clusterId,
      revision: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))),
      /** A path on the machine where Drydock runs; '' for none. */
      encryptionConfig: v.string(),
    }),
  ),
  /** Pauses a twin's clock, lets it go on, or changes how many times faster than real time it runs. */
  'instances.setClock': request<null>()(v.object({ clusterId, timeScale: v.pipe(v.number(), v.minValue(0.1), v.maxValue(10_000)), paused: v.boolean() })),
  /** Ends it and removes its data; the backup stays. */
  'instances.discard': request<null>()(v.object({ clusterId })),
} as const
