import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { REPLICATION_CONTROLLERS } from '#electron/client/resources.ts'
import { ControllerContext, type Controller } from './controller.ts'
import { certificateSigningController, type CsrSigner } from './controllers/csr/certificateSigningController.ts'
import { cronJobController } from './controllers/cronjob/cronJobController.ts'
import { daemonSetController } from './controllers/daemonset/daemonSetController.ts'
import { deploymentController } from './controllers/deployment/deploymentController.ts'
import { disruptionController } from './controllers/disruption/disruptionController.ts'
import { endpointsController } from './controllers/endpoints/endpointsController.ts'
import { garbageCollector } from './controllers/garbage-collector/garbageCollector.ts'
import { jobController } from './controllers/job/jobController.ts'
import { namespaceController } from './controllers/namespace/namespaceController.ts'
import { nodeIpamController } from './controllers/node-ipam/nodeIpamController.ts'
import { nodeLifecycleController } from './controllers/node-lifecycle/nodeLifecycleController.ts'
import { replicaSetController } from './controllers/replicaset/replicaSetController.ts'
import { serviceAccountController } from './controllers/serviceaccount/serviceAccountController.ts'
import { tokensController, type ServiceAccountTokenSigner } from './controllers/serviceaccount/tokensController.ts'
import { statefulSetController } from './controllers/statefulset/statefulSetController.ts'
import { bootstrapSigner } from './controllers/bootstrap/bootstrapSigner.ts'
import { tokenCleaner } from './controllers/bootstrap/tokenCleaner.ts'
import { clusterRoleAggregationController } from './controllers/clusterroleaggregation/clusterRoleAggregationController.ts'
import { endpointSliceController } from './controllers/endpointslice/endpointSliceController.ts'
import { endpointSliceMirroringController } from './controllers/endpointslicemirroring/endpointSliceMirroringController.ts'
import { persistentVolumeController } from './controllers/persistentvolume/persistentVolumeController.ts'
import { simulatedProvisioner } from './controllers/persistentvolume/simulatedProvisioner.ts'
import { horizontalPodAutoscalerController } from './controllers/podautoscaler/horizontalPodAutoscalerController.ts'
import { podGcController } from './controllers/podgc/podGcController.ts'
import { resourceQuotaController } from './controllers/resourcequota/resourceQuotaController.ts'
import { ttlController } from './controllers/ttl/ttlController.ts'
import { ttlAfterFinishedController } from './controllers/ttlafterfinished/ttlAfterFinishedController.ts'
import { claimProtectionController, volumeProtectionController } from './controllers/volume-protection/volumeProtection.ts'

export type { CsrSigner } from './controllers/csr/certificateSigningController.ts'
export type { ServiceAccountTokenSigner } from './controllers/serviceaccount/tokensController.ts'

export interface ControllerManagerOptions {
  /** As `system:kube-controller-manager` with the rights of all controllers. */
  transport: Transport
  clock: Clock
  random: Random
  logger: Logger
  signal: AbortSignal
  /** What is served: controllers behave as that release's. */
  kubernetesVersion: string
  csrSigner?: CsrSigner
  /** PEM, published as kube-root-ca.crt. */
  rootCa?: string
  /** Without it no token secrets are kept. */
  signServiceAccountToken?: ServiceAccountTokenSigner
}

/** All controllers of a release, not yet running. */
export function newControllers(
  context: ControllerContext,
  { csrSigner, rootCa, signServiceAccountToken: signToken }: Pick<ControllerManagerOptions, 'csrSigner' | 'rootCa' | 'signServiceAccountToken'>,
): Controller[] {
  return [
    nodeIpamController(context),
    serviceAccountController(context, rootCa),
    ...(signToken === undefined ? [] : [tokensController(context, { sign: signToken, rootCa, everyAccount: context.minor < 24 })]),
    replicaSetController(context),
    replicaSetController(context, { gvr: REPLICATION_CONTROLLERS, kind: 'ReplicationController', name: 'replication' }),
    deploymentController(context),
    daemonSetController(context),
    statefulSetController(context),
    jobController(context),
    cronJobController(context),
    ...(context.minor >= 21 ? [ttlAfterFinishedController(context)] : []),
    namespaceController(context),
    garbageCollector(context),
    podGcController(context),
    nodeLifecycleController(context),
    ttlController(context),
    endpointsController(context),
    endpointSliceController(context),
    endpointSliceMirroringController(context),
    disruptionController(context),
    resourceQuotaController(context),
    horizontalPodAutoscalerController(context),
    persistentVolumeController(context),
    simulatedProvisioner(context),
    claimProtectionController(context),
    volumeProtectionController(context),
    clusterRoleAggregationController(context),
    bootstrapSigner(context),
    tokenCleaner(context),
    ...(csrSigner === undefined ? [] : [certificateSigningController(context, csrSigner)]),
  ]
}

/** Runs all controllers until the signal aborts. */
export async function runControllerManager(options: ControllerManagerOptions): Promise<void> {
  const context = new ControllerContext(options)
  await runControllers(context, newControllers(context, options), options.signal)
}

/**
 * Runs controllers of one context until the signal aborts: their informers first.
 *
 * @throws Error of the first controller that fails, after the others were ended: they share informers and start again together
 */
export async function runControllers(context: ControllerContext, controllers: readonly Controller[], signal: AbortSignal): Promise<void> {
  const { informers } = context
  const failed = new AbortController()
  const own = AbortSignal.any([signal, failed.signal])
  const running = informers.map((informer) => informer.run(own))
  try {
    await Promise.all(informers.map((informer) => informer.synced(own)))
    await Promise.all(
      controllers.map(async (controller) => {
        try {
          await controller.run(own)
        } catch (error) {
          if (own.aborted) return
          const failure = new Error(`${controller.name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
          failed.abort(failure)
          throw failure
        }
      }),
    )
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    failed.abort(new Error('the controllers end'))
    context.stop()
    await Promise.all(running)
  }
}
