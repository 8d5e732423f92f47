import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { REPLICATION_CONTROLLERS } from '#electron/client/resources.ts'
import { ControllerContext, type Controller } from './controller.ts'
import { certificateSigningController, type CsrSigner } from './controllers/csr/certificateSigningController.ts'
import { daemonSetController } from './controllers/daemonset/daemonSetController.ts'
import { deploymentController } from './controllers/deployment/deploymentController.ts'
import { disruptionController } from './controllers/disruption/disruptionController.ts'
import { endpointsController } from './controllers/endpoints/endpointsController.ts'
import { garbageCollector } from './controllers/garbage-collector/garbageCollector.ts'
import { namespaceController } from './controllers/namespace/namespaceController.ts'
import { nodeIpamController } from './controllers/node-ipam/nodeIpamController.ts'
import { nodeLifecycleController } from './controllers/node-lifecycle/nodeLifecycleController.ts'
import { replicaSetController } from './controllers/replicaset/replicaSetController.ts'
import { serviceAccountController } from './controllers/serviceaccount/serviceAccountController.ts'
import { tokensController, type ServiceAccountTokenSigner } from './controllers/serviceaccount/tokensController.ts'

export type { CsrSigner } from './controllers/csr/certificateSigningController.ts'
export type { ServiceAccountTokenSigner } from './controllers/serviceaccount/tokensController.ts'

export interface ControllerManagerOptions {
  /** As `system:kube-controller-manager` with the rights of all controllers. */
  transport: Transport
  clock: Clock
  random: Random
  logger: Logger
  signal: AbortSignal
  csrSigner?: CsrSigner
  /** PEM, published as kube-root-ca.crt. */
  rootCa?: string
  /** Without it no token secrets are kept. */
  serviceAccountTokens?: { sign: ServiceAccountTokenSigner; everyAccount: boolean }
}

/** Runs all controllers until the signal aborts. */
export async function runControllerManager(options: ControllerManagerOptions): Promise<void> {
  const { signal, logger } = options
  const context = new ControllerContext(options)
  const controllers: Controller[] = [
    nodeIpamController(context),
    serviceAccountController(context, options.rootCa),
    ...(options.serviceAccountTokens === undefined ? [] : [tokensController(context, { ...options.serviceAccountTokens, rootCa: options.rootCa })]),
    replicaSetController(context),
    replicaSetController(context, { gvr: REPLICATION_CONTROLLERS, kind: 'ReplicationController', name: 'replication' }),
    deploymentController(context),
    daemonSetController(context),
    namespaceController(context),
    garbageCollector(context),
    nodeLifecycleController(context),
    endpointsController(context),
    disruptionController(context),
    ...(options.csrSigner === undefined ? [] : [certificateSigningController(context, options.csrSigner)]),
  ]
  const informers = context.informers
  const running = informers.map((informer) => informer.run(signal))
  try {
    await Promise.all(informers.map((informer) => informer.synced(signal)))
    await Promise.all(
      controllers.map(async (controller) => {
        try {
          await controller.run(signal)
        } catch (error) {
          if (!signal.aborted)
            logger.error('a controller ended', { controller: controller.name, error: error instanceof Error ? error.message : String(error) })
        }
      }),
    )
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    context.stop()
    await Promise.all(running)
  }
}
