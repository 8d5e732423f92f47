import { EtcdError, type EtcdClient, type WatchCreateRequest, type WatchResponse } from '#shared/etcd/rpc.ts'
import { connectEtcd, type EtcdTarget } from './connectEtcd.ts'

export interface EtcdServers extends Omit<EtcdTarget, 'endpoint'> {
  /** Members of one cluster. */
  endpoints: readonly string[]
}

/**
 * A connection to an etcd cluster: calls go to one member, and to the next one when that does not answer. A read is asked again
 * there; so is a write that surely never reached a member. Another write may have been done, so its failure is the caller's to
 * tell, and only what comes next goes elsewhere.
 *
 * @throws as connectEtcd; Error when no endpoint is given
 */
export async function connectEtcdServers({ endpoints, ...tls }: EtcdServers): Promise<EtcdClient> {
  if (endpoints.length === 0) throw new Error('--etcd-servers names no endpoint: give at least one, such as https://127.0.0.1:2379')
  const members = await Promise.all(endpoints.map((endpoint) => connectEtcd({ endpoint, ...tls })))
  return new EtcdMembers(members)
}

const isUnreachable = (error: unknown): boolean => error instanceof EtcdError && (error.code === 'Unavailable' || error.code === 'DeadlineExceeded')
/** What gRPC says before anything was sent. */
const wasNeverSent = (error: unknown): boolean =>
  error instanceof EtcdError && error.code === 'Unavailable' && error.message.startsWith('No connection established')

class EtcdMembers implements EtcdClient {
  readonly #members: readonly EtcdClient[]
  #current = 0

  constructor(members: readonly EtcdClient[]) {
    this.#members = members
  }

  get #member(): EtcdClient {
    const member = this.#members[this.#current]
    if (member === undefined) throw new Error('there is no such member')
    return member
  }

  /** Who saw a member fail moves on; others that failed with it have been moved on already. */
  #moveOn(from: EtcdClient): void {
    if (this.#member === from) this.#current = (this.#current + 1) % this.#members.length
  }

  async #ask<T>(call: (member: EtcdClient) => Promise<T>, again: (error: unknown) => boolean): Promise<T> {
    for (let tries = 1; ; tries++) {
      const member = this.#member
      try {
        return await call(member)
      } catch (error) {
        if (!isUnreachable(error)) throw error
        this.#moveOn(member)
        if (tries >= this.#members.length || !again(error)) throw error
      }
    }
  }

  #read<T>(call: (member: EtcdClient) => Promise<T>): Promise<T> {
    return this.#ask(call, () => true)
  }

  #write<T>(call: (member: EtcdClient) => Promise<T>): Promise<T> {
    return this.#ask(call, wasNeverSent)
  }

  range: EtcdClient['range'] = (request, options) => this.#read((member) => member.range(request, options))
  put: EtcdClient['put'] = (request, options) => this.#write((member) => member.put(request, options))
  deleteRange: EtcdClient['deleteRange'] = (request, options) => this.#write((member) => member.deleteRange(request, options))
  txn: EtcdClient['txn'] = (request, options) => this.#write((member) => member.txn(request, options))
  compact: EtcdClient['compact'] = (request, options) => this.#write((member) => member.compact(request, options))
  leaseGrant: EtcdClient['leaseGrant'] = (request, options) => this.#write((member) => member.leaseGrant(request, options))
  leaseRevoke: EtcdClient['leaseRevoke'] = (request, options) => this.#write((member) => member.leaseRevoke(request, options))
  leaseKeepAlive: EtcdClient['leaseKeepAlive'] = (request, options) => this.#write((member) => member.leaseKeepAlive(request, options))
  leaseTimeToLive: EtcdClient['leaseTimeToLive'] = (request, options) => this.#read((member) => member.leaseTimeToLive(request, options))
  leases: EtcdClient['leases'] = (options) => this.#read((member) => member.leases(options))
  members: EtcdClient['members'] = (options) => this.#read((member) => member.members(options))
  status: EtcdClient['status'] = (options) => this.#read((member) => member.status(options))
  hashKv: EtcdClient['hashKv'] = (request, options) => this.#read((member) => member.hashKv(request, options))
  alarms: EtcdClient['alarms'] = (options) => this.#read((member) => member.alarms(options))
  disarm: EtcdClient['disarm'] = (alarm, options) => this.#write((member) => member.disarm(alarm, options))
  defragment: EtcdClient['defragment'] = (options) => this.#write((member) => member.defragment(options))

  /** Ends with the member's failure; the caller resumes after the last revision it saw, at the next member. */
  async *watch(request: WatchCreateRequest, options: { signal: AbortSignal }): AsyncGenerator<WatchResponse> {
    const member = this.#member
    try {
      yield* member.watch(request, options)
    } finally {
      if (!options.signal.aborted) this.#moveOn(member)
    }
  }

  snapshot: EtcdClient['snapshot'] = (options) => this.#member.snapshot(options)

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.close()))
  }
}
