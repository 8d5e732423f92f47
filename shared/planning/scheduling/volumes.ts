import { isObject, objectAt } from '../../kubernetes/json.ts'
import type { KubeObject } from '../../kubernetes/object.ts'
import { compareQuantities, parseQuantity } from '../../kubernetes/quantity.ts'
import { termMatchesNode } from './affinity.ts'
import { objectsAt, specOf, textAt } from './pod.ts'

/** Claims, volumes and classes by name, as the scheduler's caches hold them. */
export interface VolumeView {
  claim(namespace: string, name: string): KubeObject | undefined
  volume(name: string): KubeObject | undefined
  volumes(): readonly KubeObject[]
  storageClass(name: string): KubeObject | undefined
}

/** What a pod's claims ask of a node. */
export interface PodVolumes {
  /** Why no node will do; null when it depends on the node. */
  problem: string | null
  bound: KubeObject[]
  /** Claims that wait for the node to be chosen. */
  delayed: KubeObject[]
}

/** What becomes of a delayed claim on a node: a volume that is there, or one to be made. */
export type VolumePlan = { claim: KubeObject; volume: KubeObject | null }[]

const classOf = (object: KubeObject): string =>
  object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? textAt(specOf(object)['storageClassName'])
const modesOf = (object: KubeObject): unknown[] => (Array.isArray(specOf(object)['accessModes']) ? (specOf(object)['accessModes'] as unknown[]) : [])

function claimNames(pod: KubeObject): string[] {
  return objectsAt(specOf(pod)['volumes']).flatMap((volume) => {
    if (isObject(volume['ephemeral'])) return [`${pod.metadata.name ?? ''}-${textAt(volume['name'])}`]
    const name = textAt(objectAt(volume['persistentVolumeClaim'])['claimName'])
    return name === '' ? [] : [name]
  })
}

/** @see pkg/scheduler/framework/plugins/volumebinding PreFilter */
export function podVolumes(pod: KubeObject, view: VolumeView): PodVolumes {
  const result: PodVolumes = { problem: null, bound: [], delayed: [] }
  for (const name of claimNames(pod)) {
    const claim = view.claim(pod.metadata.namespace ?? '', name)
    if (claim === undefined) return { ...result, problem: `persistentvolumeclaim "${name}" not found` }
    if (claim.metadata.deletionTimestamp !== undefined) return { ...result, problem: `persistentvolumeclaim "${name}" is being deleted` }
    const volume = view.volume(textAt(specOf(claim)['volumeName']))
    if (claim.metadata.annotations?.['pv.kubernetes.io/bind-completed'] !== undefined) {
      if (volume === undefined) return { ...result, problem: 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)' }
      result.bound.push(volume)
    } else if (view.storageClass(classOf(claim))?.['volumeBindingMode'] === 'WaitForFirstConsumer' && textAt(specOf(claim)['volumeName']) === '')
      result.delayed.push(claim)
    else return { ...result, problem: 'pod has unbound immediate PersistentVolumeClaims' }
  }
  return result
}

function reachable(volume: KubeObject, node: KubeObject): boolean {
  const required = objectAt(objectAt(specOf(volume)['nodeAffinity'])['required'])
  const terms = objectsAt(required['nodeSelectorTerms'])
  return terms.length === 0 || terms.some((term) => termMatchesNode(term, node))
}

const ZONES = [
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
]

/** Zone labels of a bound volume that the node does not share (upstream's VolumeZone). */
export function zoneConflict(volumes: readonly KubeObject[], node: KubeObject): boolean {
  const labels = node.metadata.labels ?? {}
  if (!ZONES.some((zone) => labels[zone] !== undefined)) return false
  return volumes.some((volume) =>
    ZONES.some((zone) => volume.metadata.labels?.[zone] !== undefined && !(volume.metadata.labels[zone] ?? '').split('__').includes(labels[zone] ?? '')),
  )
}

/** What the node lacks of the pod's volumes, or how its delayed claims would be served there. */
export function volumesOn({ bound, delayed }: PodVolumes, node: KubeObject, view: VolumeView): { reasons: string[]; plan: VolumePlan } {
  const reasons: string[] = []
  if (bound.some((volume) => !reachable(volume, node))) reasons.push('node(s) had volume node affinity conflict')
  const plan: VolumePlan = []
  const taken = new Set<string>()
  for (const claim of delayed) {
    const volume = freeVolume(claim, node, view, taken)
    const provisioner = textAt(view.storageClass(classOf(claim))?.['provisioner'])
    if (volume === null && (provisioner === '' || provisioner === 'kubernetes.io/no-provisioner')) {
      reasons.push("node(s) didn't find available persistent volumes to bind")
      break
    }
    if (volume !== null) taken.add(volume.metadata.name ?? '')
    plan.push({ claim, volume })
  }
  return { reasons, plan }
}

/** The smallest free volume of the claim's class that is large enough and reaches the node. */
function freeVolume(claim: KubeObject, node: KubeObject, view: VolumeView, taken: ReadonlySet<string>): KubeObject | null {
  const size = (object: unknown): ReturnType<typeof parseQuantity> => parseQuantity(String(objectAt(object)['storage'] ?? '0'))
  const request = size(objectAt(specOf(claim)['resources'])['requests'])
  let best: KubeObject | null = null
  for (const volume of view.volumes()) {
    const capacity = size(specOf(volume)['capacity'])
    const free = objectAt(volume['status'])['phase'] === 'Available' && !isObject(specOf(volume)['claimRef']) && !taken.has(volume.metadata.name ?? '')
    if (!free || capacity === null || request === null || classOf(volume) !== classOf(claim) || !reachable(volume, node)) continue
    if (compareQuantities(capacity, request) < 0 || !modesOf(claim).every((mode) => modesOf(volume).includes(mode))) continue
    const least = best === null ? null : size(specOf(best)['capacity'])
    if (least === null || compareQuantities(capacity, least) < 0) best = volume
  }
  return best
}
