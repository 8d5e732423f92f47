import { emptiedPaths } from '../codec/canonical.ts'
import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { duplicate, forbidden, invalid, notSupported, required, tooLong, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { immutable, labelNameErrors, metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { qualifiedNameErrors, subdomainName } from './names.ts'
import { persistentVolumeSpecErrors } from './persistentVolume.ts'
import { sameSpec } from './pod.ts'
import { nonNegative, nonNegativeQuantity } from './resources.ts'
import { labelSelectorErrors } from './selectors.ts'
import { byteLength, entries, has, number, object, objects, pointer, text, texts } from './values.ts'
import { csiDriverNameErrors } from './volumeSources.ts'

const CLUSTER = { namespaced: false, name: subdomainName }
const MAX_BYTES = 256 * 1024
const MAX_PARAMETERS = 512
const MAX_ERROR_BYTES = 1024
const MAX_NODE_ID = 128

function* topologyErrors(terms: JsonObject[]): Iterable<FieldError> {
  const seen: Map<string, string>[] = []
  for (const [index, term] of terms.entries()) {
    const field = `allowedTopologies[${String(index)}].matchLabelExpressions`
    const expressions = new Map<string, string>()
    for (const [at, requirement] of objects(term['matchLabelExpressions']).entries()) {
      const values = texts(requirement['values'])
      const path = `${field}[${String(at)}]`
      const key = text(requirement['key'])
      if (values.length === 0) yield required(`${path}.values`)
      for (const [value, each] of values.entries()) if (values.indexOf(each) < value) yield duplicate(`${path}.values[${String(value)}]`, each)
      yield* labelNameErrors(key, `${path}.key`)
      if (expressions.has(key)) yield duplicate(`${path}.key`, key)
      expressions.set(key, JSON.stringify([...new Set(values)].sort()))
    }
    // An empty term equals the empty ones that upstream's list starts with.
    const same = (other: Map<string, string>): boolean => other.size === expressions.size && [...other].every(([key, value]) => expressions.get(key) === value)
    const before = [...Array.from({ length: terms.length }, () => new Map<string, string>()), ...seen]
    for (const other of before) if (same(other)) yield duplicate(field, '')
    seen.push(expressions)
  }
}

function* storageClassErrors(storageClass: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(storageClass, CLUSTER)
  const provisioner = text(storageClass['provisioner'])
  if (provisioner === '') yield required('provisioner')
  else for (const detail of qualifiedNameErrors(provisioner.toLowerCase())) yield invalid('provisioner', provisioner, detail)
  const parameters = entries(storageClass['parameters'])
  if (parameters.length > MAX_PARAMETERS) yield tooLong('parameters', MAX_PARAMETERS)
  else {
    let bytes = 0
    for (const [key, value] of parameters) {
      if (key === '') yield invalid('parameters', key, 'field can not be empty.')
      bytes += byteLength(key) + byteLength(value)
    }
    if (bytes > MAX_BYTES) yield tooLong('parameters', MAX_BYTES)
  }
  const policy = text(storageClass['reclaimPolicy'])
  if (policy !== '' && policy !== 'Delete' && policy !== 'Retain') yield notSupported('reclaimPolicy', policy, ['Delete', 'Retain'])
  const mode = storageClass['volumeBindingMode']
  if (!has(mode)) yield required('volumeBindingMode')
  else if (mode !== 'Immediate' && mode !== 'WaitForFirstConsumer') yield notSupported('volumeBindingMode', mode, ['Immediate', 'WaitForFirstConsumer'])
  yield* topologyErrors(objects(storageClass['allowedTopologies']))
}

export const storageClassRules: Rules = {
  create: storageClassErrors,
  *update(after, before) {
    yield* storageClassErrors(after)
    yield* metadataUpdateErrors(after, before)
    for (const name of ['parameters', 'provisioner', 'reclaimPolicy'])
      if (!sameValue(after[name], before[name]) || emptiedPaths(after).includes(name)) yield forbidden(name, `updates to ${name} are forbidden.`)
    yield* immutable(after['volumeBindingMode'], before['volumeBindingMode'], 'volumeBindingMode')
  },
}

function* attachmentErrors(attachment: KubeObject): Iterable<FieldError> {
  const [spec, status] = [object(attachment['spec']), object(attachment['status'])]
  const source = object(spec['source'])
  const [inline, name] = [pointer(source['inlineVolumeSpec']), source['persistentVolumeName']]
  yield* metadataErrors(attachment, CLUSTER)
  if (text(spec['attacher']) === '') yield required('spec.attacher')
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'
  if (inline === null && !has(name)) yield required('spec.source', one)
  else if (inline !== null && has(name)) yield forbidden('spec.source', one)
  else if (inline === null && text(name) === '') yield required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName')
  else if (inline !== null) yield* persistentVolumeSpecErrors(inline, 'spec.source.inlineVolumeSpec', '', true)
  for (const detail of subdomainName(text(spec['nodeName']), false)) yield invalid('spec.nodeName', text(spec['nodeName']), detail)
  const bytes = entries(status['attachmentMetadata']).reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0)
  if (bytes > MAX_BYTES) yield tooLong('status.attachmentMetadata', MAX_BYTES)
  for (const field of ['attachError', 'detachError'])
    if (byteLength(text(object(status[field])['message'])) > MAX_ERROR_BYTES) yield tooLong(`status.${field}.message`, MAX_BYTES)
}

export const volumeAttachmentRules: Rules = {
  *create(attachment, { version }) {
    yield* attachmentErrors(attachment)
    if (version === 'v1beta1') return
    const spec = object(attachment['spec'])
    yield* csiDriverNameErrors(text(spec['attacher']), 'spec.attacher')
    const name = object(spec['source'])['persistentVolumeName']
    if (has(name)) for (const detail of subdomainName(text(name), false)) yield invalid('spec.source.persistentVolumeName', name, detail)
  },
  *update(after, before) {
    yield* attachmentErrors(after)
    yield* attachmentErrors(after)
    if (!sameSpec(after['spec'], before['spec'])) yield* immutable(after['spec'], before['spec'], 'spec', 'storage.v1.VolumeAttachmentSpec')
  },
}

function* nodeDriverErrors(node: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(node, CLUSTER)
  const names = new Set<string>()
  for (const [index, driver] of objects(object(node['spec'])['drivers']).entries()) {
    const field = `spec.drivers[${String(index)}]`
    const [name, id] = [text(driver['name']), text(driver['nodeID'])]
    yield* csiDriverNameErrors(name, `${field}.name`)
    if (id === '') yield required(`${field}.nodeID`)
    if (byteLength(id) > MAX_NODE_ID) yield invalid(`${field}.nodeID`, id, `must be ${String(MAX_NODE_ID)} characters or less`)
    yield* nonNegative(object(driver['allocatable'])['count'], `${field}.allocatable.count`)
    if (names.has(name)) yield duplicate(`${field}.name`, name)
    names.add(name)
    const keys = texts(driver['topologyKeys'])
    for (const [at, key] of keys.entries()) {
      if (key === '') yield required(field)
      if (keys.indexOf(key) < at) yield duplicate(field, key)
      for (const detail of qualifiedNameErrors(key)) yield invalid(field, typed('[]string', keys), detail)
    }
  }
}

export const csiNodeRules: Rules = {
  *create(node) {
    yield* nodeDriverErrors(node)
    yield* nodeDriverErrors(node)
  },
  *update(after, before) {
    yield* nodeDriverErrors(after)
    yield* nodeDriverErrors(after)
    for (const old of objects(object(before['spec'])['drivers']))
      for (const now of objects(object(after['spec'])['drivers']))
        if (old['name'] === now['name'] && !sameSpec(old, now)) yield invalid('CSINodeDriver', typed('storage.v1.CSINodeDriver', now), 'field is immutable')
  },
}

const GROUP_POLICIES = ['File', 'None', 'ReadWriteOnceWithFSType']
/** First release whose drivers must say whether they tell capacity. */
const CAPACITY_SINCE = 21

function* driverErrors(driver: KubeObject, minor: number): Iterable<FieldError> {
  const spec = object(driver['spec'])
  yield* metadataErrors(driver, CLUSTER)
  // The first path is upstream's own.
  if (!has(spec['attachRequired'])) yield required('spec.attachedRequired')
  if (!has(spec['podInfoOnMount'])) yield required('spec.podInfoOnMount')
  if (!has(spec['storageCapacity']) && minor >= CAPACITY_SINCE) yield required('spec.storageCapacity')
  const policy = spec['fsGroupPolicy']
  if (has(policy) && !GROUP_POLICIES.includes(text(policy))) yield notSupported('spec.fsGroupPolicy', policy, GROUP_POLICIES)
  const audiences = new Set<string>()
  for (const [index, request] of objects(spec['tokenRequests']).entries()) {
    const field = `spec.tokenRequests[${String(index)}]`
    const [audience, seconds] = [text(request['audience']), request['expirationSeconds']]
    if (audiences.has(audience)) {
      yield duplicate(`${field}.audience`, audience)
      continue
    }
    audiences.add(audience)
    if (!has(seconds)) continue
    if (number(seconds) < 600) yield invalid(`${field}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes')
    if (number(seconds) > 2 ** 32) yield invalid(`${field}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds')
  }
  for (const mode of texts(spec['volumeLifecycleModes']))
    if (mode !== 'Persistent' && mode !== 'Ephemeral') yield notSupported('spec.volumeLifecycleModes', mode, ['Persistent', 'Ephemeral'])
}

/** Members that an update may change, and since when. */
const DRIVER_CHANGEABLE: readonly (readonly [name: string, since: number])[] = [
  ['storageCapacity', 23],
  ['tokenRequests', 21],
  ['requiresRepublish', 21],
  ['seLinuxMount', 25],
  ['nodeAllocatableUpdatePeriodSeconds', 33],
]

export const csiDriverRules: Rules = {
  *create(driver, { minor }) {
    yield* driverErrors(driver, minor)
    yield* driverErrors(driver, minor)
  },
  *update(after, before, { minor }) {
    yield* metadataUpdateErrors(after, before)
    const free = DRIVER_CHANGEABLE.filter(([, since]) => since <= minor).map(([name]) => name)
    const fixed = (spec: unknown): JsonObject => Object.fromEntries(Object.entries(object(spec)).filter(([name]) => !free.includes(name)))
    if (!sameSpec(fixed(after['spec']), fixed(before['spec']))) yield invalid('spec', typed('storage.v1.CSIDriverSpec', after['spec']), 'field is immutable')
  },
}

function* capacityErrors(capacity: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(capacity, { namespaced: true, name: subdomainName })
  yield* labelSelectorErrors(capacity['nodeTopology'], 'nodeTopology')
  const name = text(capacity['storageClassName'])
  for (const detail of subdomainName(name, false)) yield invalid('storageClassName', name, detail)
  if (has(capacity['capacity'])) yield* nonNegativeQuantity(capacity['capacity'], 'capacity')
}

export const csiStorageCapacityRules: Rules = {
  *create(capacity) {
    yield* capacityErrors(capacity)
    yield* capacityErrors(capacity)
  },
  *update(after, before) {
    yield* capacityErrors(after)
    yield* metadataUpdateErrors(after, before)
    yield* immutable(after['nodeTopology'], before['nodeTopology'], 'nodeTopology', 'meta.LabelSelector')
    yield* immutable(after['storageClassName'], before['storageClassName'], 'storageClassName')
  },
}
