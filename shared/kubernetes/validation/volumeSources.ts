import type { JsonObject } from '../json.ts'
import { invalid, notSupported, required, tooLong, typed, type FieldError } from './fieldError.ts'
import { dnsLabelErrors, dnsSubdomainErrors, labelName, rangeError, subdomainName } from './names.ts'
import { byteLength, entries, has, number, object, objects, pointer, text, texts } from './values.ts'

/** Rules of one kind of volume source, wherever it stands. */
export type SourceRule = (source: JsonObject, field: string) => Iterable<FieldError>

const FILE_MODE = 'must be a number between 0 and 0777 (octal), both inclusive'

export function* noBackstepErrors(path: string, field: string): Iterable<FieldError> {
  if (path.split('/').includes('..')) yield invalid(field, path, "must not contain '..'")
}

export function* descendingPathErrors(path: string, field: string): Iterable<FieldError> {
  if (path.startsWith('/')) yield invalid(field, path, 'must be a relative path')
  yield* noBackstepErrors(path, field)
}

export function* nonReservedPathErrors(path: string, field: string): Iterable<FieldError> {
  yield* descendingPathErrors(path, field)
  if (path.startsWith('..') && !path.startsWith('../')) yield invalid(field, path, "must not start with '..'")
}

export function* fileModeErrors(mode: unknown, field: string): Iterable<FieldError> {
  if (typeof mode === 'number' && (mode > 0o777 || mode < 0)) yield invalid(field, mode, FILE_MODE)
}

function* needs(source: JsonObject, field: string, ...names: string[]): Iterable<FieldError> {
  for (const name of names) if (text(source[name]) === '') yield required(`${field}.${name}`)
}

function* labelValue(value: string, field: string): Iterable<FieldError> {
  for (const detail of dnsLabelErrors(value)) yield invalid(field, value, detail)
}

function* secretReference(source: JsonObject, field: string, names: string[]): Iterable<FieldError> {
  const reference = pointer(source['secretRef'])
  if (reference !== null) yield* needs(reference, `${field}.secretRef`, ...names)
}

const HOST_PATH_TYPES = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket']

export const hostPath: SourceRule = function* (source, field) {
  const path = text(source['path'])
  if (path === '') {
    yield required(`${field}.path`)
    return
  }
  yield* noBackstepErrors(path, `${field}.path`)
  if (has(source['type']) && !HOST_PATH_TYPES.includes(text(source['type']))) yield notSupported(`${field}.type`, source['type'], HOST_PATH_TYPES)
}

export const gitRepo: SourceRule = function* (source, field) {
  yield* needs(source, field, 'repository')
  yield* descendingPathErrors(text(source['directory']), `${field}.directory`)
}

const partitioned = (name: string): SourceRule =>
  function* (source, field) {
    yield* needs(source, field, name)
    const partition = number(source['partition'])
    if (partition < 0 || partition > 255) yield invalid(`${field}.partition`, partition, rangeError(1, 255))
  }

export const gcePersistentDisk = partitioned('pdName')
export const awsElasticBlockStore = partitioned('volumeID')

export function* keyToPathErrors(item: JsonObject, field: string): Iterable<FieldError> {
  yield* needs(item, field, 'key', 'path')
  yield* nonReservedPathErrors(text(item['path']), `${field}.path`)
  yield* fileModeErrors(item['mode'], `${field}.mode`)
}

const keyed = (name: string): SourceRule =>
  function* (source, field) {
    yield* needs(source, field, name)
    yield* fileModeErrors(source['defaultMode'], `${field}.defaultMode`)
    for (const [index, item] of objects(source['items']).entries()) yield* keyToPathErrors(item, `${field}.items[${String(index)}]`)
  }

export const secret = keyed('secretName')
export const configMap = keyed('name')

export const nfs: SourceRule = function* (source, field) {
  yield* needs(source, field, 'server', 'path')
  if (!text(source['path']).startsWith('/')) yield invalid(`${field}.path`, text(source['path']), 'must be an absolute path')
}

const IQN = /iqn\.\d{4}-\d{2}\.([a-zA-Z0-9-.]+)(:[^,;*&$|\s]+)$/
const EUI = /^eui.[a-zA-Z0-9]{16}$/
const NAA = /^naa.[a-zA-Z0-9]{32}$/

function isQualified(name: string): 'valid' | 'malformed' | 'unknown' {
  const shape = name.startsWith('iqn') ? IQN : name.startsWith('eui') ? EUI : name.startsWith('naa') ? NAA : null
  return shape === null ? 'unknown' : shape.test(name) ? 'valid' : 'malformed'
}

function* iscsiNameErrors(name: string, field: string, unknown: string): Iterable<FieldError> {
  const state = isQualified(name)
  if (state !== 'valid') yield invalid(field, name, state === 'unknown' ? unknown : 'must be valid format')
}

function* iscsiErrors(source: JsonObject, field: string, unknown: string, pvName: string | null): Iterable<FieldError> {
  yield* needs(source, field, 'targetPortal')
  const portal = text(source['targetPortal'])
  if (pvName !== null && has(source['initiatorName']) && byteLength(`${pvName}:${portal}`) > 64)
    yield invalid(
      `${field}.targetportal`,
      portal,
      'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
    )
  const iqn = text(source['iqn'])
  if (iqn === '') yield required(`${field}.iqn`)
  else yield* iscsiNameErrors(iqn, `${field}.iqn`, unknown)
  const lun = number(source['lun'])
  if (lun < 0 || lun > 255) yield invalid(`${field}.lun`, lun, rangeError(0, 255))
  if ((source['chapAuthDiscovery'] === true || source['chapAuthSession'] === true) && !has(source['secretRef'])) yield required(`${field}.secretRef`)
  if (pvName !== null) yield* secretReference(source, field, ['name'])
  if (has(source['initiatorName'])) yield* iscsiNameErrors(text(source['initiatorName']), `${field}.initiatorname`, unknown)
}

export const iscsi: SourceRule = (source, field) => iscsiErrors(source, field, 'must be valid format starting with iqn, eui, or naa', null)
export const iscsiPersistent = (source: JsonObject, field: string, pvName: string): Iterable<FieldError> =>
  iscsiErrors(source, field, 'must be valid format', pvName)

export const fc: SourceRule = function* (source, field) {
  const [wwns, wwids] = [texts(source['targetWWNs']), texts(source['wwids'])]
  if (wwns.length < 1 && wwids.length < 1) yield required(`${field}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both')
  if (wwns.length > 0 && wwids.length > 0)
    yield invalid(`${field}.targetWWNs`, typed('[]string', wwns), 'targetWWNs and wwids can not be specified simultaneously')
  if (wwns.length === 0) return
  const lun = source['lun']
  if (!has(lun)) yield required(`${field}.lun`, 'lun is required if targetWWNs is specified')
  else if (number(lun) < 0 || number(lun) > 255) yield invalid(`${field}.lun`, lun, rangeError(0, 255))
}

export const glusterfs: SourceRule = (source, field) => needs(source, field, 'endpoints', 'path')

export const glusterfsPersistent: SourceRule = function* (source, field) {
  yield* needs(source, field, 'endpoints', 'path')
  if (!has(source['endpointsNamespace'])) return
  const namespace = text(source['endpointsNamespace'])
  if (namespace === '') yield invalid(`${field}.endpointsNamespace`, '', 'if the endpointnamespace is set, it must be a valid namespace name')
  else for (const detail of labelName(namespace, false)) yield invalid(`${field}.endpointsNamespace`, namespace, detail)
}

export const flocker: SourceRule = function* (source, field) {
  const [name, uuid] = [text(source['datasetName']), text(source['datasetUUID'])]
  if (name === '' && uuid === '') yield required(field, 'one of datasetName and datasetUUID is required')
  if (name !== '' && uuid !== '') yield invalid(field, 'resource', 'datasetName and datasetUUID can not be specified simultaneously')
  if (name.includes('/')) yield invalid(`${field}.datasetName`, name, "must not contain '/'")
}

export const persistentVolumeClaim: SourceRule = (source, field) => needs(source, field, 'claimName')

export const rbd: SourceRule = function* (source, field) {
  if (texts(source['monitors']).length === 0) yield required(`${field}.monitors`)
  yield* needs(source, field, 'image')
}

export const cinder: SourceRule = function* (source, field) {
  yield* needs(source, field, 'volumeID')
  yield* secretReference(source, field, ['name'])
}

export const cinderPersistent: SourceRule = function* (source, field) {
  yield* needs(source, field, 'volumeID')
  yield* secretReference(source, field, ['name', 'namespace'])
}

export const cephfs: SourceRule = function* (source, field) {
  if (texts(source['monitors']).length === 0) yield required(`${field}.monitors`)
}

const HOST_PORTS = 'must be a host:port pair or multiple pairs separated by commas'

/** Go's net.SplitHostPort. */
function isHostPort(pair: string): boolean {
  const colon = pair.lastIndexOf(':')
  if (colon < 0) return false
  const host = pair.slice(0, colon)
  if (host.startsWith('[')) return host.indexOf(']') === host.length - 1 && !host.slice(1).includes('[')
  return !/[:[\]]/.test(host) && !/[[\]]/.test(pair.slice(colon))
}

export const quobyte: SourceRule = function* (source, field) {
  const registry = text(source['registry'])
  if (registry === '') yield required(`${field}.registry`, HOST_PORTS)
  else if (byteLength(text(source['tenant'])) >= 65) yield required(`${field}.tenant`, 'must be a UUID and may not exceed a length of 64 characters')
  else for (const pair of registry.split(',')) if (!isHostPort(pair)) yield invalid(`${field}.registry`, registry, HOST_PORTS)
  yield* needs(source, field, 'volume')
}

export const flexVolume: SourceRule = function* (source, field) {
  yield* needs(source, field, 'driver')
  for (const [key] of entries(source['options'])) {
    const normalized = `.${(key.split('/')[0] ?? '').toLowerCase()}`
    if (normalized.endsWith('.kubernetes.io') || normalized.endsWith('.k8s.io'))
      yield invalid(`${field}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved')
  }
}

export const azureFile: SourceRule = (source, field) => needs(source, field, 'secretName', 'shareName')

export const azureFilePersistent: SourceRule = function* (source, field) {
  yield* needs(source, field, 'secretName', 'shareName')
  if (has(source['secretNamespace'])) yield* needs(source, field, 'secretNamespace')
}

const CACHING_MODES = ['None', 'ReadOnly', 'ReadWrite']
const DISK_KINDS = ['Dedicated', 'Managed', 'Shared']

export const azureDisk: SourceRule = function* (source, field) {
  yield* needs(source, field, 'diskName', 'diskURI')
  const { cachingMode, kind } = source
  const uri = text(source['diskURI'])
  if (has(cachingMode) && !CACHING_MODES.includes(text(cachingMode))) yield notSupported(`${field}.cachingMode`, cachingMode, CACHING_MODES)
  if (has(kind) && !DISK_KINDS.includes(text(kind))) yield notSupported(`${field}.kind`, kind, DISK_KINDS)
  if (has(kind) && kind === 'Managed' && !uri.startsWith('/subscriptions/'))
    yield notSupported(`${field}.diskURI`, uri, ['/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}'])
  if (has(kind) && kind !== 'Managed' && !uri.startsWith('https://'))
    yield notSupported(`${field}.diskURI`, uri, ['https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'])
}

export const vsphereVolume: SourceRule = (source, field) => needs(source, field, 'volumePath')
export const photonPersistentDisk: SourceRule = (source, field) => needs(source, field, 'pdID')
export const portworxVolume: SourceRule = (source, field) => needs(source, field, 'volumeID')
export const scaleIO: SourceRule = (source, field) => needs(source, field, 'gateway', 'system', 'volumeName')

export const local: SourceRule = function* (source, field) {
  yield* needs(source, field, 'path')
  yield* noBackstepErrors(text(source['path']), `${field}.path`)
}

const storageOS = (names: string[]): SourceRule =>
  function* (source, field) {
    const [name, namespace] = [text(source['volumeName']), text(source['volumeNamespace'])]
    if (name === '') yield required(`${field}.volumeName`)
    else yield* labelValue(name, `${field}.volumeName`)
    if (namespace !== '') yield* labelValue(namespace, `${field}.volumeNamespace`)
    yield* secretReference(source, field, names)
  }

export const storageos = storageOS(['name'])
export const storageosPersistent = storageOS(['name', 'namespace'])

export function* csiDriverNameErrors(driver: string, field: string): Iterable<FieldError> {
  if (driver === '') yield required(field)
  if (byteLength(driver) > 63) yield tooLong(field, 63)
  for (const detail of dnsSubdomainErrors(driver.toLowerCase())) yield invalid(field, driver, detail)
}

export const csi: SourceRule = function* (source, field) {
  yield* csiDriverNameErrors(text(source['driver']), `${field}.driver`)
  const reference = pointer(source['nodePublishSecretRef'])
  if (reference === null) return
  const name = text(reference['name'])
  // The blank is upstream's own.
  if (name === '') yield required(`${field}.nodePublishSecretRef .name`)
  else for (const detail of subdomainName(name, false)) yield invalid(`${field}.name`, name, detail)
}

export const csiPersistent: SourceRule = function* (source, field) {
  yield* csiDriverNameErrors(text(source['driver']), `${field}.driver`)
  yield* needs(source, field, 'volumeHandle')
  for (const [reference, shown] of [
    ['controllerPublishSecretRef', 'controllerPublishSecretRef'],
    ['controllerExpandSecretRef', 'controllerExpandSecretRef'],
    ['nodePublishSecretRef', 'nodePublishSecretRef '],
  ] as const) {
    const secretRef = pointer(source[reference])
    if (secretRef === null) continue
    for (const part of ['name', 'namespace']) {
      const value = text(object(secretRef)[part])
      if (value === '') yield required(`${field}.${shown}.${part}`)
      else yield* labelValue(value, `${field}.${part}`)
    }
  }
}
