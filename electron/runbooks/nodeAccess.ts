import { existsSync, readFileSync } from 'node:fs'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'
import type { ReachedEtcd } from '../clusters/etcdConnections.ts'
import type { LocalClusters } from '../clusters/localClusters.ts'
import { ClusterApi } from './clusterApi.ts'
import { nodeEtcd } from './nodeEtcd.ts'
import type { NodeShellFactory } from './nodeShell/nodeShell.ts'
import { connectSsh } from './nodeShell/ssh.ts'
import { sshTargetOf } from './nodeShell/sshConfig.ts'
import { isControlPlane } from './upgrade/plan.ts'

/** One process answers for all simulated nodes of a cluster, and is busy while thousands of pods come and go: none of them is out of reach for that. */
const SIMULATED_READY_TIMEOUT_MS = 180_000

/** Shells on the nodes of every cluster: simulated nodes by the SSH server of their process, others by the user's SSH configuration. */
export class NodeAccess {
  readonly #registry: ClusterRegistry
  readonly #local: LocalClusters
  readonly #sshConfigFile: () => string
  readonly #sudoPassword: (clusterId: string) => string | null

  /**
   * @param options.sshConfigFile the configuration that counts now: it can be changed in the settings
   * @param options.sudoPassword what sudo asks for on a cluster's nodes, as far as it was given
   */
  constructor(options: { registry: ClusterRegistry; local: LocalClusters; sshConfigFile(): string; sudoPassword(clusterId: string): string | null }) {
    this.#registry = options.registry
    this.#local = options.local
    this.#sshConfigFile = () => options.sshConfigFile()
    this.#sudoPassword = (clusterId) => options.sudoPassword(clusterId)
  }

  shells(clusterId: string): NodeShellFactory {
    return this.#local.find(clusterId) === null ? this.#remoteShells(clusterId) : this.#simulatedShells(clusterId)
  }

  /** A kubeadm cluster's etcd through its first control-plane node; null where there is no such way. */
  async etcd(clusterId: string, { signal }: { signal: AbortSignal }): Promise<ReachedEtcd | null> {
    if (this.#local.find(clusterId) !== null || !existsSync(this.#sshConfigFile())) return null
    const nodes = await this.#api(clusterId).list('/api/v1/nodes', signal)
    const name = nodes.find(isControlPlane)?.metadata.name
    if (name === undefined) return null
    const shell = await this.#remoteShells(clusterId)(name, { signal })
    try {
      const reached = await nodeEtcd(shell, { signal })
      return {
        ...reached,
        close: async () => {
          await reached.close()
          shell.close()
        },
      }
    } catch (error) {
      shell.close()
      throw error
    }
  }

  #simulatedShells(clusterId: string): NodeShellFactory {
    return (node, context) => {
      const { cluster, endpoints } = this.#local.running(clusterId)
      return connectSsh(
        {
          host: endpoints.sshHost,
          port: endpoints.sshPort,
          username: node,
          privateKey: readFileSync(endpoints.sshKeyFile, 'utf8'),
          hostKeys: [cluster.hostKey(endpoints)],
          sudo: false,
          readyTimeoutMs: SIMULATED_READY_TIMEOUT_MS,
        },
        context,
      )
    }
  }

  #remoteShells(clusterId: string): NodeShellFactory {
    const configFile = this.#sshConfigFile()
    return async (node, context) => {
      const target = sshTargetOf(node, { configFile, address: context.address ?? (await this.#addressOf(clusterId, node, context)) })
      const sudoPassword = this.#sudoPassword(clusterId)
      return connectSsh({ ...target, ...(sudoPassword === null ? {} : { sudoPassword }) }, context)
    }
  }

  async #addressOf(clusterId: string, node: string, { signal }: { signal: AbortSignal }): Promise<string> {
    const object = await this.#api(clusterId).get(`/api/v1/nodes/${encodeURIComponent(node)}`, signal)
    const addresses = (object['status'] as { addresses?: { type: string; address: string }[] } | undefined)?.addresses ?? []
    return addresses.find(({ type }) => type === 'InternalIP')?.address ?? node
  }

  #api(clusterId: string): ClusterApi {
    return new ClusterApi(this.#registry.session(clusterId).transport)
  }
}
