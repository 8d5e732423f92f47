import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES } from '#electron/client/resources.ts'
import { isDeleting, keyOf, nodeNameOf, objectsAt, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { claimedBy, classOf, findVolume, mismatch } from './volumeMatching.ts'

const RESYNC_MS = 15_000
const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed'
const BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller'
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by'
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node'
/** Which provisioner is to act; the name without beta came with 1.23. */
export const PROVISIONERS = ['volume.beta.kubernetes.io/storage-provisioner', 'volume.kubernetes.io/storage-provisioner'] as const

/** Binds claims to volumes, and asks provisioners for volumes where none fits. @see pkg/controller/volume/persistentvolume/pv_controller.go */
export function persistentVolumeController(context: ControllerContext): Controller {
  const { client, clock, minor } = context
  const volumes = context.informer(PERSISTENT_VOLUMES)
  const claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
  const classes = context.informer(STORAGE_CLASSES)
  const pods = context.informer(PODS)
  const events = context.recorder('persistentvolume-controller')
  // One worker each, as upstream: two claims must not take one volume.
  const claimQueue = context.queue('claims', syncClaim, 1)
  const volumeQueue = context.queue('volumes', syncVolume, 1)

  claims.onEvent(({ type, object }) => {
    if (type !== 'delete') claimQueue.add(keyOf(object))
    else if (textAt(specOf(object)['volumeName']) !== '') volumeQueue.add(`/${textAt(specOf(object)['volumeName'])}`)
  })
  volumes.onEvent(({ object }) => {
    volumeQueue.add(keyOf(object))
    const ref = objectAt(specOf(object)['claimRef'])
    if (textAt(ref['name']) !== '') claimQueue.add(`${textAt(ref['namespace'])}/${textAt(ref['name'])}`)
  })

  const put = (gvr: GroupVersionResource, object: KubeObject, subresource: string | undefined, signal: AbortSignal): Promise<KubeObject> =>
    client.update(gvr, { namespace: object.metadata.namespace, name: object.metadata.name ?? '', subresource }, object, signal)

  async function setClaimStatus(claim: KubeObject, status: JsonObject, signal: AbortSignal): Promise<KubeObject> {
    const next = { ...statusOf(claim), ...status }
    return deepEqual(next, statusOf(claim)) ? claim : put(PERSISTENT_VOLUME_CLAIMS, { ...claim, status: next }, 'status', signal)
  }

  async function setPhase(volume: KubeObject, phase: string, message: string, signal: AbortSignal): Promise<boolean> {
    const { phase: before, message: said = '' } = statusOf(volume)
    if (before === phase && said === message) return false
    const status = {
      ...statusOf(volume),
      phase,
      ...(message === '' ? {} : { message }),
      ...(minor >= 28 && before !== phase ? { lastPhaseTransitionTime: context.now() } : {}),
    }
    if (message === '') Reflect.deleteProperty(status, 'message')
    await put(PERSISTENT_VOLUMES, { ...volume, status }, 'status', signal)
    return true
  }

  async function syncClaim(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const claim = claims.get(namespace, name)
    if (claim === undefined) return
    if (claim.metadata.annotations?.[BIND_COMPLETED] === 'yes') await syncBound(claim, signal)
    else await syncUnbound(claim, signal)
  }

  async function syncBound(claim: KubeObject, signal: AbortSignal): Promise<void> {
    const volumeName = textAt(specOf(claim)['volumeName'])
    const volume = volumes.get('', volumeName)
    if (volumeName === '') await lose(claim, 'ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!', signal)
    else if (volume === undefined) await lose(claim, 'ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!', signal)
    else if (claimedBy(volume, claim) === 'other')
      await lose(claim, 'ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly', signal)
    else await bind(volume, claim, signal)
  }

  async function lose(claim: KubeObject, reason: string, message: string, signal: AbortSignal): Promise<void> {
    if (statusOf(claim)['phase'] === 'Lost') return
    await setClaimStatus(claim, { phase: 'Lost' }, signal)
    events.event(claim, 'Warning', reason, message)
  }

  async function syncUnbound(claim: KubeObject, signal: AbortSignal): Promise<void> {
    const volumeName = textAt(specOf(claim)['volumeName'])
    if (volumeName !== '') {
      await syncNamed(claim, volumes.get('', volumeName), signal)
      return
    }
    const delayed = isDelayed(claim)
    const volume = findVolume(claim, volumes.list(), delayed)
    if (volume !== null) {
      await bind(volume, claim, signal)
      return
    }
    await setClaimStatus(claim, { phase: 'Pending' }, signal)
    if (delayed) {
      const waiting = pods.byIndex('namespace', claim.metadata.namespace ?? '').find((pod) => nodeNameOf(pod) === '' && uses(pod, claim))
      if (waiting === undefined) events.event(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
      else events.event(claim, 'Normal', 'WaitForPodScheduled', `waiting for pod ${waiting.metadata.name ?? ''} to be scheduled`)
    } else if (classOf(claim) !== '') await provision(claim, signal)
    else events.event(claim, 'Normal', 'FailedBinding', 'no persistent volumes available for this claim and no storage class is set')
  }

  /** A claim that names its volume. */
  async function syncNamed(claim: KubeObject, volume: KubeObject | undefined, signal: AbortSignal): Promise<void> {
    if (volume === undefined) {
      await setClaimStatus(claim, { phase: 'Pending' }, signal)
      return
    }
    const by = claimedBy(volume, claim)
    if (by === 'nobody') {
      const why = mismatch(volume, claim)
      if (why === null) {
        await bind(volume, claim, signal)
        return
      }
      events.event(claim, 'Warning', 'VolumeMismatch', `Cannot bind to requested volume "${volume.metadata.name ?? ''}": ${why}`)
    } else if (by === 'this') {
      await bind(volume, claim, signal)
      return
    } else events.event(claim, 'Warning', 'FailedBinding', `volume "${volume.metadata.name ?? ''}" already bound to a different claim.`)
    await setClaimStatus(claim, { phase: 'Pending' }, signal)
  }

  /** Volume first, then claim: each write can be followed by a crash, and is taken up from there. */
  async function bind(volume: KubeObject, claim: KubeObject, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid, resourceVersion } = claim.metadata
    const ref = objectAt(specOf(volume)['claimRef'])
    let bound = volume
    if (textAt(ref['uid']) !== uid) {
      const annotations = { ...volume.metadata.annotations, ...(textAt(ref['name']) === '' ? { [BY_CONTROLLER]: 'yes' } : {}) }
      const claimRef = { kind: 'PersistentVolumeClaim', namespace, name, uid, apiVersion: 'v1', resourceVersion }
      bound = await put(
        PERSISTENT_VOLUMES,
        { ...volume, metadata: { ...volume.metadata, annotations }, spec: { ...specOf(volume), claimRef } },
        undefined,
        signal,
      )
    }
    await setPhase(bound, 'Bound', '', signal)
    let held = claim
    if (claim.metadata.annotations?.[BIND_COMPLETED] !== 'yes' || specOf(claim)['volumeName'] !== volume.metadata.name) {
      const chosen = textAt(specOf(claim)['volumeName']) === ''
      const annotations = { ...claim.metadata.annotations, [BIND_COMPLETED]: 'yes', ...(chosen ? { [BY_CONTROLLER]: 'yes' } : {}) }
      const next = { ...claim, metadata: { ...claim.metadata, annotations }, spec: { ...specOf(claim), volumeName: volume.metadata.name } }
      held = await put(PERSISTENT_VOLUME_CLAIMS, next, undefined, signal)
    }
    await setClaimStatus(
      held,
      { phase: 'Bound', accessModes: specOf(volume)['accessModes'], capacity: statusOf(held)['capacity'] ?? specOf(volume)['capacity'] },
      signal,
    )
  }

  const uses = (pod: KubeObject, claim: KubeObject): boolean =>
    objectsAt(specOf(pod)['volumes']).some((each) => objectAt(each['persistentVolumeClaim'])['claimName'] === claim.metadata.name)

  /** Whether binding waits until the scheduler has chosen a node. */
  function isDelayed(claim: KubeObject): boolean {
    const storageClass = classes.get('', classOf(claim))
    return storageClass?.['volumeBindingMode'] === 'WaitForFirstConsumer' && claim.metadata.annotations?.[SELECTED_NODE] === undefined
  }

  async function provision(claim: KubeObject, signal: AbortSignal): Promise<void> {
    const className = classOf(claim)
    const storageClass = classes.get('', className)
    if (storageClass === undefined) {
      events.event(claim, 'Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${className}" not found`)
      return
    }
    const provisioner = textAt(storageClass['provisioner'])
    if (provisioner === 'kubernetes.io/no-provisioner') return
    const names = minor >= 23 ? PROVISIONERS : PROVISIONERS.slice(0, 1)
    if (names.some((each) => claim.metadata.annotations?.[each] !== provisioner)) {
      const annotations = { ...claim.metadata.annotations, ...Object.fromEntries(names.map((each) => [each, provisioner])) }
      await put(PERSISTENT_VOLUME_CLAIMS, { ...claim, metadata: { ...claim.metadata, annotations } }, undefined, signal)
    }
    const either =
      minor >= 28
        ? `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`
        : `waiting for a volume to be created, either by external provisioner "${provisioner}" or manually created by system administrator`
    events.event(claim, 'Normal', 'ExternalProvisioning', either)
  }

  async function syncVolume(key: string, signal: AbortSignal): Promise<void> {
    const volume = volumes.get('', key.slice(1))
    if (volume === undefined) return
    const ref = objectAt(specOf(volume)['claimRef'])
    if (textAt(ref['uid']) === '') {
      await setPhase(volume, 'Available', '', signal)
      if (textAt(ref['name']) !== '') claimQueue.add(`${textAt(ref['namespace'])}/${textAt(ref['name'])}`)
      return
    }
    const claim = claims.get(textAt(ref['namespace']), textAt(ref['name']))
    if (claim === undefined || claim.metadata.uid !== ref['uid']) {
      if (await stillThere(ref, signal)) return
      if (!['Released', 'Failed'].includes(textAt(statusOf(volume)['phase']))) await setPhase(volume, 'Released', '', signal)
      else await reclaim(volume, signal)
      return
    }
    if (textAt(specOf(claim)['volumeName']) === '') claimQueue.add(keyOf(claim))
    else if (specOf(claim)['volumeName'] === volume.metadata.name) await setPhase(volume, 'Bound', '', signal)
  }

  /** The watch may be behind: the server decides. */
  async function stillThere(ref: JsonObject, signal: AbortSignal): Promise<boolean> {
    try {
      const claim = await client.get(PERSISTENT_VOLUME_CLAIMS, { namespace: textAt(ref['namespace']), name: textAt(ref['name']) }, signal)
      return claim.metadata.uid === ref['uid']
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  async function reclaim(volume: KubeObject, signal: AbortSignal): Promise<void> {
    const policy = specOf(volume)['persistentVolumeReclaimPolicy']
    const provisioner = volume.metadata.annotations?.[PROVISIONED_BY]
    if (policy === 'Retain' || isDeleting(volume) || (policy === 'Delete' && provisioner !== undefined)) return
    const name = volume.metadata.name ?? ''
    const message =
      policy === 'Delete'
        ? `error getting deleter volume plugin for volume "${name}": no deletable volume plugin matched`
        : 'No recycler plugin found for the volume!'
    if (await setPhase(volume, 'Failed', message, signal))
      events.event(volume, 'Warning', policy === 'Delete' ? 'VolumeFailedDelete' : 'VolumeFailedRecycle', message)
  }

  async function resync(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const volume of volumes.list()) volumeQueue.add(keyOf(volume))
      for (const claim of claims.list()) claimQueue.add(keyOf(claim))
      await clock.sleep(RESYNC_MS, { signal }).catch(() => undefined)
    }
  }

  return {
    name: 'persistentvolume-binder',
    run: async (signal) => {
      await Promise.all([claimQueue.run(signal), volumeQueue.run(signal), resync(signal)])
    },
  }
}
