import { deepEqual, isObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { builtinSchema, type Field, type StructType, type TypeRef } from '../schema/schema.ts'
import { invalid, notSupported, required, tooLong, tooMany, type FieldError } from './fieldError.ts'
import type { Target } from './kindRules.ts'
import { dnsLabelErrors, dnsSubdomainErrors, qualifiedNameErrors } from './names.ts'
import { byteLength } from './values.ts'

// What the schema table itself says of a field: values of an enumeration, limits, formats, required. Upstream generates such
// checks since 1.33; for kinds that came after 1.20 they are all there is to read.

/** First release that checks declared limits of kinds that have rules of their own. */
const LIMITS_SINCE = 33

/**
 * Enumerations of fields that came after 1.20, in kinds whose rules were written down as of 1.20. Older fields are checked by
 * those rules alone: for many of them upstream takes any value.
 */
const NEWER = new Set([
  'JobSpec.completionMode',
  'JobSpec.podReplacementPolicy',
  'PodFailurePolicyOnExitCodesRequirement.operator',
  'PodFailurePolicyRule.action',
  'AppArmorProfile.type',
  'Lifecycle.stopSignal',
  'ImageVolumeSource.pullPolicy',
  'PodSecurityContext.supplementalGroupsPolicy',
  'ServiceSpec.internalTrafficPolicy',
  'TopologySpreadConstraint.nodeAffinityPolicy',
  'TopologySpreadConstraint.nodeTaintsPolicy',
  'PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy',
])

export interface Declared {
  /** Whether limits and required fields count, and not only enumerations. */
  limits: boolean
  required: boolean
  /** Whether enumerations of all fields count, and not only of newer ones. */
  enums: boolean
}

/**
 * @param before the stored object; what did not change is not held against an update
 * @param own whether the kind has rules of its own, which then say what is required
 */
export function* declaredErrors(now: KubeObject, before: KubeObject | null, target: Target, own: boolean): Iterable<FieldError> {
  const struct = builtinSchema.typeOf(now.apiVersion ?? '', target.kind)
  if (struct === null) return
  const how: How = { limits: !own || target.minor >= LIMITS_SINCE, required: !own, enums: !own, update: before !== null }
  for (const planned of planOf(struct, how)) {
    const { name } = planned.field
    if (name === 'metadata' || name === 'status' || name === 'apiVersion' || name === 'kind') continue
    yield* fieldErrors(planned, now[name], before === null ? undefined : before[name], name, how)
  }
}

type How = Declared & { update: boolean }

/** A field that has something to be checked in a value of it or within. */
interface PlannedField {
  field: Field
  enums: boolean
  required: boolean
  /** Whether anything is to be checked within. */
  within: boolean
}

/** By what is checked at all: of most fields nothing is, and they are not walked. */
const PLANS = new Map<string, WeakMap<StructType, readonly PlannedField[]>>()

function planOf(struct: StructType, how: Declared): readonly PlannedField[] {
  const key = `${String(how.limits)} ${String(how.required)} ${String(how.enums)}`
  let plans = PLANS.get(key)
  if (plans === undefined) PLANS.set(key, (plans = new WeakMap()))
  let plan = plans.get(struct)
  if (plan === undefined) plans.set(struct, (plan = [...struct.fields.values()].flatMap((field) => planned(struct, field, how))))
  return plan
}

function planned(struct: StructType, field: Field, how: Declared): PlannedField[] {
  const { enums, required } = ownChecks(struct, field, how)
  const inner = structName(field.type)
  const within = inner !== null && declares(inner, how)
  return enums || required || within || (how.limits && field.limits.length > 0) ? [{ field, enums, required, within }] : []
}

function ownChecks(struct: StructType, field: Field, how: Declared): { enums: boolean; required: boolean } {
  const newer = NEWER.has(`${struct.name.slice(struct.name.lastIndexOf('.') + 1)}.${field.name}`)
  return {
    enums: field.values !== null && (how.enums || newer),
    required: how.required && field.required && field.type.kind === 'scalar' && field.type.scalar === 'string',
  }
}

/** Whether anything is checked in a struct or below it. */
function declares(name: string, how: Declared, seen: ReadonlySet<string> = new Set()): boolean {
  const struct = builtinSchema.struct(name)
  if (struct === null || seen.has(name)) return false
  const within = new Set(seen).add(name)
  return [...struct.fields.values()].some((field) => {
    const { enums, required } = ownChecks(struct, field, how)
    if (enums || required || (how.limits && field.limits.length > 0)) return true
    const inner = structName(field.type)
    return inner !== null && declares(inner, how, within)
  })
}

function structName(type: TypeRef): string | null {
  if (type.kind === 'struct') return type.name
  return type.kind === 'scalar' ? null : structName(type.of)
}

function* fieldErrors({ field, enums, required: isRequired, within }: PlannedField, now: unknown, was: unknown, path: string, how: How): Iterable<FieldError> {
  if (how.update && was !== undefined && deepEqual(now, was)) return
  if (now === undefined || now === null || now === '') {
    if (isRequired) yield required(path)
    return
  }
  if (enums) yield* enumErrors(field, now, path)
  if (how.limits) for (const limit of field.limits) yield* limitErrors(limit, now, was, path, how)
  if (within) yield* innerErrors(field.type, now, was, path, how)
}

function* innerErrors(type: TypeRef, now: unknown, was: unknown, path: string, how: How): Iterable<FieldError> {
  if (type.kind === 'struct') {
    const struct = builtinSchema.struct(type.name)
    if (struct === null || !isObject(now)) return
    const old = isObject(was) ? was : {}
    for (const inner of planOf(struct, how)) yield* fieldErrors(inner, now[inner.field.name], old[inner.field.name], `${path}.${inner.field.name}`, how)
  } else if (type.kind === 'list' && Array.isArray(now)) {
    for (const [index, item] of (now as unknown[]).entries())
      yield* innerErrors(type.of, item, Array.isArray(was) ? (was as unknown[])[index] : undefined, `${path}[${String(index)}]`, how)
  } else if (type.kind === 'map' && isObject(now)) {
    for (const [key, item] of Object.entries(now)) yield* innerErrors(type.of, item, isObject(was) ? was[key] : undefined, `${path}[${key}]`, how)
  }
}

function* enumErrors(field: Field, now: unknown, path: string): Iterable<FieldError> {
  const values = field.values
  if (values === null) return
  const sorted = [...values].sort()
  if (typeof now === 'string' && !values.includes(now)) yield notSupported(path, now, sorted)
  if (Array.isArray(now))
    for (const [index, item] of (now as unknown[]).entries())
      if (typeof item === 'string' && !values.includes(item)) yield notSupported(`${path}[${String(index)}]`, item, sorted)
}

const FORMATS: Readonly<Record<string, (text: string) => string[]>> = {
  'k8s-short-name': dnsLabelErrors,
  'k8s-long-name': dnsSubdomainErrors,
  'k8s-long-name-caseless': (text) => dnsSubdomainErrors(text.toLowerCase()),
  'k8s-label-key': qualifiedNameErrors,
  'k8s-extended-resource-name': qualifiedNameErrors,
  'k8s-resource-fully-qualified-name': (text) =>
    text.includes('/') ? qualifiedNameErrors(text) : ['a fully qualified name must be a domain and a name separated by a slash'],
  'k8s-resource-pool-name': (text) => text.split('/').flatMap(dnsSubdomainErrors),
  'k8s-uuid': (text) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text) ? [] : ['must be a lowercase UUID in 8-4-4-4-12 format']),
}

function* limitErrors(limit: string, now: unknown, was: unknown, path: string, how: How): Iterable<FieldError> {
  const [name = '', given = ''] = limit.split('=')
  const bound = Number(given)
  switch (name) {
    case 'immutable':
      if (how.update && was !== undefined && !deepEqual(now, was)) yield invalid(path, now, 'field is immutable')
      return
    case 'minimum':
      if (typeof now === 'number' && now < bound) yield invalid(path, now, `must be greater than or equal to ${given}`)
      return
    case 'maximum':
      if (typeof now === 'number' && now > bound) yield invalid(path, now, `must be less than or equal to ${given}`)
      return
    case 'maxItems':
      if (Array.isArray(now) && now.length > bound) yield tooMany(path, now.length, bound)
      return
    case 'maxBytes':
      if (typeof now === 'string' && byteLength(now) > bound) yield tooLong(path, bound)
      return
    case 'maxLength':
      if (typeof now === 'string' && [...now].length > bound) yield { ...tooLong(path, bound), detail: `may not be more than ${given} characters` }
      return
    case 'format':
      if (typeof now === 'string') for (const detail of FORMATS[given.replaceAll('"', '')]?.(now) ?? []) yield invalid(path, now, detail)
  }
}
