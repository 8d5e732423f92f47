import { matchesRegex, regexError } from '../cel/functions/regex.ts'
import { deepEqual, isObject } from '../json.ts'
import type { FieldError } from '../validation/fieldError.ts'
import type { Correlated } from './correlation.ts'
import { isOfFormat, supportedFormat } from './formats.ts'
import { branchesOf, childPath, isIntOrString, isNullable, itemsOf, propertiesOf, typeOf, valuesOf, type SchemaNode } from './schemaNode.ts'
import { goShown, invalidValue, requiredValue, tooLong, tooMany, unsupportedValue } from './shown.ts'

/** What one check found wrong: a field error of a named field, or (name null) a sentence about a whole value. */
interface Finding {
  name: string | null
  message: string
  error: (field: string) => FieldError
}

/** Findings, and how many checks were passed, by which `anyOf` and `oneOf` choose whose findings to tell. */
interface Result {
  findings: Finding[]
  matched: number
}

/** Where validation stands: the value beside its old one, for what may stay as it was. */
interface Ratchet {
  node: Correlated
  path: string
}

const none = (matched = 0): Result => ({ findings: [], matched })
const one = (finding: Finding): Result => ({ findings: [finding], matched: 0 })

function merge(into: Result, other: Result): void {
  for (const finding of other.findings) if (!into.findings.some((each) => each.message === finding.message)) into.findings.push(finding)
  into.matched += other.matched
}

const invalidFinding = (name: string, value: unknown, message: string): Finding => ({ name, message, error: (field) => invalidValue(field, value, message) })
const sentence = (message: string): Finding => ({ name: null, message, error: (field) => invalidValue(field, '', message) })

function wrongType(path: string, type: string, value: string): Finding {
  const message = `${path} in body must be of type ${type}: ${JSON.stringify(value)}`
  return { name: path, message, error: (field) => ({ type: 'TypeInvalid', field, value: goShown(value), detail: message }) }
}

/** JSON's kind of a value, and the format Go's decoder gives it. */
function kindOf(value: unknown): { type: string; format: string } {
  if (typeof value === 'boolean') return { type: 'boolean', format: '' }
  if (typeof value === 'string') return { type: 'string', format: '' }
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? { type: 'integer', format: 'int64' } : { type: 'number', format: 'float64' }
  return { type: Array.isArray(value) ? 'array' : 'object', format: '' }
}

/**
 * Errors of a value against an OpenAPI v3 schema, with upstream's words and fields.
 *
 * @param path where the value stands; '' for the whole object
 * @param correlated for updates: what is invalid, was so before and did not change, is let pass
 * @see k8s.io/kube-openapi/pkg/validation/validate, k8s.io/apiextensions-apiserver/pkg/apiserver/validation
 */
export function schemaErrors(value: unknown, schema: SchemaNode | undefined, options: { path?: string; correlated?: Correlated } = {}): FieldError[] {
  if (schema === undefined) return []
  const { path = '', correlated } = options
  const result = correlated === undefined ? validate(value, schema, '', null) : validateRatcheting(schema, '', correlated)
  return result.findings.map(({ name, error }) => {
    const own = name === null || name === '' || name === '.' ? '' : name.replace(/^\./, '')
    const field = own === '' ? path : childPath(path, own)
    return error(field === '' ? '<nil>' : field)
  })
}

function validateRatcheting(schema: SchemaNode, path: string, node: Correlated): Result {
  const result = validate(node.value, schema, path, { node, path })
  return result.findings.length > 0 && node.same() ? none(result.matched) : result
}

function typesOf(schema: SchemaNode): string[] {
  if (isIntOrString(schema)) return ['integer', 'string']
  const type = typeOf(schema)
  return type === '' ? [] : [type]
}

function validate(value: unknown, schema: SchemaNode, path: string, ratchet: Ratchet | null): Result {
  const types = typesOf(schema)
  const format = supportedFormat(types, schema['format'])
  const result = none()
  if (value === null || value === undefined) {
    merge(result, types.length > 0 && !types.includes('null') && !isNullable(schema) ? one(wrongType(path, types.join(','), 'null')) : none(1))
    merge(result, enumResult(null, schema, path))
    return result
  }
  const step = (check: Result): void => {
    merge(result, check)
    result.matched += 1
  }
  if (types.length > 0 || format !== '') step(typeResult(value, types, format, path))
  step(combinations(value, schema, path))
  if (typeof value === 'string') {
    step(textResult(value, schema, path))
    const fits = format === '' ? null : isOfFormat(format, value)
    if (fits !== null) step(fits ? none() : one(wrongType(path, format, value)))
  }
  if (typeof value === 'number') step(numberResult(value, types, format, schema, path))
  if (Array.isArray(value)) step(arrayResult(value, schema, path, ratchet))
  step(enumResult(value, schema, path))
  if (isObject(value)) step(objectResult(value, schema, path, ratchet))
  result.matched += 1
  return result
}

function typeResult(value: unknown, types: readonly string[], format: string, path: string): Result {
  const kind = kindOf(value)
  const scalar = typeof value !== 'string' && !Array.isArray(value)
  const intAsFloat = kind.type === 'integer' && types.includes('number')
  const wholeFloat = kind.type === 'number' && types.includes('integer') && Number.isInteger(value)
  const fits = types.includes(kind.type) || intAsFloat || wholeFloat
  if (scalar && format !== '' && !fits && kind.format !== format) return one(wrongType(path, format, kind.format))
  if (!types.includes('number') && !types.includes('integer') && format !== '' && !scalar) return none(1)
  return fits ? none(1) : one(wrongType(path, types.join(','), kind.type))
}

function numberAt(schema: SchemaNode, name: string): number | null {
  const value = schema[name]
  return typeof value === 'number' ? value : null
}

function textResult(text: string, schema: SchemaNode, path: string): Result {
  const size = Array.from(text).length
  const [max, min, { pattern }] = [numberAt(schema, 'maxLength'), numberAt(schema, 'minLength'), schema]
  if (max !== null && size > max)
    return one({ name: path, message: `${path} in body should be at most ${String(max)} chars long`, error: (field) => tooLong(field, max) })
  if (min !== null && size < min) return one(invalidFinding(path, text, `${path} in body should be at least ${String(min)} chars long`))
  if (typeof pattern === 'string' && pattern !== '') {
    const broken = regexError(pattern)
    if (broken !== null) return one(invalidFinding(path, text, `${path} in body should match '${pattern}, but pattern is invalid: ${broken}'`))
    if (!matchesRegex(text, pattern)) return one(invalidFinding(path, text, `${path} in body should match '${pattern}'`))
  }
  return none()
}

/** Whether a number is in the range of the type, and why not. */
function rangeError(value: number, types: readonly string[], format: string, what: string, path: string): Finding | null {
  const single = types.length === 1 ? types[0] : ''
  const integer = single === 'integer'
  if (integer) {
    const limit = format === 'int32' ? 2 ** 31 : 2 ** 63
    if (Number.isInteger(value) && value >= -limit && value < limit) return null
    return sentence(`${what} value must be of type integer ${format === '' ? '(default format)' : `with format ${format}`} in ${path}`)
  }
  if (single === 'number' && format === 'float' && Math.abs(value) > 3.4028234663852886e38)
    return sentence(`${what} value must be of type number with format float in ${path}`)
  return null
}

function numberResult(value: number, types: readonly string[], format: string, schema: SchemaNode, path: string): Result {
  const result = none()
  const tell = (finding: Finding | null): void => {
    if (finding !== null) merge(result, one(finding))
  }
  tell(rangeError(value, types, format, 'Checked', path))
  const multiple = numberAt(schema, 'multipleOf')
  if (multiple !== null) {
    tell(rangeError(multiple, types, format, 'MultipleOf', path))
    const whole = Number.isInteger(value)
    const factor = whole ? Math.trunc(multiple) : multiple
    if (factor <= 0) tell(invalidFinding(path, factor, `factor MultipleOf declared for ${path} must be positive: ${String(factor)}`))
    else if (whole ? value % factor !== 0 : !isWhole(factor < 1 ? (1 / factor) * value : value / factor))
      tell(invalidFinding(path, value, `${path} in body should be a multiple of ${String(factor)}`))
  }
  const bound = (name: 'maximum' | 'minimum', exclusive: boolean): void => {
    const limit = numberAt(schema, name)
    if (limit === null) return
    tell(rangeError(limit, types, format, name === 'maximum' ? 'Maximum boundary' : 'Minimum boundary', path))
    const shown = Number.isInteger(value) ? Math.trunc(limit) : limit
    const outside = name === 'maximum' ? (exclusive ? value >= shown : value > shown) : exclusive ? value <= shown : value < shown
    const side = name === 'maximum' ? 'less than' : 'greater than'
    if (outside) tell(invalidFinding(path, value, `${path} in body should be ${side}${exclusive ? '' : ' or equal to'} ${String(shown)}`))
  }
  bound('maximum', schema['exclusiveMaximum'] === true)
  bound('minimum', schema['exclusiveMinimum'] === true)
  result.matched += 1
  return result
}

/** swag's IsFloat64AJSONInteger: within a relative error of 1e-9 of a whole number. */
function isWhole(value: number): boolean {
  if (!Number.isFinite(value) || Math.abs(value) > 2 ** 53) return false
  const difference = Math.abs(value - Math.trunc(value))
  if (value === Math.trunc(value)) return true
  return difference / (Math.abs(value) + Math.abs(Math.trunc(value))) < 1e-9
}

function arrayResult(list: readonly unknown[], schema: SchemaNode, path: string, ratchet: Ratchet | null): Result {
  const result = none()
  const items = itemsOf(schema)
  if (items !== undefined)
    for (const [index, each] of list.entries()) {
      const at = `${path}[${String(index)}]`
      const node = ratchet?.node.index(index) ?? null
      // What cannot be told from one version to the next is not let pass, and nothing in it.
      merge(result, node === null ? validate(each, items, at, null) : validateRatcheting(items, at, node))
    }
  const [min, max] = [numberAt(schema, 'minItems'), numberAt(schema, 'maxItems')]
  if (min !== null && list.length < min) merge(result, one(invalidFinding(path, list.length, `${path} in body should have at least ${String(min)} items`)))
  if (max !== null && list.length > max)
    merge(result, one({ name: path, message: `${path} in body should have at most ${String(max)} items`, error: (field) => tooMany(field, list.length, max) }))
  if (schema['uniqueItems'] === true && list.some((each, index) => list.slice(0, index).some((other) => deepEqual(each, other))))
    merge(result, one(invalidFinding(path, '', `${path} in body shouldn't contain duplicates`)))
  result.matched += 1
  return result
}

function enumResult(value: unknown, schema: SchemaNode, path: string): Result {
  const allowed = schema['enum']
  if (!Array.isArray(allowed) || allowed.length === 0) return none()
  if (value !== null && allowed.some((each) => deepEqual(each, value))) return none()
  const texts = allowed.map((each) => (typeof each === 'string' ? each : goShown(each)))
  const message = `${path} in body should be one of [${texts.join(' ')}]`
  return one({ name: path, message, error: (field) => unsupportedValue(field, value, texts) })
}

function objectResult(value: Readonly<Record<string, unknown>>, schema: SchemaNode, path: string, ratchet: Ratchet | null): Result {
  const result = none()
  const count = Object.keys(value).length
  const [min, max] = [numberAt(schema, 'minProperties'), numberAt(schema, 'maxProperties')]
  if (min !== null && count < min) merge(result, one(invalidFinding(path, count, `${path} in body should have at least ${String(min)} properties`)))
  if (max !== null && count > max)
    merge(result, one({ name: path, message: `${path} in body should have at most ${String(max)} properties`, error: (field) => tooMany(field, count, max) }))
  const properties = propertiesOf(schema)
  const member = (key: string, inner: SchemaNode, at: string): Result => {
    const node = ratchet?.node.key(key) ?? null
    // Of the root, kind and apiVersion are never let pass: both sides are in the request's version.
    if (ratchet === null || node === null || (ratchet.path === '' && (key === 'kind' || key === 'apiVersion'))) return validate(value[key], inner, at, null)
    return validateRatcheting(inner, at, node)
  }
  const others = valuesOf(schema)
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(properties, key)) continue
    if (schema['additionalProperties'] === false)
      merge(
        result,
        one({
          name: path,
          message: `${path}.${key} in body is a forbidden property`,
          error: (field) => invalidValue(field, key, `${path}.${key} in body is a forbidden property`),
        }),
      )
    else if (others !== undefined) merge(result, member(key, others, `${path}.${key}`))
  }
  for (const [key, property] of Object.entries(properties))
    if (Object.hasOwn(value, key)) merge(result, member(key, property, path === '' ? key : `${path}.${key}`))
  const { required } = schema
  for (const key of Array.isArray(required) ? required.map(String) : [])
    if (!Object.hasOwn(value, key))
      merge(result, one({ name: `${path}.${key}`, message: `${path}.${key} in body is required`, error: (field) => requiredValue(field) }))
  return result
}

/** anyOf, oneOf, allOf and not: nothing within them is let pass for having been so before. */
function combinations(value: unknown, schema: SchemaNode, path: string): Result {
  const result = none()
  const run = (branch: SchemaNode): Result => validate(value, branch, path, null)
  const anyOf = branchesOf(schema, 'anyOf')
  if (anyOf.length > 0) merge(result, anyOfResult(anyOf, run, path))
  const oneOf = branchesOf(schema, 'oneOf')
  if (oneOf.length > 0) merge(result, oneOfResult(oneOf, run, path))
  const allOf = branchesOf(schema, 'allOf')
  if (allOf.length > 0) {
    const results = allOf.map(run)
    for (const each of results) merge(result, each)
    const valid = results.filter(({ findings }) => findings.length === 0).length
    if (valid !== allOf.length)
      merge(result, one(sentence(`${JSON.stringify(path)} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`)))
  }
  const { not } = schema
  if (isObject(not) && run(not).findings.length === 0) merge(result, one(sentence(`${JSON.stringify(path)} must not validate the schema (not)`)))
  result.matched += 1
  return result
}

function anyOfResult(branches: readonly SchemaNode[], run: (branch: SchemaNode) => Result, path: string): Result {
  const result = none()
  let best: Result | null = null
  for (const branch of branches) {
    const each = run(branch)
    if (each.findings.length === 0) return each
    if (best === null || each.matched > best.matched) best = each
  }
  merge(result, one(sentence(`${JSON.stringify(path)} must validate at least one schema (anyOf)`)))
  if (best !== null) merge(result, best)
  return result
}

function oneOfResult(branches: readonly SchemaNode[], run: (branch: SchemaNode) => Result, path: string): Result {
  const result = none()
  let best: Result | null = null
  let first: Result | null = null
  let valid = 0
  for (const branch of branches) {
    const each = run(branch)
    if (each.findings.length === 0) {
      valid += 1
      best = null
      first ??= each
    } else if (valid === 0 && (best === null || each.matched > best.matched)) best = each
  }
  if (valid === 1 && first !== null) return first
  const why = valid === 0 ? 'Found none valid' : `Found ${String(valid)} valid alternatives`
  merge(result, one(sentence(`${JSON.stringify(path)} must validate one and only one schema (oneOf). ${why}`)))
  if (best !== null) merge(result, best)
  return result
}
