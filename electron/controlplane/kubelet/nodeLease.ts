import type { Clock } from '#shared/base/clock.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { LEASES, type ApiClient } from './apiClient.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

/** Upstream's nodeLeaseDurationSeconds; renewed at a quarter of it. */
const LEASE_SECONDS = 40
const NAMESPACE = 'kube-node-lease'

export interface NodeLeaseOptions {
  api: ApiClient
  clock: Clock
  /** The node's name, which is the lease's too. */
  name: string
  /** The node's, by which the lease goes with it. */
  nodeUid(): string
}

/**
 * A node's Lease. The one written last is kept and written again with a later time; it is read, or made, only when that is refused. With
 * thousands of nodes a read before each write would be half of what they cost at rest.
 *
 * @see kubernetes staging/src/k8s.io/component-helpers/apimachinery/lease/controller.go
 */
export class NodeLease {
  readonly #options: NodeLeaseOptions
  #latest: KubeObject | null = null

  constructor(options: NodeLeaseOptions) {
    this.#options = options
  }

  /** @throws StatusError when the API server takes it neither as it was kept nor as it was read */
  async renew(signal: AbortSignal): Promise<void> {
    if (this.#latest !== null && (await this.#write(this.#latest, signal))) return
    const { api, name } = this.#options
    try {
      this.#latest = await api.get({ gvr: LEASES, namespace: NAMESPACE, name }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
      this.#latest = await api.create({ gvr: LEASES, namespace: NAMESPACE }, this.#renewed(null), signal)
      return
    }
    await this.#write(this.#latest, signal)
  }

  /** @returns false when somebody else wrote or removed it meanwhile */
  async #write(lease: KubeObject, signal: AbortSignal): Promise<boolean> {
    const { api, name } = this.#options
    try {
      this.#latest = await api.update({ gvr: LEASES, namespace: NAMESPACE, name }, this.#renewed(lease), signal)
      return true
    } catch (error) {
      this.#latest = null
      if (isConflict(error) || isNotFound(error)) return false
      throw error
    }
  }

  #renewed(lease: KubeObject | null): KubeObject {
    const { name, clock, nodeUid } = this.#options
    // MicroTime: six digits after the second.
    const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z')
    const { metadata, spec, ...type } = lease ?? { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace: NAMESPACE }, spec: null }
    const uid = nodeUid()
    const { ownerReferences = [] } = metadata
    // With another node of the name it would be removed as soon as it is made.
    const owned = uid === '' || ownerReferences.some((each) => each.uid === uid)
    return {
      ...type,
      metadata: { ...metadata, ownerReferences: owned ? ownerReferences : [{ apiVersion: 'v1', kind: 'Node', name, uid }] },
      spec: { ...objectAt(spec ?? { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS }), renewTime },
    }
  }
}
