import type { JsonObject } from '../json.ts'
import { forbidden, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import { labelErrors, labelNameErrors } from './metadata.ts'
import { dnsLabelErrors, labelValueErrors, qualifiedNameErrors, subdomainName } from './names.ts'
import { has, number, object, objects, pointer, text, texts, entries } from './values.ts'

/** A metav1.LabelSelector. */
export function* labelSelectorErrors(selector: unknown, field: string): Iterable<FieldError> {
  const given = pointer(selector)
  if (given === null) return
  yield* labelErrors(given['matchLabels'], `${field}.matchLabels`)
  for (const [index, requirement] of objects(given['matchExpressions']).entries()) {
    const path = `${field}.matchExpressions[${String(index)}]`
    const values = texts(requirement['values'])
    switch (requirement['operator']) {
      case 'In':
      case 'NotIn':
        if (values.length === 0) yield required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
        break
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0) yield forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        break
      default:
        yield invalid(`${path}.operator`, text(requirement['operator']), 'not a valid selector operator')
    }
    yield* labelNameErrors(text(requirement['key']), `${path}.key`)
  }
}

export function isEmptySelector(selector: JsonObject): boolean {
  return entries(selector['matchLabels']).length + objects(selector['matchExpressions']).length === 0
}

/** Whether labels.Selector can be made of it; what makes it impossible was told by labelSelectorErrors, bad values aside. */
export function isUsableSelector(selector: unknown): boolean {
  const given = pointer(selector)
  if (given === null) return true
  const named = (key: string): boolean => qualifiedNameErrors(key).length === 0
  const valued = (values: string[]): boolean => values.every((each) => labelValueErrors(each).length === 0)
  return (
    entries(given['matchLabels']).every(([key, value]) => named(key) && valued([value])) &&
    objects(given['matchExpressions']).every((requirement) => {
      const values = texts(requirement['values'])
      const operator = text(requirement['operator'])
      const counted =
        operator === 'In' || operator === 'NotIn' ? values.length > 0 : (operator === 'Exists' || operator === 'DoesNotExist') && values.length === 0
      return counted && named(text(requirement['key'])) && valued(values)
    })
  )
}

function* nodeRequirementErrors(requirement: JsonObject, field: string): Iterable<FieldError> {
  const values = texts(requirement['values'])
  switch (requirement['operator']) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) yield required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) yield forbidden(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
      break
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) yield required(`${field}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")
      break
    default:
      yield invalid(`${field}.operator`, text(requirement['operator']), 'not a valid selector operator')
  }
  yield* labelNameErrors(text(requirement['key']), `${field}.key`)
}

function* nodeFieldRequirementErrors(requirement: JsonObject, field: string): Iterable<FieldError> {
  const values = texts(requirement['values'])
  const operator = text(requirement['operator'])
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length !== 1) yield required(`${field}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")
  } else yield invalid(`${field}.operator`, operator, 'not a valid selector operator')
  const key = text(requirement['key'])
  if (key !== 'metadata.name') yield invalid(`${field}.key`, key, 'not a valid field selector key')
  else
    for (const [index, value] of values.entries())
      for (const detail of subdomainName(value, false)) yield invalid(`${field}.values[${String(index)}]`, value, detail)
}

function* nodeTermErrors(term: JsonObject, field: string): Iterable<FieldError> {
  for (const [index, each] of objects(term['matchExpressions']).entries()) yield* nodeRequirementErrors(each, `${field}.matchExpressions[${String(index)}]`)
  for (const [index, each] of objects(term['matchFields']).entries()) yield* nodeFieldRequirementErrors(each, `${field}.matchFields[${String(index)}]`)
}

/** A v1.NodeSelector: terms of which one must match. */
export function* nodeSelectorErrors(selector: JsonObject, field: string): Iterable<FieldError> {
  const terms = objects(selector['nodeSelectorTerms'])
  if (terms.length === 0) yield required(`${field}.nodeSelectorTerms`, 'must have at least one node selector term')
  for (const [index, term] of terms.entries()) yield* nodeTermErrors(term, `${field}.nodeSelectorTerms[${String(index)}]`)
}

function* podTermErrors(term: JsonObject, field: string): Iterable<FieldError> {
  yield* labelSelectorErrors(term['labelSelector'], `${field}.matchExpressions`)
  for (const name of texts(term['namespaces'])) for (const detail of dnsLabelErrors(name)) yield invalid(`${field}.namespace`, name, detail)
  const key = text(term['topologyKey'])
  if (key === '') yield required(`${field}.topologyKey`, 'can not be empty')
  yield* labelNameErrors(key, `${field}.topologyKey`)
}

function* weightErrors(term: JsonObject, field: string): Iterable<FieldError> {
  const weight = number(term['weight'])
  if (weight <= 0 || weight > 100) yield invalid(`${field}.weight`, weight, 'must be in the range 1-100')
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution'
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'

export function* affinityErrors(affinity: unknown, field: string): Iterable<FieldError> {
  const given = object(affinity)
  const node = pointer(given['nodeAffinity'])
  if (node !== null) {
    const path = `${field}.nodeAffinity`
    const needed = pointer(node[REQUIRED])
    if (needed !== null) yield* nodeSelectorErrors(needed, `${path}.${REQUIRED}`)
    for (const [index, term] of objects(node[PREFERRED]).entries()) {
      const at = `${path}.${PREFERRED}[${String(index)}]`
      yield* weightErrors(term, at)
      yield* nodeTermErrors(object(term['preference']), `${at}.preference`)
    }
  }
  for (const kind of ['podAffinity', 'podAntiAffinity']) {
    const pods = pointer(given[kind])
    if (pods === null) continue
    const path = `${field}.${kind}`
    for (const [index, term] of objects(pods[REQUIRED]).entries()) yield* podTermErrors(term, `${path}.${REQUIRED}[${String(index)}]`)
    for (const [index, term] of objects(pods[PREFERRED]).entries()) {
      const at = `${path}.${PREFERRED}[${String(index)}]`
      yield* weightErrors(term, at)
      yield* podTermErrors(object(term['podAffinityTerm']), `${at}.podAffinityTerm`)
    }
  }
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

export function* taintEffectErrors(effect: string, allowEmpty: boolean, field: string): Iterable<FieldError> {
  if (!allowEmpty && effect === '') yield required(field)
  else if (!EFFECTS.includes(effect)) yield notSupported(field, effect, EFFECTS)
}

export function* tolerationErrors(tolerations: JsonObject[], field: string): Iterable<FieldError> {
  for (const [index, toleration] of tolerations.entries()) {
    const path = `${field}[${String(index)}]`
    const [key, operator, value, effect] = [toleration['key'], toleration['operator'], toleration['value'], toleration['effect']].map(text) as [
      string,
      string,
      string,
      string,
    ]
    if (key !== '') yield* labelNameErrors(key, `${path}.key`)
    if (key === '' && operator !== 'Exists')
      yield invalid(`${path}.operator`, operator, 'operator must be Exists when `key` is empty, which means "match all values and all keys"')
    if (has(toleration['tolerationSeconds']) && effect !== 'NoExecute')
      yield invalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
    switch (operator) {
      case 'Equal':
      case '': {
        const errors = labelValueErrors(value)
        if (errors.length > 0) yield invalid(`${path}.operator`, value, errors.join(';'))
        break
      }
      case 'Exists':
        if (value !== '') yield invalid(`${path}.operator`, typed('core.v1.Toleration', toleration), "value must be empty when `operator` is 'Exists'")
        break
      default:
        yield notSupported(`${path}.operator`, operator, ['Equal', 'Exists'])
    }
    if (effect !== '') yield* taintEffectErrors(effect, true, `${path}.effect`)
  }
}
