import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { compareQuantities, milliValue, parseQuantity, quantityText, wholeValue, type Quantity } from '../quantity.ts'
import { duplicate, forbidden, invalid, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors } from './metadata.ts'
import { qualifiedNameErrors, subdomainName } from './names.ts'
import { containerResourceNameErrors, isOvercommitAllowed, quantity, resourceNameErrors } from './resources.ts'
import { entries, object, objects, text } from './values.ts'

const TYPES = new Set(['Pod', 'Container', 'PersistentVolumeClaim'])
/** Beyond it a quantity has no thousandths in an int64. */
const MAX_MILLI = 9_223_372_036_854_775n
const ONE = parseQuantity('1') ?? quantity('1')

function* typeErrors(type: string, field: string): Iterable<FieldError> {
  const errors = qualifiedNameErrors(type)
  for (const detail of errors) yield invalid(field, type, detail)
  if (errors.length === 0 && !type.includes('/') && !TYPES.has(type)) yield invalid(field, type, 'must be a standard limit type or fully qualified')
}

function ratioOf(max: Quantity, min: Quantity, ratio: Quantity): { limit: number; ratio: number } {
  const small = [ratio, min, max].every((each) => wholeValue(each) < MAX_MILLI)
  const [high, low] = small ? [milliValue(max), milliValue(min)] : [wholeValue(max), wholeValue(min)]
  return { limit: Number(high) / Number(low), ratio: small ? Number(milliValue(ratio)) / 1000 : Number(wholeValue(ratio)) }
}

/** Go's %f. */
function fixed(value: number): string {
  return Number.isFinite(value) ? value.toFixed(6) : value > 0 ? '+Inf' : Number.isNaN(value) ? 'NaN' : '-Inf'
}

function* itemErrors(item: JsonObject, field: string): Iterable<FieldError> {
  const type = text(item['type'])
  const nameErrors = type === 'Pod' || type === 'Container' ? containerResourceNameErrors : resourceNameErrors
  const lists: Record<string, JsonObject> = { max: object(item['max']), min: object(item['min']) }
  const checked = function* (list: string): Iterable<FieldError> {
    for (const [name] of entries(item[list])) yield* nameErrors(name, `${field}.${list}[${name}]`)
    lists[list] = object(item[list])
  }
  yield* checked('max')
  yield* checked('min')
  for (const list of ['default', 'defaultRequest']) {
    if (type !== 'Pod') yield* checked(list)
    else if (Object.keys(object(item[list])).length > 0) yield forbidden(`${field}.${list}`, "may not be specified when `type` is 'Pod'")
  }
  if (type === 'PersistentVolumeClaim' && lists['min']?.['storage'] === undefined && lists['max']?.['storage'] === undefined)
    yield required(`${field}.limits`, 'either minimum or maximum storage value is required, but neither was provided')
  yield* checked('maxLimitRequestRatio')
  const names = [...new Set(Object.values(lists).flatMap((list) => Object.keys(list)))].sort()
  for (const name of names) yield* relationErrors(name, lists, field)
}

function* relationErrors(name: string, lists: Record<string, JsonObject>, field: string): Iterable<FieldError> {
  const at = (list: string): Quantity | null => (lists[list]?.[name] === undefined ? null : quantity(lists[list][name]))
  const [min, max, def, request, ratio] = ['min', 'max', 'default', 'defaultRequest', 'maxLimitRequestRatio'].map(at) as [
    Quantity | null,
    Quantity | null,
    Quantity | null,
    Quantity | null,
    Quantity | null,
  ]
  const shown = (each: Quantity): ReturnType<typeof typed> => typed('resource.Quantity', quantityText(each))
  const greater = (a: Quantity | null, b: Quantity | null): a is Quantity => a !== null && b !== null && compareQuantities(a, b) > 0
  const say = quantityText
  if (greater(min, max) && max !== null) yield invalid(`${field}.min[${name}]`, shown(min), `min value ${say(min)} is greater than max value ${say(max)}`)
  if (greater(min, request) && request !== null)
    yield invalid(`${field}.defaultRequest[${name}]`, shown(request), `min value ${say(min)} is greater than default request value ${say(request)}`)
  if (greater(request, max) && max !== null)
    yield invalid(`${field}.defaultRequest[${name}]`, shown(request), `default request value ${say(request)} is greater than max value ${say(max)}`)
  if (greater(request, def) && def !== null)
    yield invalid(`${field}.defaultRequest[${name}]`, shown(request), `default request value ${say(request)} is greater than default limit value ${say(def)}`)
  if (greater(min, def) && def !== null)
    yield invalid(`${field}.default[${name}]`, shown(min), `min value ${say(min)} is greater than default value ${say(def)}`)
  if (greater(def, max) && max !== null)
    yield invalid(`${field}.default[${name}]`, shown(max), `default value ${say(def)} is greater than max value ${say(max)}`)
  if (ratio !== null && compareQuantities(ratio, ONE) < 0)
    yield invalid(`${field}.maxLimitRequestRatio[${name}]`, shown(ratio), `ratio ${say(ratio)} is less than 1`)
  if (ratio !== null && min !== null && max !== null) {
    const compared = ratioOf(max, min, ratio)
    if (compared.ratio > compared.limit)
      yield invalid(`${field}.maxLimitRequestRatio[${name}]`, shown(ratio), `ratio ${say(ratio)} is greater than max/min = ${fixed(compared.limit)}`)
  }
  if (!isOvercommitAllowed(name) && def !== null && request !== null && compareQuantities(def, request) !== 0)
    yield invalid(`${field}.defaultRequest[${name}]`, shown(request), `default value ${say(def)} must equal to defaultRequest value ${say(request)} in ${name}`)
}

function* errors(limitRange: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(limitRange, { namespaced: true, name: subdomainName })
  const types = new Set<string>()
  for (const [index, item] of objects(object(limitRange['spec'])['limits']).entries()) {
    const field = `spec.limits[${String(index)}]`
    const type = text(item['type'])
    yield* typeErrors(type, `${field}.type`)
    if (types.has(type)) yield duplicate(`${field}.type`, type)
    types.add(type)
    yield* itemErrors(item, field)
  }
}

export const limitRangeRules: Rules = { create: errors, update: errors }
