import { createCelEnvironment } from '../cel/environment.ts'
import type { CelEnvironment, CelProgram, CelType } from '../cel/interface.ts'
import { isObject } from '../json.ts'
import type { FieldError } from '../validation/fieldError.ts'
import { fieldErrorBody } from '../validation/fieldError.ts'
import { oldItemOf, type Correlated } from './correlation.ts'
import { validFieldPath } from './fieldPath.ts'
import { celTypeOf } from './ruleTypes.ts'
import { childPath, indexPath, isEmbedded, itemsOf, keyPath, propertiesOf, rulesOf, typeOf, valuesOf, type Rule, type SchemaNode } from './schemaNode.ts'
import { duplicateValue, forbiddenValue, invalidOmitted, invalidValue, requiredValue } from './shown.ts'

/** Upstream's limit of one expression, and of all rules of one object. */
export const PER_CALL_LIMIT = 1_000_000
export const RUNTIME_BUDGET = 10_000_000
const MAX_MESSAGE_BYTES = 5 * 1024

/** A rule made ready, or why it cannot be. */
export interface CompiledRule {
  rule: Rule
  program: CelProgram | null
  message: CelProgram | null
  usesOldSelf: boolean
  /** The rule's fieldPath as errors show it, below the value's own. */
  fieldPath: string
  error: string | null
  messageError: string | null
}

/** Compiles the rules of one schema node, not of what is in it. */
export function compileRules(schema: SchemaNode, type: CelType, rules: readonly Rule[] = rulesOf(schema)): CompiledRule[] {
  let plain: CelEnvironment | null = null
  let optional: CelEnvironment | null = null
  return rules.map((rule) => {
    const environment =
      rule.optionalOldSelf === true
        ? (optional ??= createCelEnvironment({ variables: { self: type, oldSelf: { kind: 'optional', of: type } } }))
        : (plain ??= createCelEnvironment({ variables: { self: type, oldSelf: type } }))
    return compileRule(schema, rule, environment)
  })
}

function compileRule(schema: SchemaNode, rule: Rule, environment: CelEnvironment): CompiledRule {
  const compiled: CompiledRule = { rule, program: null, message: null, usesOldSelf: false, fieldPath: '', error: null, messageError: null }
  if (rule.rule.trim() === '') return compiled
  const { program, error } = environment.compile(rule.rule)
  if (program === undefined) return { ...compiled, error: `compilation failed: ${error}` }
  if (program.type !== 'bool') return { ...compiled, error: 'cel expression must evaluate to a bool' }
  compiled.program = program
  compiled.usesOldSelf = program.uses.has('oldSelf')
  if ((rule.messageExpression ?? '') !== '') {
    const message = environment.compile(rule.messageExpression ?? '')
    if (message.program === undefined) return { ...compiled, messageError: `messageExpression compilation failed: ${message.error}` }
    if (message.program.type !== 'string') return { ...compiled, messageError: 'messageExpression must evaluate to a string' }
    compiled.message = message.program
  }
  if ((rule.fieldPath ?? '') !== '') {
    const path = validFieldPath(rule.fieldPath ?? '', schema)
    if (path.error === undefined) compiled.fieldPath = path.path
  }
  return compiled
}

interface Ratchet {
  current: Correlated | null
  nearest: Correlated | null
}

const NO_RATCHET: Ratchet = { current: null, nearest: null }

function keyRatchet(ratchet: Ratchet, field: string): Ratchet {
  if (ratchet.current === null) return ratchet
  if (ratchet.nearest === null && (field === 'apiVersion' || field === 'kind')) return NO_RATCHET
  return { current: ratchet.current.key(field), nearest: ratchet.current }
}

function indexRatchet(ratchet: Ratchet, index: number): Ratchet {
  return ratchet.current === null ? ratchet : { current: ratchet.current.index(index), nearest: ratchet.current }
}

const unchanged = ({ current, nearest }: Ratchet): boolean => (current === null ? nearest?.same() === true : current.same())

/** What rules found, what they only warn of because nothing changed there, and what is left of the budget (negative: used up). */
interface Run {
  errors: FieldError[]
  warnings: string[]
  budget: number
}

/**
 * The x-kubernetes-validations of a schema and of everything in it.
 *
 * @see k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go
 */
export class RuleValidator {
  readonly #schema: SchemaNode
  readonly #rules: CompiledRule[]
  readonly #type: CelType | null
  readonly #items: RuleValidator | null
  readonly #values: RuleValidator | null
  readonly #properties: ReadonlyMap<string, RuleValidator>

  private constructor(schema: SchemaNode, isResourceRoot: boolean) {
    this.#schema = schema
    this.#type = celTypeOf(schema, isResourceRoot)
    this.#rules = this.#type === null ? [] : compileRules(schema, this.#type)
    const [items, values] = [itemsOf(schema), valuesOf(schema)]
    this.#items = items === undefined ? null : RuleValidator.of(items, isEmbedded(items))
    this.#values = values === undefined ? null : RuleValidator.of(values, isEmbedded(values))
    const properties = new Map<string, RuleValidator>()
    for (const [name, property] of Object.entries(propertiesOf(schema))) {
      const inner = celTypeOf(property, isEmbedded(property)) === null ? null : RuleValidator.of(property, isEmbedded(property))
      if (inner !== null) properties.set(name, inner)
    }
    this.#properties = properties
  }

  /** Null when there is no rule anywhere in the schema. */
  static of(schema: SchemaNode | undefined, isResourceRoot: boolean): RuleValidator | null {
    return schema === undefined || !hasRules(schema) ? null : new RuleValidator(schema, isResourceRoot)
  }

  /** @param old the stored value for updates; null on create */
  validate(value: unknown, old: unknown, options: { path?: string; correlated?: Correlated | null; budget?: number } = {}): Run {
    const run: Run = { errors: [], warnings: [], budget: options.budget ?? RUNTIME_BUDGET }
    this.#validate(options.path ?? '', value, old ?? null, { current: options.correlated ?? null, nearest: null }, run)
    return run
  }

  #validate(path: string, value: unknown, old: unknown, ratchet: Ratchet, run: Run): void {
    if (value === null || value === undefined) return
    this.#evaluate(path, value, old, ratchet, run)
    if (run.budget < 0) return
    if (Array.isArray(value)) {
      if (this.#items === null) return
      for (const [index, each] of value.entries()) {
        this.#items.#validate(indexPath(path, index), each, oldItemOf(this.#schema, old, each) ?? null, indexRatchet(ratchet, index), run)
        if (run.budget < 0) return
      }
      return
    }
    if (!isObject(value)) return
    for (const [key, each] of Object.entries(value)) {
      const before = isObject(old) && Object.hasOwn(old, key) ? old[key] : null
      const property = this.#properties.get(key)
      if (this.#values !== null) this.#values.#validate(keyPath(path, key), each, before, keyRatchet(ratchet, key), run)
      if (run.budget >= 0 && property !== undefined) property.#validate(childPath(path, key), each, before, keyRatchet(ratchet, key), run)
      if (run.budget < 0) return
    }
  }

  #evaluate(path: string, value: unknown, old: unknown, ratchet: Ratchet, run: Run): void {
    const field = path === '' ? '<nil>' : path
    const type = typeOf(this.#schema)
    if (this.#rules.length > 0 && run.budget <= 0) {
      run.errors.push(invalidValue(field, type, OUT_OF_BUDGET))
      run.budget = -1
      return
    }
    for (const compiled of this.#rules) {
      const { rule, program } = compiled
      if (compiled.error !== null) {
        run.errors.push(invalidValue(field, type, `rule compile error: ${compiled.error}`))
        continue
      }
      if (program === null) continue
      const optionalOld = rule.optionalOldSelf === true
      if (compiled.usesOldSelf && old === null && !optionalOld) continue
      const variables = { self: value, oldSelf: old ?? undefined }
      const result = program.evaluate(variables, { costLimit: PER_CALL_LIMIT })
      if (result.cost > run.budget) {
        run.errors.push(invalidValue(field, type, OUT_OF_BUDGET))
        run.budget = -1
        return
      }
      run.budget -= result.cost
      if (result.error !== undefined) {
        const text = ruleText(rule)
        if (result.costExceeded === true) {
          run.errors.push(
            invalidValue(field, type, `'${result.error}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`),
          )
          run.budget = -1
          return
        }
        const detail = result.error.startsWith('no such overload')
          ? `'${result.error}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`
          : `${result.error} evaluating rule: ${text}`
        run.errors.push(invalidValue(field, type, detail))
        continue
      }
      if (result.value === true) continue
      const at = compiled.fieldPath === '' ? path : childPath(path, compiled.fieldPath)
      this.#fail(at === '' ? '<nil>' : at, value, compiled, variables, ratchet, run)
      if (run.budget < 0) return
    }
  }

  #fail(field: string, value: unknown, compiled: CompiledRule, variables: Record<string, unknown>, ratchet: Ratchet, run: Run): void {
    const add = (error: FieldError): void => {
      if (!compiled.usesOldSelf && unchanged(ratchet)) run.warnings.push(`${error.field}: ${fieldErrorBody(error)}`)
      else run.errors.push(error)
    }
    let detail = messageOf(compiled.rule)
    if (compiled.message !== null) {
      const { cost, error, costExceeded, value: text } = compiled.message.evaluate(variables, { costLimit: PER_CALL_LIMIT })
      const type = typeOf(this.#schema)
      if (cost > run.budget || costExceeded === true) {
        add(
          invalidValue(
            field,
            type,
            cost > run.budget
              ? 'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run'
              : `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(compiled.rule.messageExpression)}`,
          ),
        )
        run.budget = -1
        return
      }
      run.budget -= cost
      const trimmed = error === undefined && typeof text === 'string' ? text.trim() : ''
      // A message that is no good gives way to the rule's own.
      if (trimmed !== '' && !trimmed.includes('\n') && new TextEncoder().encode(trimmed).length <= MAX_MESSAGE_BYTES) detail = trimmed
    }
    const structured = isObject(value) || Array.isArray(value)
    add(errorOf(field, structured ? null : { value }, detail, compiled.rule.reason))
  }
}

const OUT_OF_BUDGET = 'validation failed due to running out of cost budget, no further validation rules will be run'

function errorOf(field: string, shown: { value: unknown } | null, detail: string, reason: string | undefined): FieldError {
  switch (reason) {
    case 'FieldValueForbidden':
      return forbiddenValue(field, detail)
    case 'FieldValueRequired':
      return requiredValue(field, detail)
    case 'FieldValueDuplicate':
      return shown === null ? { type: 'Duplicate', field, value: '', detail: '' } : duplicateValue(field, shown.value)
    default:
      return shown === null ? invalidOmitted(field, detail) : invalidValue(field, shown.value, detail)
  }
}

function ruleText(rule: Rule): string {
  return (rule.message ?? '') === '' ? rule.rule.trim() : (rule.message ?? '').trim()
}

function messageOf(rule: Rule): string {
  return (rule.message ?? '') === '' ? `failed rule: ${rule.rule.trim()}` : (rule.message ?? '').trim()
}

/** Whether rules stand anywhere in a schema, as upstream looks for them (not in allOf and its kin). */
export function hasRules(schema: SchemaNode): boolean {
  const [items, values] = [itemsOf(schema), valuesOf(schema)]
  return (
    rulesOf(schema).length > 0 ||
    (items !== undefined && hasRules(items)) ||
    (values !== undefined && hasRules(values)) ||
    Object.values(propertiesOf(schema)).some((property) => isObject(property) && hasRules(property))
  )
}
