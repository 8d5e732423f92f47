import type { JsonObject } from '../json.ts'
import { quantityText } from '../quantity.ts'
import { invalid, notSupported, required, type FieldError } from './fieldError.ts'
import { qualifiedNameErrors } from './names.ts'
import { quantity } from './resources.ts'
import { text } from './values.ts'

/** Fields that a volume can show of its pod. */
export const VOLUME_FIELDS = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid']

/** Fields that an environment variable can show of its pod. */
export const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.podIP',
  'status.podIPs',
]

const KNOWN_FIELDS = new Set([...VOLUME_FIELDS, ...ENV_FIELDS, 'spec.restartPolicy', 'spec.schedulerName', 'status.phase', 'status.hostIPs'])

function subscripted(path: string): { path: string; key: string } | null {
  const parts = /^(.+?)\['(.*)'\]$/s.exec(path)
  return parts === null ? null : { path: parts[1] ?? '', key: parts[2] ?? '' }
}

/** A reference to a field of the pod itself. */
export function* fieldSelectorErrors(selector: JsonObject, allowed: readonly string[], field: string): Iterable<FieldError> {
  const [version, given] = [text(selector['apiVersion']), text(selector['fieldPath'])]
  if (version === '') {
    yield required(`${field}.apiVersion`)
    return
  }
  if (given === '') {
    yield required(`${field}.fieldPath`)
    return
  }
  const refused = (why: string): FieldError => invalid(`${field}.fieldPath`, given, `error converting fieldPath: ${why}`)
  const part = subscripted(given)
  if (version !== 'v1') yield refused(`unsupported pod version: ${version}`)
  else if (part !== null) {
    if (part.path !== 'metadata.annotations' && part.path !== 'metadata.labels') {
      yield refused(`field label does not support subscript: ${given}`)
      return
    }
    const key = part.path === 'metadata.annotations' ? part.key.toLowerCase() : part.key
    for (const detail of qualifiedNameErrors(key)) yield invalid(field, part.key, detail)
  } else if (given !== 'spec.host' && !KNOWN_FIELDS.has(given)) yield refused(`field label not supported: ${given}`)
  else {
    const path = given === 'spec.host' ? 'spec.nodeName' : given
    if (!allowed.includes(path) && path !== 'status.hostIPs') yield notSupported(`${field}.fieldPath`, path, allowed)
  }
}

const RESOURCES = ['limits.cpu', 'limits.ephemeral-storage', 'limits.memory', 'requests.cpu', 'requests.ephemeral-storage', 'requests.memory']
const BYTES = new Set(['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'])
const BYTES_WORDS = "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the"

/** A reference to a resource of a container; @param volume whether it must name the container */
export function* resourceSelectorErrors(selector: JsonObject, field: string, volume: boolean): Iterable<FieldError> {
  const name = text(selector['resource'])
  if (volume && text(selector['containerName']) === '') yield required(`${field}.containerName`)
  else if (name === '') yield required(`${field}.resource`)
  else if (!RESOURCES.includes(name)) yield notSupported(`${field}.resource`, name, RESOURCES)
  const divisor = quantity(selector['divisor'])
  if (divisor.mantissa === 0n) return
  const shown = quantityText(divisor)
  if (name.endsWith('.cpu') && RESOURCES.includes(name)) {
    if (shown !== '1m' && shown !== '1') yield invalid(`${field}.divisor`, name, "only divisor's values 1m and 1 are supported with the cpu resource")
  } else if (name.endsWith('.memory') && RESOURCES.includes(name)) {
    if (!BYTES.has(shown)) yield invalid(`${field}.divisor`, name, `${BYTES_WORDS} memory resource`)
  } else if (name.endsWith('.ephemeral-storage') && RESOURCES.includes(name)) {
    if (!BYTES.has(shown)) yield invalid(`${field}.divisor`, name, `${BYTES_WORDS} local ephemeral storage resource`)
  } else if (/^(requests|limits)\.hugepages-/.test(name) && !BYTES.has(shown)) yield invalid(`${field}.divisor`, name, `${BYTES_WORDS} hugepages resource`)
}
