import { deepEqual, objectAt } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from '#electron/client/resources.ts'
import {
  controllerRef,
  countAt,
  isDeleting,
  isPodAvailable,
  isPodReady,
  keyOf,
  specOf,
  splitKey,
  statusOf,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'
import { ControllerHistory, equalRevisions, REVISION_HASH, revisionData, revisionHash, revisionNumber } from '../../controllerHistory.ts'
import { claimPods } from '../../claimPods.ts'
import { claimRetention } from './claimRetention.ts'
import { ordinalOf, revisionOf } from './statefulPod.ts'
import { StatefulPodControl } from './statefulPodControl.ts'
import { StatefulSetUpdate, statefulSetStatus, type StatefulSetView } from './statefulSetUpdate.ts'

/** Keeps the numbered pods of StatefulSets, with their claims. */
export function statefulSetController(context: ControllerContext): Controller {
  const { client, clock } = context
  const sets = context.informer(STATEFUL_SETS)
  const pods = context.informer(PODS)
  const claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
  const events = context.recorder('statefulset-controller')
  const history = new ControllerHistory(context)
  const control = new StatefulPodControl(context, events)
  const queue = context.queue('statefulset', sync)

  sets.onEvent(({ object }) => {
    queue.add(keyOf(object))
  })
  pods.onEvent(({ type, object }) => {
    const ref = controllerRef(object)
    const namespace = object.metadata.namespace ?? ''
    if (ref?.kind === 'StatefulSet') queue.add(`${namespace}/${ref.name}`)
    else if (ref === undefined && type !== 'delete')
      for (const set of sets.byIndex('namespace', namespace)) if (ordinalOf(set, object) >= 0 && matches(set, object)) queue.add(keyOf(set))
  })

  const matches = (set: KubeObject, pod: KubeObject): boolean => matchesLabelSelector(specOf(set)['selector'], pod.metadata.labels ?? {})

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const set = sets.get(namespace, name)
    if (set === undefined) return
    const owned = await claimPods(context, set, { pods, matches: (pod) => matches(set, pod) && ordinalOf(set, pod) >= 0 }, signal)
    queue.weigh(key, owned.length)
    const view = await revisions(set, owned, signal)
    const update = new StatefulSetUpdate(view, {
      create: (pod) => control.create(set, pod, signal),
      update: (pod) => control.update(set, pod, signal),
      delete: (pod) => control.delete(set, pod, signal),
      replacing: (pod) => {
        const failed = statusOf(pod)['phase'] === 'Failed'
        events.event(
          set,
          failed ? 'Warning' : 'Normal',
          failed ? 'RecreatingFailedPod' : 'RecreatingTerminatedPod',
          `StatefulSet ${key} is recreating ${failed ? 'failed' : 'terminated'} Pod ${pod.metadata.name ?? ''}`,
        )
      },
    })
    try {
      if (context.minor >= 27) await claimRetention(context, { set, pods: owned, claims }, signal)
      await update.run()
    } finally {
      // What was done counts, whether the rest succeeded or not.
      if (!signal.aborted) await writeStatus(view, update, signal)
    }
    const minReady = countAt(specOf(set)['minReadySeconds'])
    if (minReady > 0 && owned.some((pod) => isPodReady(pod) && !isPodAvailable(pod, minReady, clock.now()))) queue.addAfter(key, minReady * 1000)
  }

  /** Finds or makes the revisions of the set's template and of what it comes from. */
  async function revisions(set: KubeObject, owned: readonly KubeObject[], signal: AbortSignal): Promise<StatefulSetView> {
    const known = await history.claim(set, signal)
    const data = revisionData(specOf(set)['template'], context.minor)
    const next = Math.max(0, ...known.map(revisionNumber)) + 1
    const equal = equalRevisions(known, data).at(-1)
    let collisions = countAt(statusOf(set)['collisionCount'])
    let update: KubeObject | undefined = equal
    if (equal !== undefined && equal !== known.at(-1)) update = await history.renumber(equal, next, signal)
    while (update === undefined) {
      const hash = revisionHash(data, collisions)
      const labels = { ...(objectAt(objectAt(objectAt(specOf(set)['template'])['metadata'])['labels']) as Record<string, string>), [REVISION_HASH]: hash }
      const made = await history.create(set, { data, revision: next, hash, labels, collisions }, signal)
      if ('revision' in made) update = made.revision
      else ({ collisions } = made)
    }
    const current = known.find(({ metadata }) => metadata.name === statusOf(set)['currentRevision']) ?? update
    if (!isDeleting(set)) {
      const live = new Set([current.metadata.name ?? '', update.metadata.name ?? '', ...owned.map(revisionOf)])
      await history.truncate(known, live, countAt(specOf(set)['revisionHistoryLimit'] ?? 10), signal)
    }
    return { set, pods: owned, current, update, collisions, minor: context.minor, nowMs: clock.now() }
  }

  async function writeStatus(view: StatefulSetView, { figures }: StatefulSetUpdate, signal: AbortSignal): Promise<void> {
    const status = statefulSetStatus(view, figures)
    const { namespace, name = '' } = view.set.metadata
    if (deepEqual(statusOf(view.set), status)) return
    try {
      await client.update(STATEFUL_SETS, { namespace, name, subresource: 'status' }, { ...view.set, status }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  return { name: 'statefulset', run: (signal) => queue.run(signal) }
}
