import type { JsonObject } from '../json.ts'
import { forbidden, invalid, type FieldError } from './fieldError.ts'
import { entries, object, objects, text } from './values.ts'
import { tolerationErrors } from './selectors.ts'
import { descendingPathErrors } from './volumeSources.ts'

const MIRROR = 'kubernetes.io/config.mirror'
const TOLERATIONS = 'scheduler.alpha.kubernetes.io/tolerations'
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod'
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/'
const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/'

function* seccompErrors(profile: string, field: string): Iterable<FieldError> {
  if (profile === 'runtime/default' || profile === 'docker/default' || profile === 'unconfined') return
  if (profile.startsWith('localhost/')) yield* descendingPathErrors(profile.slice('localhost/'.length), field)
  else yield invalid(field, profile, 'must be a valid seccomp profile')
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** Annotations of a pod (or its template) that upstream gives a meaning. */
export function* podAnnotationErrors(annotations: JsonObject, spec: JsonObject, field: string): Iterable<FieldError> {
  const mirror = annotations[MIRROR]
  if (mirror !== undefined && text(spec['nodeName']) === '')
    yield invalid(`${field}[${MIRROR}]`, mirror, 'must set spec.nodeName if mirror pod annotation is set')
  const tolerations = text(annotations[TOLERATIONS])
  if (tolerations !== '') {
    const list = parsed(tolerations)
    if (Array.isArray(list)) yield* tolerationErrors(objects(list), `${field}.${TOLERATIONS}`)
    else yield invalid(field, TOLERATIONS, 'the annotation is no JSON list of tolerations')
  }
  const profile = annotations[SECCOMP_POD]
  if (profile !== undefined) yield* seccompErrors(text(profile), `${field}.${SECCOMP_POD}`)
  for (const [key, value] of entries(annotations)) if (key.startsWith(SECCOMP_CONTAINER)) yield* seccompErrors(value, `${field}.${key}`)
  const containers = [...objects(spec['initContainers']), ...objects(spec['containers'])].map((each) => text(each['name']))
  for (const [key, value] of entries(annotations)) {
    if (!key.startsWith(APP_ARMOR)) continue
    const name = key.slice(APP_ARMOR.length)
    if (!containers.includes(name)) yield invalid(`${field}[${key}]`, name, 'container not found')
    if (value !== '' && value !== 'runtime/default' && value !== 'unconfined' && !value.startsWith('localhost/'))
      yield invalid(`${field}[${key}]`, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`)
  }
}

/** Annotations of a pod that never change. */
export function* podAnnotationUpdateErrors(after: unknown, before: unknown, spec: JsonObject, field: string): Iterable<FieldError> {
  const [now, was] = [object(after), object(before)]
  for (const [key, value] of entries(was)) {
    if (now[key] === value) continue
    if (key.startsWith(APP_ARMOR)) yield forbidden(`${field}[${key}]`, 'may not remove or update AppArmor annotations')
    if (key === MIRROR) yield forbidden(`${field}[${key}]`, 'may not remove or update mirror pod annotation')
  }
  for (const [key] of entries(now)) {
    if (Object.hasOwn(was, key)) continue
    if (key.startsWith(APP_ARMOR)) yield forbidden(`${field}[${key}]`, 'may not add AppArmor annotations')
    if (key === MIRROR) yield forbidden(`${field}[${key}]`, 'may not add mirror pod annotation')
  }
  yield* podAnnotationErrors(now, spec, field)
}
