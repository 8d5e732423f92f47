import type { Logger } from '#shared/base/logger.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { whileLeading } from '#electron/client/leaderElection.ts'
import { RestClient } from '#electron/client/restClient.ts'
import type { ApiServer } from './apiserver/interface.ts'
import { runControllerManager, type CsrSigner, type ServiceAccountTokenSigner } from './controller-manager/controllerManager.ts'
import type { ControlPlaneOptions } from './interface.ts'
import type { DecisionLog } from './scheduler/decisionLog.ts'
import { runScheduler } from './scheduler/scheduler.ts'
import type { Supervisor } from './supervisor.ts'

/** Which release the components run as; a change ends the running ones, as an upgrade replaces their static pods. */
export class ServedRelease {
  version: string
  #changed = new AbortController()

  constructor(version: string) {
    this.version = version
  }

  /** Aborts when the release changes after this was asked for. */
  get signal(): AbortSignal {
    return this.#changed.signal
  }

  change(version: string): void {
    if (version === this.version) return
    this.version = version
    const changed = this.#changed
    this.#changed = new AbortController()
    changed.abort(new Error('the control plane runs another release'))
  }
}

/** What one run of a component is given. */
interface ComponentRun {
  logger: Logger
  signal: AbortSignal
  kubernetesVersion: string
}

/** Runs the scheduler and the controllers until the signal aborts. */
export async function runComponents(
  api: ApiServer,
  options: ControlPlaneOptions,
  {
    signal,
    ca,
    release,
    decisions,
    supervisor,
    ...signers
  }: {
    signal: AbortSignal
    ca: string
    release: ServedRelease
    decisions: DecisionLog
    supervisor: Supervisor
    csrSigner: CsrSigner
    signServiceAccountToken: ServiceAccountTokenSigner
  },
): Promise<void> {
  const { clock, random, logger } = options
  const as = (username: string): Transport => supervisor.through(api.transport({ username, groups: ['system:masters'] }))
  const identity = `${options.clusterName}_${random
    .fork('identity')
    .below(2 ** 32)
    .toString(16)}`
  /** On an etcd that others may use too, one of all candidates runs a component, as upstream's do among themselves. */
  const lead = (component: string, own: ComponentRun, run: (own: ComponentRun) => Promise<void>): Promise<void> => {
    if (options.etcd === undefined) return run(own)
    const client = new RestClient(as(`system:${component}`), { userAgent: component })
    return whileLeading({ client, clock, logger: own.logger, identity, namespace: 'kube-system', name: component, signal: own.signal }, (signal) =>
      run({ ...own, signal }),
    )
  }
  const guard = (component: string, run: (own: ComponentRun) => Promise<void>): Promise<void> =>
    supervisor.run(component, signal, async (round) => {
      while (!round.aborted) {
        const own = AbortSignal.any([round, release.signal])
        try {
          await lead(component, { logger: logger.with({ component }), signal: own, kubernetesVersion: release.version }, run)
        } catch (error) {
          if (!own.aborted) throw error
        }
        if (!own.aborted) return
      }
    })
  await Promise.all([
    guard('kube-scheduler', (own) => runScheduler({ ...own, decisions, transport: as('system:kube-scheduler'), clock, random: random.fork('scheduler') })),
    guard('kube-controller-manager', (own) =>
      runControllerManager({
        ...own,
        transport: as('system:kube-controller-manager'),
        clock,
        random: random.fork('controller-manager'),
        ...signers,
        rootCa: ca,
      }),
    ),
  ])
}
