import type { Duplex } from 'node:stream'
import type { UserInfo, Transport } from '#shared/kubernetes/transport.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import type { StillReader } from '#shared/etcd/stillReader.ts'
import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { ApiServerSettings } from './settings.ts'

export interface LogOptions {
  container: string
  follow: boolean
  previous: boolean
  tailLines?: number
  sinceSeconds?: number
  sinceTime?: string
  timestamps: boolean
  limitBytes?: number
}

/** stdin in, stdout and stderr out; `output` ends and `exitCode` settles when the process ended. */
export interface ExecSession {
  /** Resolves when the process takes more. */
  write(bytes: Uint8Array): Promise<void>
  closeStdin(): void
  resize(size: { width: number; height: number }): void
  output(): AsyncIterable<{ stream: 'stdout' | 'stderr'; bytes: Uint8Array }>
  readonly exitCode: Promise<number>
}

/** metrics.k8s.io's raw sample. */
export interface NodeUsage {
  node: string
  atMs: number
  windowSeconds: number
  cpuCores: number
  memoryBytes: number
  pods: { namespace: string; name: string; containers: { name: string; cpuCores: number; memoryBytes: number }[] }[]
}

/**
 * What the API server asks of kubelets. The kubelet room supplies it through controlPlane.ts (the consumer owns the
 * interface). Rejects with StatusError NotFound when the node, pod or container is not known there.
 */
export interface NodeConnection {
  logs(pod: { node: string; namespace: string; name: string; uid: string }, options: LogOptions & { signal: AbortSignal }): AsyncIterable<Uint8Array>
  exec(
    pod: { node: string; namespace: string; name: string; uid: string },
    options: { container: string; command: string[]; tty: boolean; stdin: boolean; signal: AbortSignal },
  ): Promise<ExecSession>
  /** The container's main process: what it writes from now on. */
  attach(
    pod: { node: string; namespace: string; name: string; uid: string },
    options: { container: string; tty: boolean; stdin: boolean; signal: AbortSignal },
  ): Promise<ExecSession>
  /** A connection to a port somebody listens on in the pod. Rejects when nobody does. */
  portForward(pod: { node: string; namespace: string; name: string; uid: string }, options: { port: number; signal: AbortSignal }): Promise<Duplex>
  usage(): Promise<NodeUsage[]>
}

export interface ApiServerOptions {
  etcd: EtcdClient
  /** Of a store that never changes: its values are then read when they are asked for. Only together with `readOnly`. @default null */
  still?: StillReader | null
  nodes: NodeConnection
  kubernetesVersion: string
  /** PEM texts. */
  tls: { certificate: string; key: string; clientCa: string; frontProxyCa?: string }
  serviceAccount: { issuer: string; privateKey: string; publicKey: string }
  /** What kube-apiserver's flags decide. @default DEFAULT_SETTINGS */
  settings?: ApiServerSettings
  /** Signs CSRs of kubernetes.io/kube-apiserver-client and kubelet signers (controllers do it through the API; this is the CA they use). */
  serviceClusterIpRange: string
  clock: Clock
  random: Random
  logger: Logger
  readOnly: boolean
  /** What other components tell of themselves, by path below `/debug/`; null is answered by 404. Who may read is for RBAC to say. */
  pages?: Readonly<Record<string, (query: URLSearchParams, method: string) => object | null>>
}

export interface ApiServer {
  /** Reads the store, bootstraps namespaces, RBAC defaults and the `kubernetes` service; then serves. @returns the port */
  listen(options: { host: '127.0.0.1'; port: number }): Promise<number>
  /** For components and the application in the same process: same handlers, no TLS. */
  transport(user: UserInfo): Transport
  /** Changes what is served, as an upgraded API server would. */
  setKubernetesVersion(version: string): Promise<void>
  /** What new connections are shown from now on; those that are open stay. PEM texts. */
  setServingCertificate(serving: { certificate: string; key: string }): void
  close(): Promise<void>
}
