import type { EtcdClient } from '#shared/etcd/rpc.ts'
import type { Transport, UserInfo } from '#shared/kubernetes/transport.ts'
import type { ClockState } from '#shared/base/adjustableClock.ts'
import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { ApiServerSettings } from './apiserver/settings.ts'
import type { Supervisor } from './supervisor.ts'

/** How one embedded control plane is made. Any number run side by side; nothing is shared between them. */
export interface ControlPlaneOptions {
  /** Everything it owns: `etcd/` (store), `nodes/<name>/` (file trees), `ssh/`, `admin.conf`. Locked while it runs. */
  dataDir: string
  /** 0 = any free port. All on 127.0.0.1. */
  apiPort: number
  etcdPort: number
  sshPort: number
  /** DNS over UDP and TCP. @default any free port */
  dnsPort?: number
  /** @default one control-plane node and two workers */
  nodes: { controlPlane: number; workers: number }
  /** Kubernetes minor or full version that is served, `v1.20.0` to `v1.36.x`. */
  kubernetesVersion: string
  clusterName: string
  clock: Clock
  /** Lets cluster administrators pause the clock and change how fast it runs, by `/debug/clock`. @default nobody may */
  clockControl?: { state(): ClockState; adjust(change: { scale?: number; paused?: boolean }): void }
  random: Random
  logger: Logger
  /** Existing etcd instead of the embedded one. */
  etcd?: { endpoints: string[]; caFile?: string; certFile?: string; keyFile?: string }
  /** Refuses every write, and runs no nodes, controllers or scheduler: the cluster stands still. @default false */
  readOnly?: boolean
  /** An etcd snapshot to begin with: its nodes become simulated ones that take over their pods as they are, at its own version. */
  fromSnapshot?: string
  /** Shows the snapshot as it was at this revision; only together with `fromSnapshot` and `readOnly`. @default the last one */
  atRevision?: number
  /** What kube-apiserver's flags decide. @default as kubeadm sets it up */
  apiServer?: ApiServerSettings
  /** Runs the simulated parts. @default one of its own, which is told of errors that a part throws and not of those that nobody awaits */
  supervisor?: Supervisor
}

/** A running control plane: what `drydock cluster` prints, and what the application uses in the same way as anybody. */
export interface RunningControlPlane {
  /** `https://127.0.0.1:PORT` */
  readonly apiUrl: string
  readonly etcdUrl: string
  /** Answers names of the cluster over UDP and TCP. */
  readonly dns: { host: string; port: number }
  readonly ssh: { host: string; port: number; keyFile: string; hostKeyFile: string }
  /** Path of an admin kubeconfig with embedded certificates. */
  readonly kubeconfigPath: string
  /** kubeadm's `/etc/kubernetes/pki` of the first control-plane node, on this machine's disk. */
  readonly pkiDir: string
  readonly etcd: EtcdClient
  /** A transport in this process, as any user. */
  transport(user: UserInfo): Transport
  /** Stops every component, flushes, releases the lock. Idempotent. */
  stop(): Promise<void>
}
