import * as v from 'valibot'
import { request, subscription } from './channel.ts'

/** Stable for the life of the data directory: `embedded`, `twin:<id>`, `snapshot:<id>` or `context:<kubeconfig path>#<context>`. */
export const clusterId = v.pipe(v.string(), v.nonEmpty(), v.maxLength(1024))
export type ClusterId = string

export type ClusterKind = 'embedded' | 'twin' | 'snapshot' | 'remote'

/** What is known of the connection; the data on the screen is as old as `freshAt` when not live. */
export type ConnectionState =
  | { state: 'idle' }
  | { state: 'connecting' }
  | { state: 'live'; freshAtMs: number }
  | { state: 'stale'; freshAtMs: number; message: string; retryAtMs: number }
  | { state: 'unreachable'; message: string; retryAtMs: number }
  | { state: 'denied'; message: string }
  /** Nothing was asked: its kubeconfig cannot be used, or its process does not run. */
  | { state: 'unusable'; message: string }

export interface ClusterSummary {
  id: ClusterId
  name: string
  kind: ClusterKind
  /** Where it came from, e.g. the kubeconfig's path; '' for the embedded one. */
  source: string
  server: string
  /** Default namespace of the context. */
  namespace: string
  connection: ConnectionState
  /** gitVersion once connected, else null. */
  version: string | null
  /** Who we are there, once known. */
  user: { username: string; groups: string[] } | null
  protection: 'none' | 'protected' | 'read-only'
  /** The etcd that backups use, when known. */
  etcdEndpoint: string | null
  /** kubectl arguments that reach it, e.g. `--kubeconfig X --context Y`. */
  kubectlArgs: string[]
}

export interface OverviewPart {
  state: 'good' | 'warning' | 'bad' | 'unknown'
  text: string
}

export const clusterChannels = {
  'clusters.open': request<ClusterSummary>()(v.object({ clusterId })),
  'clusters.setProtection': request<null>()(v.object({ clusterId, protection: v.picklist(['none', 'protected', 'read-only']) })),
  'clusters.addKubeconfig': request<{ added: ClusterId[] }>()(v.object({ path: v.string() })),
  'clusters.retry': request<null>()(v.object({ clusterId })),
  /** The whole list each time it changes. */
  'clusters.watch': subscription<ClusterSummary[]>()(v.object({})),
} as const
