import { isObject } from './json.ts'

export interface Requirement {
  key: string
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt'
  values: string[]
}

type Labels = Readonly<Record<string, string>> | undefined

function matches({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
    case 'Lt': {
      if (value === undefined || !/^-?\d+$/.test(value)) return false
      const difference = BigInt(value) - BigInt(values[0] ?? '0')
      return operator === 'Gt' ? difference > 0n : difference < 0n
    }
  }
}

/** Whether labels satisfy every requirement; none at all matches everything. */
export function matchesRequirements(requirements: readonly Requirement[], labels: Labels): boolean {
  return requirements.every((each) => matches(each, labels))
}

/** The requirements of a metav1.LabelSelector; null when it is absent, which matches nothing. An empty one matches everything. */
export function selectorRequirements(selector: unknown): Requirement[] | null {
  if (!isObject(selector)) return null
  const labels = isObject(selector['matchLabels']) ? selector['matchLabels'] : {}
  const requirements = Object.entries(labels).map(([key, value]): Requirement => ({ key, operator: 'In', values: [String(value)] }))
  for (const each of Array.isArray(selector['matchExpressions']) ? (selector['matchExpressions'] as unknown[]) : []) {
    if (!isObject(each)) continue
    const operator = String(each['operator']) as Requirement['operator']
    requirements.push({ key: String(each['key']), operator, values: Array.isArray(each['values']) ? each['values'].map(String) : [] })
  }
  return requirements
}

/** Whether a metav1.LabelSelector selects labels. */
export function matchesLabelSelector(selector: unknown, labels: Labels): boolean {
  const requirements = selectorRequirements(selector)
  return requirements !== null && matchesRequirements(requirements, labels)
}

/** A selector from a query parameter, or the message of the 400 that upstream answers. */
export type ParsedSelector = { requirements: Requirement[]; error?: undefined } | { error: string }

const KEY = /^([a-z0-9A-Z][-a-z0-9A-Z_.]*(?:\/[a-z0-9A-Z][-a-z0-9A-Z_.]*)?)$/

/** Parses `a=b,c!=d,e in (f,g),h,!i,j>3`. */
export function parseLabelSelector(text: string): ParsedSelector {
  const tokens = text.match(/[(),]|==|!=|=|!|>|<|[^\s(),=!<>]+/g) ?? []
  const requirements: Requirement[] = []
  let at = 0
  const fail = (error: string): ParsedSelector => ({ error: `unable to parse requirement: ${error}` })
  while (at < tokens.length) {
    const negated = tokens[at] === '!'
    if (negated) at += 1
    const key = tokens[at++] ?? ''
    if (!KEY.test(key)) return fail(key === '' ? "found '', expected: identifier" : `found '${key}', expected: !, identifier, or 'end of string'`)
    const token = tokens[at]
    if (token === undefined || token === ',') requirements.push({ key, operator: negated ? 'DoesNotExist' : 'Exists', values: [] })
    else if (negated) return fail(`found '${token}', expected: ',' or 'end of string'`)
    else if (token === 'in' || token === 'notin') {
      if (tokens[++at] !== '(') return fail(`found '${tokens[at] ?? ''}', expected: '('`)
      const values: string[] = []
      let pending = ''
      for (at += 1; at < tokens.length && tokens[at] !== ')'; at += 1) {
        if (tokens[at] === ',') {
          values.push(pending)
          pending = ''
        } else pending = tokens[at] ?? ''
      }
      if (tokens[at] !== ')') return fail("found '', expected: ',', or ')'")
      values.push(pending)
      at += 1
      requirements.push({ key, operator: token === 'in' ? 'In' : 'NotIn', values })
    } else if (token === '=' || token === '==' || token === '!=' || token === '>' || token === '<') {
      at += 1
      const next = tokens[at]
      const value = next === undefined || next === ',' ? '' : next
      if (value !== '') at += 1
      if (token === '>' || token === '<') {
        if (!/^-?\d+$/.test(value)) return { error: `values[0][${key}]: Invalid value: "${value}": for 'Gt', 'Lt' operators, the value must be an integer` }
        requirements.push({ key, operator: token === '>' ? 'Gt' : 'Lt', values: [value] })
      } else {
        if (value !== '' && !/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(value)) return fail(`found '${value}', expected: identifier`)
        requirements.push({ key, operator: token === '!=' ? 'NotIn' : 'In', values: [value] })
      }
    } else return fail(`found '${token}', expected: '=', '!=', '==', 'in', notin'`)
    if (at >= tokens.length) break
    if (tokens[at] !== ',') return fail(`found '${tokens[at] ?? ''}', expected: ',' or 'end of string'`)
    at += 1
    if (at >= tokens.length) return fail("found '', expected: identifier after ','")
  }
  return { requirements }
}
