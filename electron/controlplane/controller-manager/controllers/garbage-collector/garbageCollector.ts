import type { GroupVersionResource, KubeObject, OwnerReference } from '#shared/kubernetes/object.ts'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { Informer } from '#electron/client/informer.ts'
import { isDeleting, type Controller, type ControllerContext } from '../../controller.ts'
import { discoverResources, type DiscoveredResource } from '../../discoverResources.ts'

const RESYNC_MS = 30_000

interface Known {
  gvr: GroupVersionResource
  object: KubeObject
}

/** Deleted, and stays until its dependents are gone. */
const deletesDependents = (object: KubeObject): boolean => isDeleting(object) && object.metadata.finalizers?.includes('foregroundDeletion') === true

/** Deletes what has lost its owners, and finishes foreground and orphan deletions. */
export function garbageCollector(context: ControllerContext): Controller {
  const { client, clock, logger, random } = context
  const objects = new Map<string, Known>()
  /** Owner uid to the uids of its dependents. */
  const dependents = new Map<string, Set<string>>()
  const informers = new Map<string, DiscoveredResource>()
  const queue = context.queue('garbage-collector', sync, 10)

  function track(uid: string, known: Known | null): void {
    for (const owner of objects.get(uid)?.object.metadata.ownerReferences ?? []) {
      const set = dependents.get(owner.uid)
      set?.delete(uid)
      if (set?.size === 0) dependents.delete(owner.uid)
    }
    if (known === null) objects.delete(uid)
    else {
      objects.set(uid, known)
      for (const owner of known.object.metadata.ownerReferences ?? []) {
        const set = dependents.get(owner.uid)
        if (set === undefined) dependents.set(owner.uid, new Set([uid]))
        else set.add(uid)
      }
    }
  }

  const dependentsOf = (uid: string): Known[] => [...(dependents.get(uid) ?? [])].flatMap((each) => objects.get(each) ?? [])

  function observe({ gvr }: DiscoveredResource, type: 'add' | 'update' | 'delete', object: KubeObject): void {
    const uid = object.metadata.uid ?? ''
    const owners = object.metadata.ownerReferences ?? []
    const slim: KubeObject = { apiVersion: object.apiVersion ?? '', kind: object.kind ?? '', metadata: object.metadata }
    track(uid, type === 'delete' ? null : { gvr, object: slim })
    if (type === 'delete') {
      for (const each of dependents.get(uid) ?? []) queue.add(each)
      // An owner that waits for its dependents may be free now.
      for (const owner of owners) queue.add(owner.uid)
    } else if (owners.length > 0 || isDeleting(object)) queue.add(uid)
    if (type === 'update')
      for (const owner of owners) if (objects.get(owner.uid)?.object.metadata.finalizers?.includes('foregroundDeletion') === true) queue.add(owner.uid)
  }

  async function discover(signal: AbortSignal): Promise<void> {
    for (const resource of await discoverResources(client, signal, ['list', 'watch', 'delete'])) {
      const key = `${resource.gvr.group}/${resource.gvr.resource}`
      if (informers.has(key) || resource.gvr.resource === 'events') continue
      informers.set(key, resource)
      const informer = new Informer({ client, gvr: resource.gvr, clock, random, logger })
      informer.onEvent(({ type, object }) => {
        observe(resource, type, object)
      })
      void informer.run(signal)
    }
  }

  async function sync(uid: string, signal: AbortSignal): Promise<void> {
    const known = objects.get(uid)
    if (known === undefined) return
    const { object } = known
    if (isDeleting(object)) {
      if (object.metadata.finalizers?.includes('foregroundDeletion') === true) await finishForeground(known, signal)
      else if (object.metadata.finalizers?.includes('orphan') === true) await finishOrphan(known, signal)
      return
    }
    const owners = object.metadata.ownerReferences ?? []
    if (owners.length === 0) return
    const states = await Promise.all(owners.map((owner) => stateOf(owner, object.metadata.namespace, signal)))
    if (states.includes('solid')) {
      if (states.every((state) => state === 'solid')) return
      // Who has another owner only forgets those that go.
      const kept = owners.filter((_, index) => states[index] === 'solid')
      const { namespace, name = '' } = object.metadata
      try {
        await client.patch(known.gvr, { namespace, name }, { metadata: { uid, ownerReferences: kept } }, { type: 'merge' }, signal)
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error
      }
      return
    }
    const waiting = states.includes('waiting')
    const own = dependentsOf(uid)
    const policy = waiting && own.length > 0 ? 'Foreground' : 'Background'
    try {
      // Owners in a circle would wait for each other for ever.
      if (policy === 'Foreground' && own.some((dependent) => deletesDependents(dependent.object))) await unblockOwners(known, signal)
      await client.delete(known.gvr, { namespace: object.metadata.namespace, name: object.metadata.name ?? '' }, { uid, propagationPolicy: policy }, signal)
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  /** Whether an owner is there, gone, or only waits for its dependents to go. */
  async function stateOf(owner: OwnerReference, namespace: string | undefined, signal: AbortSignal): Promise<'solid' | 'gone' | 'waiting'> {
    const known = objects.get(owner.uid)
    if (known !== undefined) return deletesDependents(known.object) ? 'waiting' : 'solid'
    // Not seen: the server decides, as the owner may be newer than what was watched.
    const resource = [...informers.values()].find(
      (each) =>
        each.kind === owner.kind &&
        `${each.gvr.group === '' ? '' : `${each.gvr.group}/`}`.concat(each.gvr.version).split('/')[0] === owner.apiVersion.split('/')[0],
    )
    if (resource === undefined) return 'solid'
    try {
      const found = await client.get(resource.gvr, { namespace: resource.namespaced ? namespace : undefined, name: owner.name }, signal)
      return found.metadata.uid === owner.uid ? 'solid' : 'gone'
    } catch (error) {
      if (isNotFound(error)) return 'gone'
      throw error
    }
  }

  async function finishForeground(known: Known, signal: AbortSignal): Promise<void> {
    const uid = known.object.metadata.uid ?? ''
    const blocking = dependentsOf(uid).filter(
      ({ object }) => object.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true) === true,
    )
    if (blocking.length === 0) {
      await removeFinalizer(known, 'foregroundDeletion', signal)
      return
    }
    // Who waits for dependents of its own is under way; its end is told.
    for (const { object } of blocking) if (!deletesDependents(object)) queue.add(object.metadata.uid ?? '')
  }

  /** The object's owners need not wait for it any more. */
  async function unblockOwners({ gvr, object }: Known, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid, ownerReferences = [] } = object.metadata
    if (ownerReferences.every(({ blockOwnerDeletion }) => blockOwnerDeletion !== true)) return
    const freed = ownerReferences.map((owner) => ({ ...owner, blockOwnerDeletion: false }))
    await client.patch(gvr, { namespace, name }, { metadata: { uid, ownerReferences: freed } }, { type: 'merge' }, signal)
  }

  async function finishOrphan(known: Known, signal: AbortSignal): Promise<void> {
    const uid = known.object.metadata.uid ?? ''
    for (const each of [...(dependents.get(uid) ?? [])]) {
      const dependent = objects.get(each)
      if (dependent === undefined) continue
      const { namespace, name = '' } = dependent.object.metadata
      const ownerReferences = (dependent.object.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid)
      try {
        await client.patch(dependent.gvr, { namespace, name }, { metadata: { uid: each, ownerReferences } }, { type: 'merge' }, signal)
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
    await removeFinalizer(known, 'orphan', signal)
  }

  async function removeFinalizer({ gvr, object }: Known, finalizer: string, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', finalizers = [], resourceVersion } = object.metadata
    try {
      await client.patch(
        gvr,
        { namespace, name },
        { metadata: { resourceVersion, finalizers: finalizers.filter((each) => each !== finalizer) } },
        { type: 'merge' },
        signal,
      )
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  return {
    name: 'garbage-collector',
    run: async (signal) => {
      const running = queue.run(signal)
      while (!signal.aborted) {
        try {
          await discover(signal)
          await clock.sleep(RESYNC_MS, { signal })
        } catch (error) {
          if (signal.aborted) break
          logger.warn('discovery for garbage collection failed', { error: error instanceof Error ? error.message : String(error) })
          await clock.sleep(1_000, { signal }).catch(() => undefined)
        }
      }
      await running
    },
  }
}
