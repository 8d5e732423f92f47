import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '#electron/client/resources.ts'
import {
  controllerRef,
  isDeleting,
  keyOf,
  newControllerRef,
  specOf,
  splitKey,
  statusOf,
  textAt,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'
import { DeploymentSync } from './deploymentSync.ts'
import { isRecreate, isScalingEvent } from './replicas.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

/** Rolls Deployments out through ReplicaSets. */
export function deploymentController(context: ControllerContext): Controller {
  const { client } = context
  const deployments = context.informer(DEPLOYMENTS)
  const sets = context.informer(REPLICA_SETS)
  const pods = context.informer(PODS)
  const events = context.recorder('deployment-controller')
  const queue = context.queue('deployment', sync)

  deployments.onEvent(({ object }) => {
    queue.add(keyOf(object))
  })
  sets.onEvent(({ type, object }) => {
    const ref = controllerRef(object)
    const namespace = object.metadata.namespace ?? ''
    if (ref?.kind === 'Deployment') queue.add(`${namespace}/${ref.name}`)
    else if (ref === undefined && type !== 'delete')
      for (const deployment of deployments.byIndex('namespace', namespace)) if (matches(deployment, object)) queue.add(keyOf(deployment))
  })
  // A Recreate deployment goes on when the last old pod is gone.
  pods.onEvent(({ type, object }) => {
    const ref = type === 'delete' ? controllerRef(object) : undefined
    const set = ref?.kind === 'ReplicaSet' ? sets.get(object.metadata.namespace ?? '', ref.name) : undefined
    const owner = set === undefined ? undefined : controllerRef(set)
    if (owner?.kind === 'Deployment') queue.add(`${object.metadata.namespace ?? ''}/${owner.name}`)
  })

  const matches = (deployment: KubeObject, set: KubeObject): boolean => matchesLabelSelector(specOf(deployment)['selector'], set.metadata.labels ?? {})

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const deployment = deployments.get(namespace, name)
    if (deployment === undefined) return
    const selector = objectAt(specOf(deployment)['selector'])
    if (Object.keys(objectAt(selector['matchLabels'])).length === 0 && !Array.isArray(selector['matchExpressions'])) {
      events.event(deployment, 'Warning', 'SelectingAll', 'This deployment is selecting all pods. A non-empty selector is required.')
      return
    }
    const owned = await claim(deployment, signal)
    const round = new DeploymentSync(context, { events, deployment, sets: owned, signal })
    if (isDeleting(deployment)) {
      await round.statusOnly()
      return
    }
    await round.notePaused()
    if (specOf(deployment)['paused'] === true || isScalingEvent(deployment, owned)) await round.scaleOnly()
    else if (isRecreate(deployment)) await round.recreate(isRunning)
    else await round.rollingUpdate()
    const late = round.lateInMs
    if (late !== null && late > 0) queue.addAfter(key, late + 1_000)
  }

  function isRunning(oldSets: readonly KubeObject[]): boolean {
    return oldSets.some((set) =>
      pods.byIndex('controller', set.metadata.uid ?? '').some((pod) => !['Succeeded', 'Failed'].includes(textAt(statusOf(pod)['phase']))),
    )
  }

  /** Takes orphans that match, lets go what does not match any more. */
  async function claim(deployment: KubeObject, signal: AbortSignal): Promise<KubeObject[]> {
    const uid = deployment.metadata.uid ?? ''
    const mine: KubeObject[] = []
    for (const set of sets.byIndex('namespace', deployment.metadata.namespace ?? '')) {
      const ref = controllerRef(set)
      if (ref !== undefined && ref.uid !== uid) continue
      const target = { namespace: set.metadata.namespace, name: set.metadata.name ?? '' }
      const patch = (ownerReferences: object[]): Promise<KubeObject> =>
        client.patch(REPLICA_SETS, target, { metadata: { uid: set.metadata.uid, ownerReferences } }, { type: 'strategic' }, signal)
      try {
        if (ref === undefined) {
          if (matches(deployment, set) && !isDeleting(set) && !isDeleting(deployment)) mine.push(await patch([newControllerRef(deployment)]))
        } else if (matches(deployment, set)) mine.push(set)
        else if (!isDeleting(deployment)) await patch([{ $patch: 'delete', uid }])
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
    return mine
  }

  return { name: 'deployment', run: (signal) => queue.run(signal) }
}
