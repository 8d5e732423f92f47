import type { JsonObject } from '../json.ts'
import { compareQuantities, milliValue, parseQuantity, quantityText, wholeValue, type Quantity } from '../quantity.ts'
import { forbidden, invalid, required, typed, type FieldError } from './fieldError.ts'
import { qualifiedNameErrors } from './names.ts'
import { entries, object } from './values.ts'

const NOT_INTEGER = 'must be an integer'
const NOT_POSITIVE = 'must be greater than zero'
export const NEGATIVE = 'must be greater than or equal to 0'
const HUGE_PAGES = 'hugepages-'

const COUNTED = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]
const COMPUTE = ['cpu', 'memory', 'ephemeral-storage']
const QUOTA = new Set([
  ...COMPUTE,
  ...COUNTED,
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
])
const STANDARD = new Set([...QUOTA, 'storage'])

export const ZERO: Quantity = { mantissa: 0n, exponent: 0, format: 'decimal' }

/** A quantity of an object that was decoded; a field that is absent is zero. */
export function quantity(value: unknown): Quantity {
  return parseQuantity(String(value ?? '0')) ?? ZERO
}

export const isHugePages = (name: string): boolean => name.startsWith(HUGE_PAGES)
const isQuotaHugePages = (name: string): boolean => isHugePages(name) || name.startsWith(`requests.${HUGE_PAGES}`)
const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/')
export const isQuotaResource = (name: string): boolean => QUOTA.has(name) || isQuotaHugePages(name)

export function isOvercommitAllowed(name: string): boolean {
  return isNative(name) && !isHugePages(name)
}

function isExtended(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && qualifiedNameErrors(`requests.${name}`).length === 0
}

export function* nonNegative(value: unknown, field: string): Iterable<FieldError> {
  if (typeof value === 'number' && value < 0) yield invalid(field, value, NEGATIVE)
}

export function* nonNegativeQuantity(value: unknown, field: string): Iterable<FieldError> {
  const parsed = quantity(value)
  if (parsed.mantissa < 0n) yield invalid(field, quantityText(parsed), NEGATIVE)
}

export function* positiveQuantity(value: unknown, field: string): Iterable<FieldError> {
  const parsed = quantity(value)
  if (parsed.mantissa <= 0n) yield invalid(field, quantityText(parsed), NOT_POSITIVE)
}

/** Not negative, and whole where a thing is counted. */
export function* resourceQuantityErrors(name: string, value: unknown, field: string): Iterable<FieldError> {
  yield* nonNegativeQuantity(value, field)
  if ((COUNTED.includes(name) || isExtended(name)) && milliValue(quantity(value)) % 1000n !== 0n)
    yield invalid(field, typed('resource.Quantity', value), NOT_INTEGER)
}

export function* basicResourceErrors(value: unknown, field: string): Iterable<FieldError> {
  const whole = wholeValue(quantity(value))
  if (whole < 0n) yield invalid(field, Number(whole), 'must be a valid resource quantity')
}

export function* resourceNameErrors(name: string, field: string): Iterable<FieldError> {
  const errors = qualifiedNameErrors(name)
  for (const detail of errors) yield invalid(field, name, detail)
  if (errors.length === 0 && !name.includes('/') && !STANDARD.has(name) && !isQuotaHugePages(name))
    yield invalid(field, name, 'must be a standard resource type or fully qualified')
}

export function* containerResourceNameErrors(name: string, field: string): Iterable<FieldError> {
  yield* resourceNameErrors(name, field)
  if (!name.includes('/')) {
    if (!COMPUTE.includes(name) && !isHugePages(name)) yield invalid(field, name, 'must be a standard resource for containers')
  } else if (!isNative(name) && !isExtended(name)) yield invalid(field, name, "doesn't follow extended resource name standard")
}

export function* quotaResourceNameErrors(name: string, field: string): Iterable<FieldError> {
  yield* resourceNameErrors(name, field)
  if (!name.includes('/') && !isQuotaResource(name)) yield invalid(field, name, 'must be a standard resource for quota')
}

/** Requests and limits of a container. */
export function* requirementErrors(requirements: JsonObject, field: string): Iterable<FieldError> {
  const [limits, requests] = [object(requirements['limits']), object(requirements['requests'])]
  for (const [name, limit] of entries(limits)) {
    yield* containerResourceNameErrors(name, `${field}.limits[${name}]`)
    yield* resourceQuantityErrors(name, limit, `${field}.limits[${name}]`)
  }
  for (const [name, request] of entries(requests)) {
    yield* containerResourceNameErrors(name, `${field}.requests[${name}]`)
    yield* resourceQuantityErrors(name, request, `${field}.requests[${name}]`)
    const limit = limits[name]
    if (limit !== undefined) {
      const difference = compareQuantities(quantity(request), quantity(limit))
      const [shown, most] = [quantityText(quantity(request)), quantityText(quantity(limit))]
      if (difference !== 0 && !isOvercommitAllowed(name)) yield invalid(`${field}.requests`, shown, `must be equal to ${name} limit of ${most}`)
      else if (difference > 0) yield invalid(`${field}.requests`, shown, `must be less than or equal to ${name} limit of ${most}`)
    } else if (!isOvercommitAllowed(name)) yield required(`${field}.limits`, 'Limit must be set for non overcommitable resources')
  }
  const named = [...Object.keys(limits), ...Object.keys(requests)]
  if (named.some(isHugePages) && !named.some((name) => name === 'cpu' || name === 'memory')) yield forbidden(field, 'HugePages require cpu or memory')
}
