import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isNotFound } from '#shared/kubernetes/status.ts'
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES } from '#electron/client/resources.ts'
import { isDeleting, keyOf, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { PROVISIONED_BY, PROVISIONERS, SELECTED_NODE } from './persistentVolumeController.ts'
import { classOf } from './volumeMatching.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

/** The provisioner of classes whose volumes exist in name only. */
export const SIMULATED_PROVISIONER = 'drydock.invalid/simulated'
/** On every volume it makes. */
export const SIMULATED_LABEL = 'drydock.invalid/simulated'

/** Stands for an external provisioner: makes a directory volume for each claim of its classes, and deletes it with the claim. */
export function simulatedProvisioner(context: ControllerContext): Controller {
  const { client } = context
  const claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
  const volumes = context.informer(PERSISTENT_VOLUMES)
  const classes = context.informer(STORAGE_CLASSES)
  const events = context.recorder(`${SIMULATED_PROVISIONER}_provisioner`)
  const claimQueue = context.queue('simulated-provisioner', provision)
  const volumeQueue = context.queue('simulated-provisioner-volumes', release)
  claims.onEvent(({ type, object }) => {
    if (type !== 'delete' && PROVISIONERS.some((each) => object.metadata.annotations?.[each] === SIMULATED_PROVISIONER)) claimQueue.add(keyOf(object))
  })
  volumes.onEvent(({ type, object }) => {
    if (type !== 'delete' && object.metadata.annotations?.[PROVISIONED_BY] === SIMULATED_PROVISIONER) volumeQueue.add(keyOf(object))
  })

  async function provision(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const claim = claims.get(namespace, name)
    const storageClass = claim === undefined ? undefined : classes.get('', classOf(claim))
    if (claim === undefined || storageClass === undefined || isDeleting(claim) || textAt(specOf(claim)['volumeName']) !== '') return
    const volumeName = `pvc-${claim.metadata.uid ?? ''}`
    if (volumes.get('', volumeName) !== undefined) return
    events.event(claim, 'Normal', 'Provisioning', `External provisioner is provisioning volume for claim "${key}"`)
    try {
      await client.create(PERSISTENT_VOLUMES, {}, volumeFor(claim, storageClass, volumeName), signal)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${volumeName}`)
  }

  function volumeFor(claim: KubeObject, storageClass: KubeObject, name: string): KubeObject {
    const { namespace, name: claimName, uid, resourceVersion, annotations } = claim.metadata
    const node = annotations?.[SELECTED_NODE]
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name, labels: { [SIMULATED_LABEL]: 'true' }, annotations: { [PROVISIONED_BY]: SIMULATED_PROVISIONER } },
      spec: {
        accessModes: specOf(claim)['accessModes'],
        capacity: { storage: objectAt(objectAt(specOf(claim)['resources'])['requests'])['storage'] },
        claimRef: { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name: claimName, uid, resourceVersion },
        hostPath: { path: `/var/lib/simulated-volumes/${name}`, type: 'DirectoryOrCreate' },
        persistentVolumeReclaimPolicy: storageClass['reclaimPolicy'] ?? 'Delete',
        storageClassName: storageClass.metadata.name,
        volumeMode: specOf(claim)['volumeMode'] ?? 'Filesystem',
        ...(node === undefined
          ? {}
          : { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] } } }),
      },
    }
  }

  async function release(key: string, signal: AbortSignal): Promise<void> {
    const volume = volumes.get('', key.slice(1))
    if (volume === undefined || isDeleting(volume) || statusOf(volume)['phase'] !== 'Released' || specOf(volume)['persistentVolumeReclaimPolicy'] !== 'Delete')
      return
    try {
      await client.delete(PERSISTENT_VOLUMES, { name: volume.metadata.name ?? '' }, { uid: volume.metadata.uid }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  return {
    name: 'simulated-provisioner',
    run: async (signal) => {
      await Promise.all([claimQueue.run(signal), volumeQueue.run(signal)])
    },
  }
}
