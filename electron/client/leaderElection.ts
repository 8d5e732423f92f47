import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { LEASES } from './resources.ts'
import type { RestClient } from './restClient.ts'

// Upstream's defaults for control-plane components.
const LEASE_SECONDS = 15
const RENEW_DEADLINE_MS = 10_000
const RETRY_MS = 2_000

export interface LeaderElectionOptions {
  client: RestClient
  clock: Clock
  logger: Logger
  /** Who leads; different for every candidate. */
  identity: string
  namespace: string
  /** The Lease's name, e.g. `kube-scheduler`: candidates of one name are one group, real ones among them. */
  name: string
  signal: AbortSignal
}

/**
 * Runs something on one of several candidates at a time: on the one that holds a Lease, for as long as it renews it (client-go's
 * leaderelection). What runs is aborted before another may begin.
 */
export async function whileLeading(options: LeaderElectionOptions, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const { clock, logger, name, identity, signal } = options
  const lease = new HeldLease(options)
  while (!signal.aborted) {
    if (!(await lease.tryHold())) {
      await clock.sleep(RETRY_MS, { signal }).catch(() => undefined)
      continue
    }
    logger.info('became leader', { lease: name, identity })
    const lost = new AbortController()
    const running = run(AbortSignal.any([signal, lost.signal]))
    let ended = false
    const end = running.finally(() => {
      ended = true
    })
    let renewedMs = clock.now()
    while (!signal.aborted && !ended) {
      await clock.sleep(RETRY_MS, { signal }).catch(() => undefined)
      if (await lease.tryHold()) renewedMs = clock.now()
      else if (clock.now() - renewedMs >= RENEW_DEADLINE_MS || lease.isOthers) {
        logger.warn('lost the lease, stopping until it is free again', { lease: name, identity })
        lost.abort(new Error(`the lease ${name} was lost`))
        break
      }
    }
    await end
    if (ended && !lost.signal.aborted) break
  }
  await lease.release()
}

class HeldLease {
  readonly #options: LeaderElectionOptions
  /** The lease as it was last seen to change, by this clock: others' clocks are not trusted. */
  #seen: { text: string; atMs: number } | null = null
  isOthers = false

  constructor(options: LeaderElectionOptions) {
    this.#options = options
  }

  /** Takes the lease when it is free or has run out, and renews it when it is held. */
  async tryHold(): Promise<boolean> {
    const { client, namespace, name, identity, clock, logger, signal } = this.#options
    try {
      const known = await this.#get()
      const now = `${new Date(clock.now()).toISOString().slice(0, -1)}000Z`
      if (known === null) {
        const spec = { holderIdentity: identity, leaseDurationSeconds: LEASE_SECONDS, acquireTime: now, renewTime: now, leaseTransitions: 0 }
        await client.create(LEASES, { namespace }, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec }, signal)
        this.isOthers = false
        return true
      }
      const spec = isObject(known['spec']) ? known['spec'] : {}
      const mine = spec['holderIdentity'] === identity
      if (!mine && !this.#hasRunOut(spec)) {
        this.isOthers = true
        return false
      }
      const transitions = Number(spec['leaseTransitions'] ?? 0)
      const taken = mine ? {} : { acquireTime: now, leaseTransitions: transitions + 1 }
      const next = { ...known, spec: { ...spec, ...taken, holderIdentity: identity, leaseDurationSeconds: LEASE_SECONDS, renewTime: now } }
      await client.update(LEASES, { namespace, name }, next, signal)
      this.isOthers = false
      return true
    } catch (error) {
      if (!signal.aborted && !isConflict(error) && !isAlreadyExists(error))
        logger.warn('the lease could not be renewed', { lease: name, error: error instanceof Error ? error.message : String(error) })
      return false
    }
  }

  /** Lets the next candidate begin at once. */
  async release(): Promise<void> {
    const { client, namespace, name, identity, logger } = this.#options
    try {
      const known = await client.get(LEASES, { namespace, name }, AbortSignal.timeout(RETRY_MS))
      if (!isObject(known['spec']) || known['spec']['holderIdentity'] !== identity) return
      await client.update(
        LEASES,
        { namespace, name },
        { ...known, spec: { ...known['spec'], holderIdentity: '', leaseDurationSeconds: 1 } },
        AbortSignal.timeout(RETRY_MS),
      )
    } catch (error) {
      logger.debug('the lease was not released and runs out', { lease: name, error: error instanceof Error ? error.message : String(error) })
    }
  }

  #hasRunOut(spec: Record<string, unknown>): boolean {
    const { clock } = this.#options
    const text = JSON.stringify([spec['holderIdentity'], spec['renewTime'], spec['leaseTransitions']])
    if (this.#seen?.text !== text) this.#seen = { text, atMs: clock.now() }
    const holder = spec['holderIdentity']
    return holder === '' || holder === undefined || clock.now() - this.#seen.atMs > Number(spec['leaseDurationSeconds'] ?? LEASE_SECONDS) * 1000
  }

  async #get(): Promise<KubeObject | null> {
    const { client, namespace, name, signal } = this.#options
    try {
      return await client.get(LEASES, { namespace, name }, signal)
    } catch (error) {
      if (isNotFound(error)) return null
      throw error
    }
  }
}
