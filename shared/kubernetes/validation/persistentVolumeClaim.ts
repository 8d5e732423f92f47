import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { compareQuantities } from '../quantity.ts'
import { forbidden, invalid, notSupported, required, type FieldError } from './fieldError.ts'
import { immutable, metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { subdomainName } from './names.ts'
import { objectDiff } from './objectDiff.ts'
import { basicResourceErrors, positiveQuantity, quantity, resourceQuantityErrors } from './resources.ts'
import { labelSelectorErrors } from './selectors.ts'
import { entries, has, object, pointer, text, texts } from './values.ts'
import type { Rules } from './kindRules.ts'

export const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce']
export const VOLUME_MODES = ['Block', 'Filesystem']
/** Modes that came later are no mistake. */
export const isAccessMode = (mode: string): boolean => ACCESS_MODES.includes(mode) || mode === 'ReadWriteOncePod'
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class'

/** A claim's spec, also where it is a template. */
export function* claimSpecErrors(spec: JsonObject, field: string): Iterable<FieldError> {
  const modes = texts(spec['accessModes'])
  if (modes.length === 0) yield required(`${field}.accessModes`, 'at least 1 access mode is required')
  yield* labelSelectorErrors(spec['selector'], `${field}.selector`)
  for (const mode of modes) if (!isAccessMode(mode)) yield notSupported(`${field}.accessModes`, mode, ACCESS_MODES)
  const storage = object(object(spec['resources'])['requests'])['storage']
  const at = `${field}.resources[storage]`
  if (storage === undefined) yield required(at)
  else {
    const errors = [...positiveQuantity(storage, at)]
    if (errors.length > 0) yield* errors
    else yield* resourceQuantityErrors('storage', storage, at)
  }
  const storageClass = text(spec['storageClassName'])
  if (storageClass !== '') for (const detail of subdomainName(storageClass, false)) yield invalid(`${field}.storageClassName`, storageClass, detail)
  const mode = spec['volumeMode']
  if (has(mode) && !VOLUME_MODES.includes(text(mode))) yield notSupported(`${field}.volumeMode`, mode, VOLUME_MODES)
  const source = pointer(spec['dataSource'])
  if (source === null) return
  if (text(source['name']) === '') yield required(`${field}.dataSource.name`)
  if (text(source['kind']) === '') yield required(`${field}.dataSource.kind`)
  if (text(source['apiGroup']) === '' && source['kind'] !== 'PersistentVolumeClaim') yield invalid(`${field}.dataSource`, text(source['kind']), '')
}

function* errors(claim: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(claim, { namespaced: true, name: subdomainName })
  yield* claimSpecErrors(object(claim['spec']), 'spec')
}

export const persistentVolumeClaimRules: Rules = {
  create: errors,
  *update(after, before) {
    yield* errors(after)
    yield* metadataUpdateErrors(after, before)
    yield* errors(after)
    const [now, was] = [structuredClone(object(after['spec'])), structuredClone(object(before['spec']))]
    if (text(was['volumeName']) === '') was['volumeName'] = now['volumeName']
    const [annotation, oldAnnotation] = [after.metadata.annotations?.[BETA_CLASS], before.metadata.annotations?.[BETA_CLASS]]
    const upgraded =
      oldAnnotation !== undefined &&
      !has(was['storageClassName']) &&
      now['storageClassName'] === oldAnnotation &&
      (annotation ?? oldAnnotation) === oldAnnotation
    if (upgraded) delete now['storageClassName']
    else if ((annotation ?? '') !== (oldAnnotation ?? '')) yield invalid(`metadata.annotations.${BETA_CLASS}`, annotation ?? '', 'field is immutable')
    const requestsOf = (spec: JsonObject): JsonObject => object(object(spec['resources'])['requests'])
    const [newSize, oldSize] = [requestsOf(now)['storage'], requestsOf(was)['storage']]
    if (object(after['status'])['phase'] === 'Bound' && has(object(now['resources'])['requests'])) requestsOf(now)['storage'] = oldSize
    if (!sameValue(now, was))
      yield forbidden(
        'spec',
        `spec is immutable after creation except resources.requests for bound claims\n${objectDiff(now, was, 'core.v1.PersistentVolumeClaimSpec')}`,
      )
    if (compareQuantities(quantity(newSize), quantity(oldSize)) < 0)
      yield forbidden('spec.resources.requests.storage', 'field can not be less than previous value')
    yield* immutable(object(after['spec'])['volumeMode'], object(before['spec'])['volumeMode'], 'volumeMode')
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
    if (texts(object(after['spec'])['accessModes']).length === 0) yield required('Spec.accessModes')
    for (const [name, value] of entries(object(after['status'])['capacity'])) yield* basicResourceErrors(value, `status.capacity[${name}]`)
  },
}
