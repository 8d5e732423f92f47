import type { KubeObject } from '#shared/kubernetes/object.ts'

/** Reading of JSON whose shape a server promised but nobody checked: a wrong or missing part gives the empty value. */
export function at(value: unknown, ...path: string[]): unknown {
  let current = value
  for (const name of path) {
    if (typeof current !== 'object' || current === null) return undefined
    current = (current as Record<string, unknown>)[name]
  }
  return current
}

/** '' when absent; numbers and booleans as text. */
export function textAt(value: unknown, ...path: string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : typeof found === 'number' || typeof found === 'boolean' ? String(found) : ''
}

/** NaN when absent. */
export function numberAt(value: unknown, ...path: string[]): number {
  const found = at(value, ...path)
  return typeof found === 'number' ? found : Number.NaN
}

/** 0 when absent: for counters that servers leave out when they are zero. */
export function countAt(value: unknown, ...path: string[]): number {
  const found = numberAt(value, ...path)
  return Number.isNaN(found) ? 0 : found
}

export function listAt(value: unknown, ...path: string[]): unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? (found as unknown[]) : []
}

export function mapAt(value: unknown, ...path: string[]): Record<string, unknown> {
  const found = at(value, ...path)
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Record<string, unknown>) : {}
}

/** Milliseconds since the epoch of an RFC 3339 text; NaN when absent. */
export function timeAt(value: unknown, ...path: string[]): number {
  const found = at(value, ...path)
  return typeof found === 'string' ? Date.parse(found) : Number.NaN
}

const FACTORS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** A resource quantity as a number for display and sums (`250m` = 0.25, `1Gi` = 1073741824); NaN when absent or malformed. */
export function quantityAt(value: unknown, ...path: string[]): number {
  const found = at(value, ...path)
  if (typeof found === 'number') return found
  if (typeof found !== 'string') return Number.NaN
  const parts = /^([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(found)
  if (parts === null) return Number.NaN
  const [, digits = '', exponent = '', suffix = ''] = parts
  return Number(digits + exponent) * (FACTORS[suffix] ?? Number.NaN)
}

/** The condition of a type: `True`, `False`, `Unknown`, or '' when there is none. */
export function conditionStatus(object: KubeObject, type: string): string {
  const condition = listAt(object, 'status', 'conditions').find((each) => textAt(each, 'type') === type)
  return textAt(condition, 'status')
}

/** `kind/name` of the controlling owner, else of the first, else ''. */
export function ownerText(object: KubeObject): string {
  const owners = object.metadata.ownerReferences ?? []
  const owner = owners.find((each) => each.controller === true) ?? owners[0]
  return owner === undefined ? '' : `${owner.kind}/${owner.name}`
}

/** `a=b,c=d` in the order of the map; '' when empty. */
export function pairsText(map: Record<string, unknown>): string {
  return Object.entries(map)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',')
}

/** A label selector as kubectl prints it. */
export function selectorText(selector: unknown): string {
  const labels = Object.entries(mapAt(selector, 'matchLabels')).map(([key, value]) => `${key}=${String(value)}`)
  const expressions = listAt(selector, 'matchExpressions').map((each) => {
    const key = textAt(each, 'key')
    const values = listAt(each, 'values').map(String).join(',')
    switch (textAt(each, 'operator')) {
      case 'In':
        return `${key} in (${values})`
      case 'NotIn':
        return `${key} notin (${values})`
      case 'DoesNotExist':
        return `!${key}`
      default:
        return key
    }
  })
  return [...labels, ...expressions].join(',')
}
