import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS } from '#electron/client/resources.ts'
import { isDeleting, keyOf, nodeNameOf, objectsAt, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

const CLAIM_FINALIZER = 'kubernetes.io/pvc-protection'
const VOLUME_FINALIZER = 'kubernetes.io/pv-protection'

/** Holds claims that pods use, and lets them go after the last one. */
export function claimProtectionController(context: ControllerContext): Controller {
  const claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
  const pods = context.informer(PODS)
  const queue = context.queue('pvc-protection', sync)
  claims.onEvent(({ type, object }) => {
    if (type !== 'delete') queue.add(keyOf(object))
  })
  pods.onEvent(({ object }) => {
    for (const name of claimsOf(object)) queue.add(`${object.metadata.namespace ?? ''}/${name}`)
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const claim = claims.get(namespace, name)
    if (claim === undefined) return
    const used = pods
      .byIndex('namespace', namespace)
      .some((pod) => nodeNameOf(pod) !== '' && claimsOf(pod).includes(name) && !['Succeeded', 'Failed'].includes(textAt(statusOf(pod)['phase'])))
    await protect(context, { gvr: PERSISTENT_VOLUME_CLAIMS, object: claim, finalizer: CLAIM_FINALIZER, used }, signal)
  }

  return { name: 'pvc-protection', run: (signal) => queue.run(signal) }
}

/** Holds volumes that are bound. */
export function volumeProtectionController(context: ControllerContext): Controller {
  const volumes = context.informer(PERSISTENT_VOLUMES)
  const queue = context.queue('pv-protection', sync)
  volumes.onEvent(({ type, object }) => {
    if (type !== 'delete') queue.add(keyOf(object))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const volume = volumes.get('', key.slice(1))
    if (volume === undefined) return
    await protect(context, { gvr: PERSISTENT_VOLUMES, object: volume, finalizer: VOLUME_FINALIZER, used: statusOf(volume)['phase'] === 'Bound' }, signal)
  }

  return { name: 'pv-protection', run: (signal) => queue.run(signal) }
}

/** Claims by name and those of ephemeral volumes, which are named after the pod. */
function claimsOf(pod: KubeObject): string[] {
  return objectsAt(specOf(pod)['volumes']).flatMap((volume) => {
    if (volume['ephemeral'] !== undefined) return [`${pod.metadata.name ?? ''}-${textAt(volume['name'])}`]
    const name = textAt(objectAt(volume['persistentVolumeClaim'])['claimName'])
    return name === '' ? [] : [name]
  })
}

async function protect(
  { client }: ControllerContext,
  { gvr, object, finalizer, used }: { gvr: GroupVersionResource; object: KubeObject; finalizer: string; used: boolean },
  signal: AbortSignal,
): Promise<void> {
  const finalizers = object.metadata.finalizers ?? []
  const has = finalizers.includes(finalizer)
  const wants = !isDeleting(object) || used
  if (has === wants || (isDeleting(object) && !has)) return
  const { namespace, name = '', resourceVersion } = object.metadata
  const next = wants ? [...finalizers, finalizer] : finalizers.filter((each) => each !== finalizer)
  try {
    await client.patch(gvr, { namespace, name }, { metadata: { resourceVersion, finalizers: next } }, { type: 'merge' }, signal)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
