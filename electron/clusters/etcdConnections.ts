import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { connectEtcd } from '../client/etcd/connectEtcd.ts'

export interface EtcdEndpoint {
  endpoint: string
  caFile?: string | undefined
  certFile?: string | undefined
  keyFile?: string | undefined
}

const UNKNOWN =
  "Drydock does not know this cluster's etcd yet. Give its endpoint and TLS files; on a kubeadm control-plane node they are in /etc/kubernetes/pki/etcd"
/** How long the way to an etcd through its node may take. */
const REACH_TIMEOUT_MS = 20_000

/** An endpoint that is there until it is closed. */
export type ReachedEtcd = EtcdEndpoint & { close(): Promise<void> }

/** Which etcd belongs to which cluster, and how it is reached: told by the user once, remembered; of the embedded cluster known. */
export class EtcdConnections {
  readonly #options: {
    known: (clusterId: string) => EtcdEndpoint | null
    remembered: () => Readonly<Record<string, EtcdEndpoint>>
    remember: (clusterId: string, endpoint: EtcdEndpoint) => Promise<void>
    /** The way to an etcd nobody told of, e.g. through SSH to its node; null where there is none. */
    through: (clusterId: string, options: { signal: AbortSignal }) => Promise<ReachedEtcd | null>
  }

  constructor(options: {
    known: (clusterId: string) => EtcdEndpoint | null
    remembered: () => Readonly<Record<string, EtcdEndpoint>>
    remember: (clusterId: string, endpoint: EtcdEndpoint) => Promise<void>
    through: (clusterId: string, options: { signal: AbortSignal }) => Promise<ReachedEtcd | null>
  }) {
    this.#options = options
  }

  /** @throws StatusError when no etcd is known for the cluster */
  endpoint(clusterId: string, given?: EtcdEndpoint): EtcdEndpoint {
    const found = given ?? this.#options.known(clusterId) ?? this.#options.remembered()[clusterId]
    if (found !== undefined) return found
    throw new StatusError(failure(404, 'NotFound', UNKNOWN))
  }

  /** A connection of its own, to be closed. `urls` names one member instead of the endpoint. @throws StatusError */
  async connect(clusterId: string, given?: EtcdEndpoint, urls?: readonly string[]): Promise<{ etcd: EtcdClient; endpoint: string }> {
    const known = given ?? this.#options.known(clusterId) ?? this.#options.remembered()[clusterId]
    const reached = known === undefined ? await this.#reach(clusterId) : null
    const target = reached ?? this.endpoint(clusterId, known)
    const endpoint = urls?.[0] ?? target.endpoint
    try {
      const etcd = await connectEtcd({ ...target, endpoint })
      if (reached !== null) {
        const close = etcd.close.bind(etcd)
        etcd.close = async () => {
          await close()
          await reached.close()
        }
      }
      return { etcd, endpoint }
    } catch (error) {
      await reached?.close()
      throw new StatusError(failure(400, 'BadRequest', `cannot connect to etcd: ${error instanceof Error ? error.message : String(error)}`), { cause: error })
    }
  }

  async #reach(clusterId: string): Promise<ReachedEtcd | null> {
    try {
      return await this.#options.through(clusterId, { signal: AbortSignal.timeout(REACH_TIMEOUT_MS) })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new StatusError(failure(404, 'NotFound', `${UNKNOWN}. Through SSH it was not reached either: ${why}`), { cause: error })
    }
  }

  /** Remembers an endpoint after it has answered. @throws EtcdError when it does not */
  async set(clusterId: string, endpoint: EtcdEndpoint): Promise<void> {
    const { etcd } = await this.connect(clusterId, endpoint)
    try {
      await etcd.status({ signal: AbortSignal.timeout(10_000) })
    } catch (error) {
      throw new StatusError(
        failure(400, 'BadRequest', `${endpoint.endpoint} does not answer as etcd: ${error instanceof Error ? error.message : String(error)}`),
        { cause: error },
      )
    } finally {
      await etcd.close()
    }
    await this.#options.remember(clusterId, endpoint)
  }
}
