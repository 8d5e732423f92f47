import { isObject, type JsonObject } from '../json.ts'
import { duplicate, forbidden, invalid, required, type FieldError } from './fieldError.ts'
import { claimSpecErrors } from './persistentVolumeClaim.ts'
import { fieldSelectorErrors, resourceSelectorErrors, VOLUME_FIELDS } from './fieldSelectors.ts'
import { annotationErrors, labelErrors } from './metadata.ts'
import { dnsLabelErrors, subdomainName } from './names.ts'
import { quantity } from './resources.ts'
import { byteLength, has, number, object, objects, pointer, text } from './values.ts'
import * as sources from './volumeSources.ts'
import type { SourceRule } from './volumeSources.ts'

const ONLY_ONE = 'may not specify more than 1 volume type'

const emptyDir: SourceRule = function* (source, field) {
  if (has(source['sizeLimit']) && quantity(source['sizeLimit']).mantissa < 0n)
    yield forbidden(`${field}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')
}

function* downwardFileErrors(file: JsonObject, field: string): Iterable<FieldError> {
  const path = text(file['path'])
  if (path === '') yield required(`${field}.path`)
  yield* sources.nonReservedPathErrors(path, `${field}.path`)
  const [fieldRef, resourceRef] = [pointer(file['fieldRef']), pointer(file['resourceFieldRef'])]
  if (fieldRef !== null) {
    yield* fieldSelectorErrors(fieldRef, VOLUME_FIELDS, `${field}.fieldRef`)
    if (resourceRef !== null) yield invalid(field, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously')
  } else if (resourceRef !== null) yield* resourceSelectorErrors(resourceRef, `${field}.resourceFieldRef`, true)
  else yield required(field, 'one of fieldRef and resourceFieldRef is required')
  yield* sources.fileModeErrors(file['mode'], `${field}.mode`)
}

const downwardAPI: SourceRule = function* (source, field) {
  yield* sources.fileModeErrors(source['defaultMode'], `${field}.defaultMode`)
  for (const file of objects(source['items'])) yield* downwardFileErrors(file, field)
}

const projected: SourceRule = function* (source, field) {
  yield* sources.fileModeErrors(source['defaultMode'], `${field}.defaultMode`)
  const paths = new Set<string>()
  const taken = (path: string): boolean => {
    if (path === '') return false
    const known = paths.has(path)
    paths.add(path)
    return known
  }
  for (const [index, each] of objects(source['sources']).entries()) {
    const at = `${field}.sources[${String(index)}]`
    let count = 0
    for (const kind of ['secret', 'configMap']) {
      const projection = pointer(each[kind])
      if (projection === null) continue
      count += 1
      const name = text(projection['name'])
      if (name === '') yield required(`${at}.${kind}.name`)
      for (const [item, entry] of objects(projection['items']).entries()) {
        yield* sources.keyToPathErrors(entry, `${at}.${kind}.items[${String(item)}]`)
        if (taken(text(entry['path']))) yield invalid(field, name, 'conflicting duplicate paths')
      }
    }
    const downward = pointer(each['downwardAPI'])
    if (downward !== null) {
      count += 1
      for (const file of objects(downward['items'])) {
        yield* downwardFileErrors(file, `${at}.downwardAPI`)
        if (taken(text(file['path']))) yield invalid(field, text(file['path']), 'conflicting duplicate paths')
      }
    }
    const token = pointer(each['serviceAccountToken'])
    if (token !== null) {
      count += 1
      const seconds = number(token['expirationSeconds'])
      if (seconds < 600) yield invalid(`${at}.serviceAccountToken.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes')
      if (seconds > 2 ** 32) yield invalid(`${at}.serviceAccountToken.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds')
      if (text(token['path']) === '') yield required(`${field}.path`)
    }
    if (count > 1) yield forbidden(at, ONLY_ONE)
  }
}

const ephemeral: SourceRule = function* (source, field) {
  const template = pointer(source['volumeClaimTemplate'])
  const at = `${field}.volumeClaimTemplate`
  if (template === null) {
    yield required(at)
    return
  }
  const metadata = object(template['metadata'])
  yield* annotationErrors(metadata['annotations'], `${at}.metadata.annotations`)
  yield* labelErrors(metadata['labels'], `${at}.metadata.labels`)
  for (const [name, value] of Object.entries(metadata))
    if (name !== 'annotations' && name !== 'labels' && has(value)) yield forbidden(`${at}.metadata.${name}`, 'cannot be set for an ephemeral volume')
  yield* claimSpecErrors(object(template['spec']), `${at}.spec`)
}

/** Sources in upstream's order: name, the path of "more than 1" where it differs, the path of its own errors where it differs. */
const SOURCES: readonly (readonly [name: string, rule: SourceRule, only?: string, path?: string])[] = [
  ['emptyDir', emptyDir],
  ['hostPath', sources.hostPath],
  ['gitRepo', sources.gitRepo],
  ['gcePersistentDisk', sources.gcePersistentDisk, 'gcePersistentDisk', 'persistentDisk'],
  ['awsElasticBlockStore', sources.awsElasticBlockStore],
  ['secret', sources.secret],
  ['nfs', sources.nfs],
  ['iscsi', sources.iscsi],
  ['glusterfs', sources.glusterfs],
  ['flocker', sources.flocker],
  ['persistentVolumeClaim', sources.persistentVolumeClaim],
  ['rbd', sources.rbd],
  ['cinder', sources.cinder],
  ['cephfs', sources.cephfs, 'cephFS'],
  ['quobyte', sources.quobyte],
  ['downwardAPI', downwardAPI, 'downwarAPI'],
  ['fc', sources.fc],
  ['flexVolume', sources.flexVolume],
  ['configMap', sources.configMap],
  ['azureFile', sources.azureFile],
  ['vsphereVolume', sources.vsphereVolume],
  ['photonPersistentDisk', sources.photonPersistentDisk],
  ['portworxVolume', sources.portworxVolume],
  ['azureDisk', sources.azureDisk],
  ['storageos', sources.storageos],
  ['projected', projected],
  ['scaleIO', sources.scaleIO],
  ['csi', sources.csi],
  ['ephemeral', ephemeral],
]

/** Sources that came after the rules above were written; they count, and their declared limits are checked elsewhere. */
const LATER = ['image']

function* sourceErrors(volume: JsonObject, field: string, podName: string): Iterable<FieldError> {
  let count = 0
  const name = text(volume['name'])
  for (const [kind, rule, only = kind, path = kind] of SOURCES) {
    const source = volume[kind]
    if (!isObject(source)) continue
    if (count > 0) yield forbidden(`${field}.${only}`, ONLY_ONE)
    else {
      yield* rule(source, `${field}.${path}`)
      if (kind === 'ephemeral' && podName !== '' && name !== '')
        for (const detail of subdomainName(`${podName}-${name}`, false)) yield invalid(`${field}.name`, name, `PVC name "${podName}-${name}": ${detail}`)
    }
    if (kind === 'iscsi' && has(source['initiatorName']) && byteLength(`${name}:${text(source['targetPortal'])}`) > 64)
      yield invalid(
        `${field}.name`,
        name,
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
      )
    count += 1
  }
  if (count === 0 && !LATER.some((kind) => isObject(volume[kind]))) yield required(field, 'must specify a volume type')
}

/** Volumes of a pod whose own errors are none, by name. */
export interface ValidVolumes {
  byName: ReadonlyMap<string, JsonObject>
  errors: FieldError[]
}

/** @param podName '' in a template */
export function checkVolumes(volumes: JsonObject[], field: string, podName: string): ValidVolumes {
  const errors: FieldError[] = []
  const byName = new Map<string, JsonObject>()
  const created = new Set(podName === '' ? [] : volumes.filter((each) => isObject(each['ephemeral'])).map((each) => `${podName}-${text(each['name'])}`))
  for (const [index, volume] of volumes.entries()) {
    const at = `${field}[${String(index)}]`
    const name = text(volume['name'])
    const own = [...sourceErrors(volume, at, podName)]
    if (name === '') own.push(required(`${at}.name`))
    else own.push(...dnsLabelErrors(name).map((detail) => invalid(`${at}.name`, name, detail)))
    if (byName.has(name)) own.push(duplicate(`${at}.name`, name))
    if (own.length === 0) byName.set(name, volume)
    else errors.push(...own)
    const claim = pointer(volume['persistentVolumeClaim'])
    if (claim !== null && created.has(text(claim['claimName'])))
      errors.push(
        invalid(`${at}.persistentVolumeClaim.claimName`, text(claim['claimName']), 'must not reference a PVC that gets created for an ephemeral volume'),
      )
  }
  return { byName, errors }
}
