import { deepEqual, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists } from '#shared/kubernetes/status.ts'
import { DEPLOYMENTS, REPLICA_SETS } from '#electron/client/resources.ts'
import {
  controllerRef,
  countAt,
  isDeleting,
  keyOf,
  newControllerRef,
  objectAt,
  objectsAt,
  scaledValue,
  specOf,
  splitKey,
  statusOf,
  textAt,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'
import { podTemplateHash } from './podTemplateHash.ts'

const REVISION = 'deployment.kubernetes.io/revision'
const DESIRED = 'deployment.kubernetes.io/desired-replicas'
const MAXIMUM = 'deployment.kubernetes.io/max-replicas'
const HASH = 'pod-template-hash'
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  'deployment.kubernetes.io/revision-history',
  DESIRED,
  MAXIMUM,
  'deprecated.deployment.rollback.to',
])

const replicasOf = (object: KubeObject): number => countAt(specOf(object)['replicas'])
const availableOf = (object: KubeObject): number => countAt(statusOf(object)['availableReplicas'])
const sum = (sets: readonly KubeObject[], of: (set: KubeObject) => number): number => sets.reduce((total, set) => total + of(set), 0)
const revisionOf = (set: KubeObject): number => Number(set.metadata.annotations?.[REVISION] ?? 0)

/** Rolls Deployments out through ReplicaSets, as upstream's deployment controller does. */
export function deploymentController(context: ControllerContext): Controller {
  const { client, clock } = context
  const deployments = context.informer(DEPLOYMENTS)
  const sets = context.informer(REPLICA_SETS)
  const events = context.recorder('deployment-controller')
  const queue = context.queue('deployment', sync)

  deployments.onEvent(({ object }) => {
    queue.add(keyOf(object))
  })
  sets.onEvent(({ object }) => {
    const ref = controllerRef(object)
    if (ref?.kind === 'Deployment') queue.add(`${object.metadata.namespace ?? ''}/${ref.name}`)
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const deployment = deployments.get(namespace, name)
    if (deployment === undefined || isDeleting(deployment)) return
    const owned = await claim(deployment, signal)
    const current = owned
      .filter((set) => sameTemplate(set, deployment))
      .sort((a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? ''))[0]
    const old = owned.filter((set) => set !== current)
    if (specOf(deployment)['paused'] === true) {
      if (current !== undefined) await scaleTo(current, replicasOf(deployment) - sum(old, replicasOf), deployment, signal)
      await writeStatus(deployment, current, old, signal)
      return
    }
    const fresh = await ensureNewSet(deployment, current, old, signal)
    if (fresh === null) return
    if (objectAt(specOf(deployment)['strategy'])['type'] === 'Recreate') await recreate(deployment, fresh, old, signal)
    else await roll(deployment, fresh, old, signal)
    await cleanUp(deployment, old, signal)
    await writeStatus(deployment, fresh, old, signal)
  }

  async function claim(deployment: KubeObject, signal: AbortSignal): Promise<KubeObject[]> {
    const mine: KubeObject[] = []
    for (const set of sets.byIndex('namespace', deployment.metadata.namespace ?? '')) {
      const ref = controllerRef(set)
      if (ref?.uid === deployment.metadata.uid) mine.push(set)
      else if (ref === undefined && matchesLabelSelector(specOf(deployment)['selector'], set.metadata.labels ?? {}) && !isDeleting(set))
        mine.push(
          await client.patch(
            REPLICA_SETS,
            { namespace: set.metadata.namespace, name: set.metadata.name ?? '' },
            { metadata: { ownerReferences: [newControllerRef(deployment)] } },
            { type: 'strategic' },
            signal,
          ),
        )
    }
    return mine
  }

  function sameTemplate(set: KubeObject, deployment: KubeObject): boolean {
    const template = structuredClone(objectAt(specOf(set)['template']))
    const labels = objectAt(objectAt(template['metadata'])['labels'])
    Reflect.deleteProperty(labels, HASH)
    return deepEqual(template, specOf(deployment)['template'])
  }

  /** The ReplicaSet of the current template with the highest revision. @returns null when the deployment was just written and comes again */
  async function ensureNewSet(
    deployment: KubeObject,
    current: KubeObject | undefined,
    old: readonly KubeObject[],
    signal: AbortSignal,
  ): Promise<KubeObject | null> {
    const revision = String(Math.max(0, ...old.map(revisionOf)) + 1)
    const copied = Object.fromEntries(Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !NOT_COPIED.has(key)))
    if (current !== undefined) {
      const own = current.metadata.annotations ?? {}
      const kept =
        revisionOf(current) > Number(revision)
          ? (own[REVISION] ?? revision)
          : old.some((set) => revisionOf(set) > revisionOf(current)) || own[REVISION] === undefined
            ? revision
            : own[REVISION]
      const annotations = { ...own, ...copied, [REVISION]: kept }
      let set = current
      if (!deepEqual(own, annotations)) set = await client.patch(REPLICA_SETS, targetOf(current), { metadata: { annotations } }, { type: 'merge' }, signal)
      await setRevision(deployment, kept, signal)
      return set
    }
    const collisions = countAt(statusOf(deployment)['collisionCount'])
    const hash = podTemplateHash(specOf(deployment)['template'], collisions)
    const template = structuredClone(objectAt(specOf(deployment)['template']))
    const metadata = objectAt(template['metadata'])
    template['metadata'] = { ...metadata, labels: { ...objectAt(metadata['labels']), [HASH]: hash } }
    const selector = objectAt(specOf(deployment)['selector'])
    const replicas = objectAt(specOf(deployment)['strategy'])['type'] === 'Recreate' && sum(old, replicasOf) > 0 ? 0 : newReplicas(deployment, old)
    const set: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${deployment.metadata.name ?? ''}-${hash}`,
        namespace: deployment.metadata.namespace ?? '',
        labels: objectAt(objectAt(template['metadata'])['labels']) as Record<string, string>,
        annotations: {
          ...copied,
          [REVISION]: revision,
          [DESIRED]: String(replicasOf(deployment)),
          [MAXIMUM]: String(replicasOf(deployment) + surgeOf(deployment)),
        },
        ownerReferences: [newControllerRef(deployment)],
      },
      spec: {
        replicas,
        selector: { ...selector, matchLabels: { ...objectAt(selector['matchLabels']), [HASH]: hash } },
        template,
        ...(specOf(deployment)['minReadySeconds'] === undefined ? {} : { minReadySeconds: specOf(deployment)['minReadySeconds'] }),
      },
    }
    try {
      const created = await client.create(REPLICA_SETS, { namespace: deployment.metadata.namespace }, set, signal)
      if (replicas > 0)
        events.event(deployment, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${set.metadata.name ?? ''} from 0 to ${String(replicas)}`)
      await setRevision(deployment, revision, signal)
      return created
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const existing = sets.get(deployment.metadata.namespace ?? '', set.metadata.name ?? '')
      // Ours and not seen yet: it comes with the next event. Somebody else's: another name is tried.
      if (existing !== undefined && controllerRef(existing)?.uid !== deployment.metadata.uid)
        await client.patch(
          DEPLOYMENTS,
          { ...targetOf(deployment), subresource: 'status' },
          { status: { collisionCount: collisions + 1 } },
          { type: 'merge' },
          signal,
        )
      else queue.addAfter(keyOf(deployment), 50)
      return null
    }
  }

  async function setRevision(deployment: KubeObject, revision: string, signal: AbortSignal): Promise<void> {
    if (deployment.metadata.annotations?.[REVISION] === revision) return
    await client.patch(DEPLOYMENTS, targetOf(deployment), { metadata: { annotations: { [REVISION]: revision } } }, { type: 'merge' }, signal)
  }

  function newReplicas(deployment: KubeObject, others: readonly KubeObject[]): number {
    const room = replicasOf(deployment) + surgeOf(deployment) - sum(others, replicasOf)
    return Math.max(0, Math.min(replicasOf(deployment), room))
  }

  async function roll(deployment: KubeObject, fresh: KubeObject, old: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const wanted = replicasOf(deployment)
    const current = replicasOf(fresh)
    if (current > wanted) {
      await scaleTo(fresh, wanted, deployment, signal)
      return
    }
    if (current < wanted) {
      const room = wanted + surgeOf(deployment) - sum(old, replicasOf) - current
      if (room > 0) await scaleTo(fresh, Math.min(wanted, current + room), deployment, signal)
    }
    const running = old.filter((set) => replicasOf(set) > 0)
    if (running.length === 0) return
    // Pods that are not available are no loss; then as many as the rest keeps available.
    const least = wanted - unavailableOf(deployment)
    const freshUnavailable = current - availableOf(fresh)
    const removable = sum(running, replicasOf) + current - least - freshUnavailable
    if (removable <= 0) return
    for (const set of running) {
      const unhealthy = Math.max(0, replicasOf(set) - availableOf(set))
      const less = Math.min(removable, unhealthy)
      if (less === 0) continue
      await scaleTo(set, replicasOf(set) - less, deployment, signal)
      return
    }
    let spare = Math.min(removable, sum(running, availableOf) + availableOf(fresh) - least)
    for (const set of running.toSorted((a, b) => revisionOf(a) - revisionOf(b))) {
      if (spare <= 0) return
      const less = Math.min(spare, replicasOf(set))
      spare -= less
      await scaleTo(set, replicasOf(set) - less, deployment, signal)
    }
  }

  async function recreate(deployment: KubeObject, fresh: KubeObject, old: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    for (const set of old) if (replicasOf(set) > 0) await scaleTo(set, 0, deployment, signal)
    if (old.every((set) => countAt(statusOf(set)['replicas']) === 0)) await scaleTo(fresh, replicasOf(deployment), deployment, signal)
  }

  async function scaleTo(set: KubeObject, replicas: number, deployment: KubeObject, signal: AbortSignal): Promise<void> {
    const before = replicasOf(set)
    const annotations = { [DESIRED]: String(replicasOf(deployment)), [MAXIMUM]: String(replicasOf(deployment) + surgeOf(deployment)) }
    const annotated = Object.entries(annotations).every(([key, value]) => set.metadata.annotations?.[key] === value)
    if (before === replicas && annotated) return
    await client.patch(
      REPLICA_SETS,
      targetOf(set),
      { metadata: { annotations, resourceVersion: set.metadata.resourceVersion }, spec: { replicas } },
      { type: 'merge' },
      signal,
    )
    if (before !== replicas)
      events.event(
        deployment,
        'Normal',
        'ScalingReplicaSet',
        `Scaled ${replicas > before ? 'up' : 'down'} replica set ${set.metadata.name ?? ''} from ${String(before)} to ${String(replicas)}`,
      )
  }

  async function cleanUp(deployment: KubeObject, old: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const limit = specOf(deployment)['revisionHistoryLimit']
    if (typeof limit !== 'number') return
    const idle = old
      .filter((set) => replicasOf(set) === 0 && countAt(statusOf(set)['replicas']) === 0 && !isDeleting(set))
      .sort((a, b) => revisionOf(a) - revisionOf(b))
    for (const set of idle.slice(0, Math.max(0, idle.length - limit))) await client.delete(REPLICA_SETS, targetOf(set), { uid: set.metadata.uid }, signal)
  }

  async function writeStatus(deployment: KubeObject, fresh: KubeObject | undefined, old: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const all = fresh === undefined ? old : [fresh, ...old]
    const total = sum(all, (set) => countAt(statusOf(set)['replicas']))
    const available = sum(all, availableOf)
    const ready = sum(all, (set) => countAt(statusOf(set)['readyReplicas']))
    const updated = fresh === undefined ? 0 : countAt(statusOf(fresh)['replicas'])
    const unavailable = Math.max(0, sum(all, replicasOf) - available)
    const figures: JsonObject = {}
    for (const [name, value] of Object.entries({
      replicas: total,
      updatedReplicas: updated,
      readyReplicas: ready,
      availableReplicas: available,
      unavailableReplicas: unavailable,
    }))
      if (value !== 0) figures[name] = value
    const before = statusOf(deployment)
    const status: JsonObject = {
      ...figures,
      observedGeneration: deployment.metadata.generation ?? 0,
      ...(before['collisionCount'] === undefined ? {} : { collisionCount: before['collisionCount'] }),
    }
    status['conditions'] = conditions(deployment, fresh, { total, available, updated, status, before })
    const comparable = (value: JsonObject): JsonObject => ({
      ...value,
      conditions: objectsAt(value['conditions']).map(({ lastUpdateTime: _, ...each }) => each),
    })
    const { terminatingReplicas: _, ...known } = before
    if (deepEqual(comparable(known), comparable(status))) return
    const latest = deployments.get(deployment.metadata.namespace ?? '', deployment.metadata.name ?? '') ?? deployment
    await client.update(DEPLOYMENTS, { ...targetOf(deployment), subresource: 'status' }, { ...latest, status }, signal)
  }

  function conditions(
    deployment: KubeObject,
    fresh: KubeObject | undefined,
    { total, available, updated, before, status }: { total: number; available: number; updated: number; status: JsonObject; before: JsonObject },
  ): JsonObject[] {
    const now = context.now()
    const known = objectsAt(before['conditions'])
    const wanted = replicasOf(deployment)
    const set = (type: string, value: string, reason: string, message: string): JsonObject => {
      const last = known.find((each) => each['type'] === type)
      const same = last?.['status'] === value && last['reason'] === reason && last['message'] === message
      return {
        type,
        status: value,
        lastUpdateTime: same ? last['lastUpdateTime'] : now,
        lastTransitionTime: last?.['status'] === value ? last['lastTransitionTime'] : now,
        reason,
        message,
      }
    }
    const enough = available >= wanted - unavailableOf(deployment)
    const result = [
      set(
        'Available',
        enough ? 'True' : 'False',
        enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
        enough ? 'Deployment has minimum availability.' : 'Deployment does not have minimum availability.',
      ),
    ]
    const last = known.find((each) => each['type'] === 'Progressing')
    const name = fresh?.metadata.name ?? ''
    const complete = updated === wanted && total === wanted && available === wanted
    const figures = ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas']
    const progressed = figures.some((figure) => before[figure] !== status[figure]) || before['observedGeneration'] !== status['observedGeneration']
    const deadline = countAt(specOf(deployment)['progressDeadlineSeconds'])
    if (complete) result.push(set('Progressing', 'True', 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`))
    else if (progressed || last === undefined)
      result.push({
        ...set(
          'Progressing',
          'True',
          last === undefined ? 'NewReplicaSetCreated' : 'ReplicaSetUpdated',
          last === undefined ? `Created new replica set "${name}"` : `ReplicaSet "${name}" is progressing.`,
        ),
        lastUpdateTime: now,
      })
    else if (deadline > 0 && last['reason'] !== 'NewReplicaSetAvailable' && Date.parse(textAt(last['lastUpdateTime'])) + deadline * 1000 <= clock.now())
      result.push(set('Progressing', 'False', 'ProgressDeadlineExceeded', `ReplicaSet "${name}" has timed out progressing.`))
    else {
      result.push(last)
      if (deadline > 0) queue.addAfter(keyOf(deployment), deadline * 1000)
    }
    return result
  }

  return { name: 'deployment', run: (signal) => queue.run(signal) }
}

const targetOf = ({ metadata }: KubeObject): { namespace: string | undefined; name: string } => ({ namespace: metadata.namespace, name: metadata.name ?? '' })

function rolling(deployment: KubeObject): JsonObject {
  return objectAt(objectAt(specOf(deployment)['strategy'])['rollingUpdate'])
}

function surgeOf(deployment: KubeObject): number {
  if (objectAt(specOf(deployment)['strategy'])['type'] === 'Recreate') return 0
  return scaledValue(rolling(deployment)['maxSurge'], replicasOf(deployment), 'up')
}

/** At least one of surge and unavailable lets a rollout move. */
function unavailableOf(deployment: KubeObject): number {
  if (objectAt(specOf(deployment)['strategy'])['type'] === 'Recreate') return 0
  const value = scaledValue(rolling(deployment)['maxUnavailable'], replicasOf(deployment), 'down')
  return value === 0 && surgeOf(deployment) === 0 ? 1 : Math.min(value, replicasOf(deployment))
}
