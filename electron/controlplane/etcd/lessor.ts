import type { Clock } from '#shared/base/clock.ts'
import type { LeaseTable } from './writeTxn.ts'
import type { BinaryText } from './sortedKeys.ts'

/** etcd's floor with default election timeout, and its ceiling, in seconds. */
export const MIN_LEASE_TTL = 2
export const MAX_LEASE_TTL = 9_000_000_000

interface Lease {
  ttlSeconds: number
  expiresAtMs: number
  readonly keys: Set<BinaryText>
  cancel: () => void
}

/** Leases with their keys. After a restart every lease has its whole TTL again, as in etcd after a leader change. */
export class Lessor implements LeaseTable {
  readonly #clock: Clock
  readonly #expire: (id: bigint) => void
  readonly #leases = new Map<bigint, Lease>()

  constructor(clock: Clock, expire: (id: bigint) => void) {
    this.#clock = clock
    this.#expire = expire
  }

  load(leases: { id: bigint; ttlSeconds: number }[], keys: Map<bigint, Set<BinaryText>>): void {
    this.stop()
    this.#leases.clear()
    for (const { id, ttlSeconds } of leases) this.grant(id, ttlSeconds, keys.get(id))
  }

  grant(id: bigint, ttlSeconds: number, keys = new Set<BinaryText>()): void {
    const lease: Lease = { ttlSeconds, expiresAtMs: 0, keys, cancel: () => undefined }
    this.#leases.set(id, lease)
    this.#renew(id, lease)
  }

  has(id: bigint): boolean {
    return this.#leases.has(id)
  }

  get(id: bigint): { ttlSeconds: number; remainingSeconds: number; keys: BinaryText[] } | null {
    const lease = this.#leases.get(id)
    if (lease === undefined) return null
    return {
      ttlSeconds: lease.ttlSeconds,
      remainingSeconds: Math.max(0, Math.floor((lease.expiresAtMs - this.#clock.now()) / 1000)),
      keys: [...lease.keys].sort(),
    }
  }

  keepAlive(id: bigint): number | null {
    const lease = this.#leases.get(id)
    if (lease === undefined) return null
    this.#renew(id, lease)
    return lease.ttlSeconds
  }

  remove(id: bigint): BinaryText[] {
    const lease = this.#leases.get(id)
    if (lease === undefined) return []
    lease.cancel()
    this.#leases.delete(id)
    return [...lease.keys].sort()
  }

  attach(id: bigint, key: BinaryText): void {
    this.#leases.get(id)?.keys.add(key)
  }

  detach(id: bigint, key: BinaryText): void {
    this.#leases.get(id)?.keys.delete(key)
  }

  list(): { id: bigint; ttlSeconds: number }[] {
    return [...this.#leases].map(([id, { ttlSeconds }]) => ({ id, ttlSeconds }))
  }

  stop(): void {
    for (const lease of this.#leases.values()) lease.cancel()
  }

  #renew(id: bigint, lease: Lease): void {
    lease.cancel()
    lease.expiresAtMs = this.#clock.now() + lease.ttlSeconds * 1000
    const check = (): void => {
      const leftMs = lease.expiresAtMs - this.#clock.now()
      // A timer cannot wait longer than 2^31 ms, so a long lease is looked at again.
      if (leftMs > 0) lease.cancel = this.#clock.schedule(leftMs, check)
      else this.#expire(id)
    }
    lease.cancel = this.#clock.schedule(lease.ttlSeconds * 1000, check)
  }
}
