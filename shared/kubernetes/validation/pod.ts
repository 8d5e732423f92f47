import { deepCopy, deepEqual, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { ipErrors, isDualStack, parseAddress } from './addresses.ts'
import { duplicate, forbidden, internal, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { qualifiedNameErrors, rangeError, subdomainName } from './names.ts'
import { objectDiff } from './objectDiff.ts'
import { podAnnotationErrors, podAnnotationUpdateErrors } from './podAnnotations.ts'
import { ephemeralContainerErrors, imageErrors, MAX_INT32, podSpecErrors, podTemplateErrors } from './podSpec.ts'
import { seccompMatchErrors } from './securityContext.ts'
import { tolerationErrors } from './selectors.ts'
import { has, number, object, objects, pointer, text } from './values.ts'

const UNCHANGEABLE =
  'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or `spec.tolerations` (only additions to existing tolerations)'

function* podErrors(pod: KubeObject, known: JsonObject | null = null): Iterable<FieldError> {
  const spec = object(pod['spec'])
  yield* metadataErrors(pod, { namespaced: true, name: subdomainName })
  yield* podAnnotationErrors(object(pod.metadata.annotations), spec, 'metadata.annotations')
  yield* ownSpecErrors(spec, text(pod.metadata.name), known)
}

/** Specs of which nothing was to be said. They are stored, and nobody changes them. */
const FLAWLESS = new WeakSet<JsonObject>()

/** @param known the spec that is written over, when it is equal: of what was looked at before nothing new is to be said */
function* ownSpecErrors(spec: JsonObject, podName: string, known: JsonObject | null): Iterable<FieldError> {
  if (known === null || !FLAWLESS.has(known)) {
    const errors = [...wholeSpecErrors(spec, podName)]
    if (errors.length > 0) {
      yield* errors
      return
    }
  }
  FLAWLESS.add(spec)
}

function* wholeSpecErrors(spec: JsonObject, podName: string): Iterable<FieldError> {
  yield* podSpecErrors(spec, 'spec', podName)
  if (text(spec['serviceAccountName']) === '')
    for (const [at, volume] of objects(spec['volumes']).entries())
      for (const [index, source] of objects(object(volume['projected'])['sources']).entries())
        if (has(source['serviceAccountToken']))
          yield forbidden(
            `spec.volumes[${String(at)}].projected.sources[${String(index)}].serviceAccountToken`,
            'must not be specified when serviceAccountName is not set',
          )
  yield* imageErrors(objects(spec['containers']), 'spec.containers')
  yield* imageErrors(objects(spec['initContainers']), 'spec.initContainers')
}

/** @returns whether containers came or went, after which nothing else can be compared */
function* containerUpdateErrors(now: JsonObject[], was: JsonObject[], field: string): Generator<FieldError, boolean> {
  if (now.length !== was.length) {
    yield forbidden(field, 'pod updates may not add or remove containers')
    return true
  }
  for (const [index, container] of now.entries()) {
    const image = text(container['image'])
    if (image === '') yield required(`${field}[${String(index)}].image`)
    if (image.trim() !== image) yield invalid(`${field}[${String(index)}].image`, image, 'must not have leading or trailing whitespace')
  }
  return false
}

function* onlyAddedTolerations(now: JsonObject[], was: JsonObject[]): Iterable<FieldError> {
  const key = ({ tolerationSeconds: _, ...rest }: JsonObject): JsonObject => rest
  if (was.some((old) => !now.some((each) => sameValue(key(each), key(old)))))
    yield forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')
  else yield* tolerationErrors(now, 'spec.tolerations')
}

/** The new spec with what may change put back. */
function munged(now: JsonObject, was: JsonObject): JsonObject {
  const result = deepCopy(now)
  for (const list of ['containers', 'initContainers']) {
    const old = objects(was[list])
    for (const [index, container] of objects(result[list]).entries()) container['image'] = old[index]?.['image']
  }
  for (const name of ['activeDeadlineSeconds', 'tolerations']) {
    if (has(was[name])) result[name] = was[name]
    else Reflect.deleteProperty(result, name)
  }
  const [gates, oldGates] = [objects(now['schedulingGates']), objects(was['schedulingGates'])]
  // Gates can be taken away one by one.
  if (gates.length < oldGates.length && gates.every((gate) => oldGates.some((old) => sameValue(gate, old)))) result['schedulingGates'] = was['schedulingGates']
  return result
}

function* updateErrors(after: KubeObject, before: KubeObject): Iterable<FieldError> {
  const [now, was] = [object(after['spec']), object(before['spec'])]
  const same = deepEqual(now, was)
  yield* metadataUpdateErrors(after, before)
  yield* podErrors(after, same ? was : null)
  yield* podAnnotationUpdateErrors(after.metadata.annotations, before.metadata.annotations, now, 'metadata.annotations')
  for (const list of ['containers', 'initContainers']) if (yield* containerUpdateErrors(objects(now[list]), objects(was[list]), `spec.${list}`)) return
  const [deadline, oldDeadline] = [now['activeDeadlineSeconds'], was['activeDeadlineSeconds']]
  if (has(deadline)) {
    if (number(deadline) < 0 || number(deadline) > MAX_INT32) {
      yield invalid('spec.activeDeadlineSeconds', deadline, rangeError(0, MAX_INT32))
      return
    }
    if (has(oldDeadline) && number(oldDeadline) < number(deadline)) {
      yield invalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value')
      return
    }
  } else if (has(oldDeadline)) yield invalid('spec.activeDeadlineSeconds', null, 'must not update from a positive integer to nil value')
  yield* onlyAddedTolerations(objects(now['tolerations']), objects(was['tolerations']))
  if (same) return
  const kept = munged(now, was)
  if (!sameSpec(kept, was)) yield forbidden('spec', `${UNCHANGEABLE}\n${objectDiff(kept, was, 'core.v1.PodSpec')}`)
}

/** Go's semantic equality at every depth: empty lists and maps are none. */
export function sameSpec(a: unknown, b: unknown): boolean {
  return sameValue(pruned(a), pruned(b))
}

function pruned(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : (value as unknown[]).map(pruned)
  if (typeof value !== 'object' || value === null) return value ?? undefined
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, each]) => [name, pruned(each)] as const)
      .filter(([, each]) => each !== undefined),
  )
}

function* transitionErrors(now: JsonObject[], was: JsonObject[], field: string, policy: string): Iterable<FieldError> {
  if (policy === 'Always') return
  for (const [index, old] of was.entries()) {
    const ended = pointer(object(old['state'])['terminated'])
    if (ended === null || (number(ended['exitCode']) !== 0 && policy === 'OnFailure')) continue
    for (const status of now)
      if (status['name'] === old['name'] && pointer(object(status['state'])['terminated']) === null)
        yield forbidden(`${field}[${String(index)}].state`, 'may not be transitioned to non-terminated state')
  }
}

function* podIpErrors(status: JsonObject): Iterable<FieldError> {
  const list = objects(status['podIPs'])
  const ips = list.map((each) => text(each['ip']))
  for (const [index, ip] of ips.entries()) for (const detail of ipErrors(ip)) yield invalid(`status.podIPs[${String(index)}]`, ip, detail)
  if (ips.length <= 1) return
  if (ips.some((ip) => parseAddress(ip) === null)) yield internal('status.podIPs', 'failed to check for dual stack with error:ip <nil> is invalid')
  if (!isDualStack(ips) || ips.length > 2) yield invalid('status.podIPs', typed('[]core.v1.PodIP', list), 'may specify no more than one IP for each IP family')
  for (const [index, ip] of ips.entries()) if (ips.indexOf(ip) < index) yield duplicate(`status.podIPs[${String(index)}]`, typed('core.v1.PodIP', list[index]))
}

const SYSTEM_CONDITIONS = new Set(['PodScheduled', 'Ready', 'Initialized'])

function* statusErrors(after: KubeObject, before: KubeObject): Iterable<FieldError> {
  const [now, was] = [object(after['status']), object(before['status'])]
  const spec = object(before['spec'])
  yield* metadataUpdateErrors(after, before)
  yield* podAnnotationUpdateErrors(after.metadata.annotations, before.metadata.annotations, object(after['spec']), 'metadata.annotations')
  for (const [index, condition] of objects(now['conditions']).entries()) {
    const type = text(condition['type'])
    if (SYSTEM_CONDITIONS.has(type)) continue
    // The path is upstream's own.
    for (const detail of qualifiedNameErrors(type)) yield invalid(`metadata.conditions[${String(index)}].Type`, type, detail)
  }
  const nominated = text(now['nominatedNodeName'])
  if (nominated !== text(was['nominatedNodeName']) && nominated !== '')
    for (const detail of subdomainName(nominated, false)) yield invalid('status.nominatedNodeName', nominated, detail)
  for (const list of ['containerStatuses', 'initContainerStatuses'])
    yield* transitionErrors(objects(now[list]), objects(was[list]), `status.${list}`, text(spec['restartPolicy']))
  if ([...podIpErrors(was)].length === 0) yield* podIpErrors(now)
}

function* ephemeralUpdateErrors(after: KubeObject, before: KubeObject): Iterable<FieldError> {
  const [now, was] = [object(after['spec']), object(before['spec'])]
  const field = 'spec.ephemeralContainers'
  const volumes = new Map(objects(now['volumes']).map((each) => [text(each['name']), each]))
  yield* ephemeralContainerErrors(now, volumes, field)
  for (const old of objects(was['ephemeralContainers'])) {
    const name = text(old['name'])
    const found = objects(now['ephemeralContainers']).find((each) => each['name'] === name)
    if (found === undefined) yield forbidden(field, `existing ephemeral containers ${JSON.stringify(name)} may not be removed\n`)
    else if (!sameSpec(old, found))
      yield forbidden(
        field,
        `existing ephemeral containers ${JSON.stringify(name)} may not be changed\n${objectDiff(old, found, 'core.v1.EphemeralContainer')}`,
      )
  }
}

export const podRules: Rules = {
  *create(pod) {
    const spec = object(pod['spec'])
    yield* podErrors(pod)
    if (objects(spec['ephemeralContainers']).length > 0) yield forbidden('spec.ephemeralContainers', 'cannot be set on create')
    yield* seccompMatchErrors(pod.metadata.annotations ?? {}, spec, 'spec')
  },
  update: updateErrors,
  status: statusErrors,
  subresources: { ephemeralcontainers: ephemeralUpdateErrors },
}

export const podTemplateRules: Rules = {
  *create(object_) {
    yield* metadataErrors(object_, { namespaced: true, name: subdomainName })
    yield* podTemplateErrors(object(object_['template']), 'template')
  },
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* podTemplateErrors(object(after['template']), 'template')
  },
}

/** A v1.Binding's target. */
export function* bindingErrors(binding: JsonObject): Iterable<FieldError> {
  const target = object(binding['target'])
  const kind = text(target['kind'])
  if (kind !== '' && kind !== 'Node') yield notSupported('target.kind', kind, ['Node', '<empty>'])
  if (text(target['name']) === '') yield required('target.name')
}
