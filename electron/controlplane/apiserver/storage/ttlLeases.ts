import type { Clock } from '#shared/base/clock.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'

/** How long one lease is given to new keys; they then live up to this much longer than they asked for. */
const REUSE_SECONDS = 60

/** Leases for objects that expire (events): keys of the same minute share one, as upstream's lease manager does. */
export class TtlLeases {
  readonly #etcd: EtcdClient
  readonly #clock: Clock
  readonly #current = new Map<number, { id: Promise<bigint>; untilMs: number }>()

  constructor(etcd: EtcdClient, clock: Clock) {
    this.#etcd = etcd
    this.#clock = clock
  }

  lease(ttlSeconds: number, signal: AbortSignal): Promise<bigint> {
    const current = this.#current.get(ttlSeconds)
    if (current !== undefined && current.untilMs > this.#clock.now()) return current.id
    const id = this.#etcd.leaseGrant({ ttlSeconds: ttlSeconds + REUSE_SECONDS }, { signal }).then((grant) => grant.id)
    this.#current.set(ttlSeconds, { id, untilMs: this.#clock.now() + REUSE_SECONDS * 1000 })
    id.catch(() => this.#current.delete(ttlSeconds))
    return id
  }
}
