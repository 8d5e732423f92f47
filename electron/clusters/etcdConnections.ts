import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { connectEtcd } from '../client/etcd/connectEtcd.ts'

export interface EtcdEndpoint {
  endpoint: string
  caFile?: string | undefined
  certFile?: string | undefined
  keyFile?: string | undefined
}

/** Which etcd belongs to which cluster, and how it is reached: told by the user once, remembered; of the embedded cluster known. */
export class EtcdConnections {
  readonly #options: {
    known: (clusterId: string) => EtcdEndpoint | null
    remembered: () => Readonly<Record<string, EtcdEndpoint>>
    remember: (clusterId: string, endpoint: EtcdEndpoint) => Promise<void>
  }

  constructor(options: {
    known: (clusterId: string) => EtcdEndpoint | null
    remembered: () => Readonly<Record<string, EtcdEndpoint>>
    remember: (clusterId: string, endpoint: EtcdEndpoint) => Promise<void>
  }) {
    this.#options = options
  }

  /** @throws StatusError when no etcd is known for the cluster */
  endpoint(clusterId: string, given?: EtcdEndpoint): EtcdEndpoint {
    const found = given ?? this.#options.known(clusterId) ?? this.#options.remembered()[clusterId]
    if (found !== undefined) return found
    throw new StatusError(
      failure(
        404,
        'NotFound',
        "Drydock does not know this cluster's etcd yet. Give its endpoint and TLS files; on a kubeadm control-plane node they are in /etc/kubernetes/pki/etcd",
      ),
    )
  }

  /** A connection of its own, to be closed. `urls` names one member instead of the endpoint. @throws StatusError */
  async connect(clusterId: string, given?: EtcdEndpoint, urls?: readonly string[]): Promise<{ etcd: EtcdClient; endpoint: string }> {
    const known = this.endpoint(clusterId, given)
    const endpoint = urls?.[0] ?? known.endpoint
    try {
      return { etcd: await connectEtcd({ ...known, endpoint }), endpoint }
    } catch (error) {
      throw new StatusError(failure(400, 'BadRequest', `cannot connect to etcd: ${error instanceof Error ? error.message : String(error)}`), { cause: error })
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
