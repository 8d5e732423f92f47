import type { Clock } from '#shared/base/clock.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, isAlreadyExists, isConflict, isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterApi } from './clusterApi.ts'

/** A run's hold on its cluster: nobody else's runbook works there meanwhile. */
export interface Hold {
  /** Aborts, with the reason, when somebody else has taken the cluster over. */
  readonly lost: AbortSignal
  /** Lets others have the cluster. Never rejects: what is not given back expires. */
  release(): Promise<void>
}

export interface HoldRequest {
  runId: string
  title: string
  signal: AbortSignal
}

export interface HoldOptions {
  api: ClusterApi
  clock: Clock
  /** Who runs it, for others to read: `user@host`. */
  operator: string
}

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases'
const NAME = 'drydock-runbook'
const LEASE = `${LEASES}/${NAME}`
/** What the holder is doing, for whoever looks at the Lease with kubectl. */
const TITLE_ANNOTATION = 'drydock/run'
/** Longer than a control plane's own restart, so that a run is not taken over while it upgrades the API server. */
const LEASE_SECONDS = 120
const RENEW_MS = 15_000
/** Clocks of two machines differ: a Lease that looks expired must also stay unrenewed while it is looked at this long. */
const OBSERVE_MS = 20_000
/** An end must not wait for an API server that is not there. */
const RELEASE_MS = 3_000

interface LeaseSpec {
  holderIdentity?: string
  leaseDurationSeconds?: number
  acquireTime?: string
  renewTime?: string
}

const specOf = (lease: KubeObject): LeaseSpec => lease['spec'] ?? {}
/** `metav1.MicroTime` */
const microTime = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000Z')

/**
 * Takes the Lease `kube-system/drydock-runbook` for a run and keeps it renewed. A run that comes again takes its own at once; one whose
 * holder went away is taken over when it has expired. Where the API server does not answer, as in the middle of a restore, the run
 * goes on, and the Lease is taken when it answers again.
 * @throws StatusError Conflict that names the holder
 */
export async function holdCluster(options: HoldOptions, request: HoldRequest): Promise<Hold> {
  const { clock } = options
  const lease = new RunLease(options, request)
  try {
    await lease.take(request.signal)
  } catch (error) {
    if (!isUnanswered(error)) throw error
  }
  const ending = new AbortController()
  const lost = new AbortController()
  const renewing = (async () => {
    for (;;) {
      await clock.sleep(RENEW_MS, { signal: ending.signal })
      try {
        await lease.renew(ending.signal)
      } catch (error) {
        ending.signal.throwIfAborted()
        if (error instanceof StatusError && error.code === 409) lost.abort(error)
      }
    }
  })().catch(() => undefined)
  return {
    lost: lost.signal,
    release: async () => {
      ending.abort()
      await renewing
      if (!lost.signal.aborted) await lease.giveBack(AbortSignal.timeout(RELEASE_MS)).catch(() => undefined)
    },
  }
}

/** No answer, or one of an API server that is not ready: says nothing of the Lease. */
function isUnanswered(error: unknown): boolean {
  return !(error instanceof StatusError) || error.code >= 500 || error.code === 429
}

class RunLease {
  readonly #options: HoldOptions
  readonly #request: HoldRequest
  readonly #identity: string

  constructor(options: HoldOptions, request: HoldRequest) {
    this.#options = options
    this.#request = request
    this.#identity = `${options.operator}/${request.runId}`
  }

  async take(signal: AbortSignal): Promise<void> {
    const { api, clock } = this.#options
    let lease = await this.#read(signal)
    if (lease !== null && !this.#isFree(lease)) {
      if (!this.#looksExpired(lease)) throw this.#held(lease)
      const before = specOf(lease).renewTime
      await clock.sleep(OBSERVE_MS, { signal })
      lease = await this.#read(signal)
      if (lease !== null && !this.#isFree(lease) && specOf(lease).renewTime !== before) throw this.#held(lease)
    }
    try {
      if (lease === null) await api.post(LEASES, this.#object({ metadata: { name: NAME, namespace: 'kube-system' } }), signal)
      else await api.put(LEASE, this.#object(lease), signal)
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error)) throw error
      const winner = await this.#read(signal)
      if (winner !== null && specOf(winner).holderIdentity !== this.#identity) throw this.#held(winner)
    }
  }

  /** @throws StatusError Conflict when another run has it now */
  async renew(signal: AbortSignal): Promise<void> {
    const lease = await this.#read(signal)
    // A restore brings back the Lease of the time of the backup, or none.
    if (lease === null || this.#isFree(lease) || this.#looksExpired(lease)) await this.take(signal)
    else throw this.#held(lease)
  }

  async giveBack(signal: AbortSignal): Promise<void> {
    const { api } = this.#options
    const lease = await this.#read(signal)
    if (lease === null || specOf(lease).holderIdentity !== this.#identity) return
    await api.put(LEASE, { ...lease, spec: { leaseDurationSeconds: LEASE_SECONDS } }, signal)
  }

  #object(before: KubeObject): KubeObject {
    const now = microTime(this.#options.clock.now())
    const { metadata } = before
    const { holderIdentity, acquireTime = now } = specOf(before)
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...metadata, annotations: { ...metadata.annotations, [TITLE_ANNOTATION]: this.#request.title } },
      spec: {
        holderIdentity: this.#identity,
        leaseDurationSeconds: LEASE_SECONDS,
        acquireTime: holderIdentity === this.#identity ? acquireTime : now,
        renewTime: now,
      },
    }
  }

  async #read(signal: AbortSignal): Promise<KubeObject | null> {
    try {
      return await this.#options.api.get(LEASE, signal)
    } catch (error) {
      if (isNotFound(error)) return null
      throw error
    }
  }

  #isFree(lease: KubeObject): boolean {
    const { holderIdentity = '' } = specOf(lease)
    return holderIdentity === '' || holderIdentity.endsWith(`/${this.#request.runId}`)
  }

  #looksExpired(lease: KubeObject): boolean {
    return this.#options.clock.now() > expiryMs(lease)
  }

  #held(lease: KubeObject): StatusError {
    const { holderIdentity = '' } = specOf(lease)
    const leftSeconds = Math.max(1, Math.ceil((expiryMs(lease) - this.#options.clock.now()) / 1000))
    const what = lease.metadata.annotations?.[TITLE_ANNOTATION] ?? 'a runbook'
    return new StatusError(
      failure(
        409,
        'Conflict',
        `${holderIdentity.slice(0, Math.max(0, holderIdentity.lastIndexOf('/'))) || 'somebody'} is running "${what}" on this cluster (Lease kube-system/${NAME}). Wait until it has ended; should that Drydock be gone for good, its hold ends by itself in ${String(leftSeconds)} s`,
      ),
    )
  }
}

function expiryMs(lease: KubeObject): number {
  const { renewTime = '', leaseDurationSeconds = LEASE_SECONDS } = specOf(lease)
  const renewedMs = Date.parse(renewTime)
  return Number.isNaN(renewedMs) ? 0 : renewedMs + leaseDurationSeconds * 1000
}
