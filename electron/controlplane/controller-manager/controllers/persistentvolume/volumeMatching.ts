import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { compareQuantities, parseQuantity, type Quantity } from '#shared/kubernetes/quantity.ts'
import { isDeleting, specOf, statusOf, textAt } from '../../controller.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class'

export const classOf = (object: KubeObject): string => object.metadata.annotations?.[BETA_CLASS] ?? textAt(specOf(object)['storageClassName'])
const modesOf = (object: KubeObject): string[] => (Array.isArray(specOf(object)['accessModes']) ? (specOf(object)['accessModes'] as string[]) : [])
export const volumeModeOf = (object: KubeObject): string => textAt(specOf(object)['volumeMode']) || 'Filesystem'

function quantityAt(value: unknown): Quantity | null {
  return typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value)) : null
}

export const capacityOf = (volume: KubeObject): Quantity | null => quantityAt(objectAt(specOf(volume)['capacity'])['storage'])
export const requestOf = (claim: KubeObject): Quantity | null => quantityAt(objectAt(objectAt(specOf(claim)['resources'])['requests'])['storage'])

/** What the volume's claimRef says of a claim: it is for nobody, for this one, or for another. */
export function claimedBy(volume: KubeObject, claim: KubeObject): 'nobody' | 'this' | 'other' {
  const ref = objectAt(specOf(volume)['claimRef'])
  if (textAt(ref['name']) === '') return 'nobody'
  const same = ref['name'] === claim.metadata.name && ref['namespace'] === claim.metadata.namespace
  return same && (textAt(ref['uid']) === '' || ref['uid'] === claim.metadata.uid) ? 'this' : 'other'
}

/** Why a volume that was named for a claim cannot be used for it; null when it can. */
export function mismatch(volume: KubeObject, claim: KubeObject): string | null {
  const [capacity, request] = [capacityOf(volume), requestOf(claim)]
  if (request !== null && (capacity === null || compareQuantities(capacity, request) < 0)) return 'requested PV is too small'
  if (classOf(volume) !== classOf(claim)) return 'storageClassName does not match'
  if (volumeModeOf(volume) !== volumeModeOf(claim)) return 'incompatible volumeMode'
  if (!modesOf(claim).every((mode) => modesOf(volume).includes(mode))) return 'incompatible accessMode'
  return null
}

/**
 * The volume for a claim: one that names the claim, or else the smallest that is free and large enough.
 *
 * @param onlyNamed for claims that wait for their first consumer
 * @see pkg/volume/persistentvolume findMatchingVolume
 */
export function findVolume(claim: KubeObject, volumes: readonly KubeObject[], onlyNamed: boolean): KubeObject | null {
  let best: KubeObject | null = null
  for (const volume of volumes) {
    const by = claimedBy(volume, claim)
    if (by === 'other' || isDeleting(volume) || mismatch(volume, claim) !== null) continue
    if (by === 'this') return volume
    if (onlyNamed || statusOf(volume)['phase'] !== 'Available') continue
    const { selector } = specOf(claim)
    if (selector !== undefined && !matchesLabelSelector(selector, volume.metadata.labels ?? {})) continue
    const [capacity, least] = [capacityOf(volume), best === null ? null : capacityOf(best)]
    if (best === null || (capacity !== null && least !== null && compareQuantities(capacity, least) < 0)) best = volume
  }
  return best
}
