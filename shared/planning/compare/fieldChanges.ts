import { deepEqual, isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** One place in an object where two states differ. `before` or `after` is undefined where it is not there. */
export interface FieldChange {
  /** As kubectl explains and servers report paths: `.spec.containers[name=web].image`. */
  path: string
  before: unknown
  after: unknown
}

/** Keys by which the elements of Kubernetes' lists are told apart, in the order they are tried. */
const ELEMENT_KEYS = ['name', 'containerPort', 'port', 'type', 'ip', 'key', 'mountPath', 'uid']

/**
 * The fields in which two states of an object differ. Elements of lists are matched by their key where all elements of both
 * sides have one and it is unique, else by place.
 */
export function fieldChanges(before: KubeObject | null, after: KubeObject | null): FieldChange[] {
  const changes: FieldChange[] = []
  compare('', before ?? undefined, after ?? undefined, changes)
  return changes
}

function compare(path: string, before: unknown, after: unknown, changes: FieldChange[]): void {
  if (deepEqual(before, after)) return
  if (isObject(before) && isObject(after)) {
    for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) compare(`${path}${segment(key)}`, before[key], after[key], changes)
    return
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const key = ELEMENT_KEYS.find((name) => identifies(name, before) && identifies(name, after))
    if (key === undefined) {
      for (let index = 0; index < Math.max(before.length, after.length); index++) compare(`${path}[${String(index)}]`, before[index], after[index], changes)
      return
    }
    const byKey = (list: unknown[]): Map<string, unknown> => new Map(list.map((each) => [String((each as Record<string, unknown>)[key]), each]))
    const [old, now] = [byKey(before), byKey(after)]
    for (const value of [...new Set([...old.keys(), ...now.keys()])]) compare(`${path}[${key}=${value}]`, old.get(value), now.get(value), changes)
    return
  }
  changes.push({ path: path === '' ? '.' : path, before, after })
}

function identifies(key: string, list: unknown[]): boolean {
  const values = list.map((each) => (isObject(each) ? each[key] : undefined))
  return values.every((value) => typeof value === 'string' || typeof value === 'number') && new Set(values).size === values.length
}

function segment(key: string): string {
  return /^[A-Za-z_][\w-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}
