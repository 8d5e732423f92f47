import * as v from 'valibot'
import { request } from './channel.ts'
import { clusterId } from './clusters.ts'

/** A file of a node's manifests' folder and what became of it. */
export interface StaticPodManifest {
  file: string
  text: string
  /** SHA-256 of the text: an edit says which one it was made of. */
  digest: string
  /** Why the kubelet makes no pod of it; '' when it does. */
  problem: string
  namespace: string
  /** Name of its mirror pod. */
  podName: string
  mirror: { uid: string; hash: string; ready: boolean; restarts: number } | null
  /** Whether the mirror pod's containers are as the file has them. */
  taken: boolean
  /** Whether kubeadm says what it would write: it does for three components, and not for etcd. */
  compared: boolean
  /** Lines that kubeadm would take out of it and put into it, as its configuration does not have them. */
  takenOut: string[]
  putIn: string[]
}

export interface NodeManifests {
  manifests: StaticPodManifest[]
  /** Why it is not known what kubeadm would write; '' when it is. */
  driftProblem: string
}

export const staticPodChannels = {
  /** Read on the node, through SSH. */
  'staticPods.list': request<NodeManifests>()(v.object({ clusterId, node: v.string() })),
  /** Checks the edited manifest, then starts the run that puts it in place. @throws Invalid with what is wrong with it */
  'staticPods.edit': request<{ runId: string }>()(
    v.object({ clusterId, node: v.string(), file: v.string(), text: v.pipe(v.string(), v.maxLength(1_000_000)), before: v.string() }),
  ),
} as const
