import { isObject, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { forbidden, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { immutable, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { objectDiff } from './objectDiff.ts'
import { ACCESS_MODES, isAccessMode, VOLUME_MODES } from './persistentVolumeClaim.ts'
import { sameSpec } from './pod.ts'
import { basicResourceErrors, positiveQuantity } from './resources.ts'
import { nodeSelectorErrors } from './selectors.ts'
import { entries, has, object, pointer, text, texts } from './values.ts'
import * as sources from './volumeSources.ts'

const RECLAIM_POLICIES = ['Delete', 'Recycle', 'Retain']
const MOUNT_OPTIONS = 'volume.beta.kubernetes.io/mount-options'
const INLINE = 'in the context of inline volumes'

/** Sources in upstream's order; `only` and `path` as in a pod's volumes. */
const SOURCES: readonly (readonly [name: string, rule: sources.SourceRule, only?: string, path?: string])[] = [
  ['hostPath', sources.hostPath],
  ['gcePersistentDisk', sources.gcePersistentDisk, 'gcePersistentDisk', 'persistentDisk'],
  ['awsElasticBlockStore', sources.awsElasticBlockStore],
  ['glusterfs', sources.glusterfsPersistent],
  ['flocker', sources.flocker],
  ['nfs', sources.nfs],
  ['rbd', sources.rbd],
  ['quobyte', sources.quobyte],
  ['cephfs', sources.cephfs, 'cephFS'],
  ['iscsi', sources.iscsi],
  ['cinder', sources.cinderPersistent],
  ['fc', sources.fc],
  ['flexVolume', sources.flexVolume],
  ['azureFile', sources.azureFilePersistent],
  ['vsphereVolume', sources.vsphereVolume],
  ['photonPersistentDisk', sources.photonPersistentDisk],
  ['portworxVolume', sources.portworxVolume],
  ['azureDisk', sources.azureDisk],
  ['scaleIO', sources.scaleIO],
  ['local', sources.local],
  ['storageos', sources.storageosPersistent],
  ['csi', sources.csiPersistent],
]

const MOUNTABLE = [
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'iscsi',
  'cinder',
  'cephfs',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
]

function* capacityErrors(spec: JsonObject, field: string): Iterable<FieldError> {
  const capacity = object(spec['capacity'])
  const names = Object.keys(capacity)
  if (names.length === 0) yield required(`${field}.capacity`)
  if (capacity['storage'] === undefined || names.length > 1) yield notSupported(`${field}.capacity`, typed('core.ResourceList', spec['capacity']), ['storage'])
  for (const [name, value] of entries(capacity)) {
    yield* basicResourceErrors(value, `${field}.capacity[${name}]`)
    yield* positiveQuantity(value, `${field}.capacity[${name}]`)
  }
}

function* sourceErrors(spec: JsonObject, field: string, name: string, placed: boolean): Iterable<FieldError> {
  let count = 0
  for (const [kind, rule, only = kind, path = kind] of SOURCES) {
    const source = spec[kind]
    if (!isObject(source)) continue
    if (count > 0 && kind !== 'flexVolume') yield forbidden(`${field}.${only}`, 'may not specify more than 1 volume type')
    else {
      yield* kind === 'iscsi' ? sources.iscsiPersistent(source, `${field}.iscsi`, name) : rule(source, `${field}.${path}`)
      if (kind === 'local' && !placed) yield required(`${field}.nodeAffinity`, 'Local volume requires node affinity')
    }
    count += 1
  }
  if (count === 0) yield required(field, 'must specify a volume type')
}

/** Go's path.Clean is `/`. */
function isRoot(path: string): boolean {
  return path.startsWith('/') && path.split('/').every((part) => part === '' || part === '.' || part === '..')
}

/** @param inline whether the volume stands in a VolumeAttachment instead of an object of its own */
export function* persistentVolumeSpecErrors(spec: JsonObject, field: string, name: string, inline: boolean): Iterable<FieldError> {
  if (inline) {
    if (has(spec['claimRef'])) yield forbidden(`${field}.claimRef`, `may not be specified ${INLINE}`)
    if (Object.keys(object(spec['capacity'])).length > 0) yield forbidden(`${field}.capacity`, `may not be specified ${INLINE}`)
    if (!has(spec['csi'])) yield required(`${field}.csi`, `has to be specified ${INLINE}`)
  }
  const modes = texts(spec['accessModes'])
  if (modes.length === 0) yield required(`${field}.accessModes`)
  for (const mode of modes) if (!isAccessMode(mode)) yield notSupported(`${field}.accessModes`, mode, ACCESS_MODES)
  if (!inline) yield* capacityErrors(spec, field)
  const policy = text(spec['persistentVolumeReclaimPolicy'])
  if (inline && policy !== '' && policy !== 'Retain') yield forbidden(`${field}.persistentVolumeReclaimPolicy`, `may only be Retain ${INLINE}`)
  if (!inline && policy !== '' && !RECLAIM_POLICIES.includes(policy)) yield notSupported(`${field}.persistentVolumeReclaimPolicy`, policy, RECLAIM_POLICIES)
  const affinity = pointer(spec['nodeAffinity'])
  if (affinity !== null) {
    const needed = pointer(affinity['required'])
    if (inline) yield forbidden(`${field}.nodeAffinity`, `may not be specified ${INLINE}`)
    else if (needed === null) yield required(`${field}.nodeAffinity.required`, 'must specify required node constraints')
    else yield* nodeSelectorErrors(needed, `${field}.nodeAffinity.required`)
  }
  yield* sourceErrors(spec, field, name, affinity !== null && !inline)
  if (policy === 'Recycle' && isRoot(text(object(spec['hostPath'])['path'])))
    yield forbidden(`${field}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'")
  const storageClass = text(spec['storageClassName'])
  if (storageClass !== '') {
    if (inline) yield forbidden(`${field}.storageClassName`, `may not be specified ${INLINE}`)
    else for (const detail of subdomainName(storageClass, false)) yield invalid(`${field}.storageClassName`, storageClass, detail)
  }
  const mode = spec['volumeMode']
  if (!has(mode)) return
  if (inline && mode !== 'Filesystem') yield forbidden(`${field}.volumeMode`, `may not specify volumeMode other than Filesystem ${INLINE}`)
  if (!inline && !VOLUME_MODES.includes(text(mode))) yield notSupported(`${field}.volumeMode`, mode, VOLUME_MODES)
}

function* errors(volume: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(volume, { namespaced: false, name: subdomainName })
  yield* persistentVolumeSpecErrors(object(volume['spec']), 'spec', text(volume.metadata.name), false)
}

function* strategyErrors(volume: KubeObject): Iterable<FieldError> {
  yield* errors(volume)
  const spec = object(volume['spec'])
  if (!MOUNTABLE.some((kind) => has(spec[kind])) && volume.metadata.annotations?.[MOUNT_OPTIONS] !== undefined)
    yield forbidden(`metadata.annotations.${MOUNT_OPTIONS}`, 'may not specify mount options for this volume type')
}

function sourceOf(spec: JsonObject): JsonObject {
  return Object.fromEntries(SOURCES.map(([kind]) => [kind, spec[kind]] as const).filter(([, source]) => has(source)))
}

export const persistentVolumeRules: Rules = {
  create: strategyErrors,
  *update(after, before) {
    yield* strategyErrors(after)
    yield* errors(after)
    const [spec, old] = [object(after['spec']), object(before['spec'])]
    const [now, was] = [structuredClone(sourceOf(spec)), sourceOf(old)]
    // A secret for growing the volume may be named later.
    if (has(was['csi']) && !has(object(was['csi'])['controllerExpandSecretRef'])) Reflect.deleteProperty(object(now['csi']), 'controllerExpandSecretRef')
    if (!sameSpec(now, was))
      yield forbidden(
        'spec.persistentvolumesource',
        `spec.persistentvolumesource is immutable after creation\n${objectDiff(now, was, 'core.v1.PersistentVolumeSource')}`,
      )
    yield* immutable(spec['volumeMode'], old['volumeMode'], 'volumeMode')
    if (has(old['nodeAffinity'])) yield* immutable(spec['nodeAffinity'], old['nodeAffinity'], 'nodeAffinity', 'core.v1.VolumeNodeAffinity')
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
  },
}
