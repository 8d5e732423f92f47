import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { matchesLabelSelector } from '../labelSelector.ts'
import { invalid, typed, type FieldError } from './fieldError.ts'
import { labelsOf } from './metadata.ts'
import { percentErrors } from './names.ts'
import { nonNegative } from './resources.ts'
import { isUsableSelector } from './selectors.ts'
import { alwaysRestartedErrors, podTemplateErrors, readOnlyDiskErrors, unmatchedTemplate } from './podSpec.ts'
import { has, number, object, pointer } from './values.ts'

// What the controllers of pods have in common.

export const MORE_THAN_REPLICAS = 'cannot be greater than status.replicas'

const shownNumber = (value: unknown): ReturnType<typeof typed> => typed('intstr.IntOrString', value)

/** A count or a share in per cent. */
export function* intOrPercentErrors(value: unknown, field: string): Iterable<FieldError> {
  if (typeof value === 'string') for (const detail of percentErrors(value)) yield invalid(field, shownNumber(value), detail)
  else yield* nonNegative(number(value), field)
}

function percentOf(value: unknown): number | null {
  return typeof value === 'string' && percentErrors(value).length === 0 ? Number(value.slice(0, -1)) : null
}

/** The number itself, or the percentage's; what is neither is 0, as in Go. */
export function intOrPercent(value: unknown): number {
  return percentOf(value) ?? (typeof value === 'string' ? (/^[+-]?\d+$/.test(value) ? Number(value) : 0) : number(value))
}

export function* atMostAllErrors(value: unknown, field: string): Iterable<FieldError> {
  if ((percentOf(value) ?? 0) > 100) yield invalid(field, shownNumber(value), 'must not be greater than 100%')
}

export function zeroError(value: unknown, field: string, detail: string): FieldError {
  return invalid(field, shownNumber(value), detail)
}

/** Counts in a status: none is negative, the listed ones are no more than all replicas. */
export function* statusCountErrors(status: JsonObject, names: readonly string[], within: readonly string[]): Iterable<FieldError> {
  for (const name of names) if (has(status[name])) yield* nonNegative(status[name], `status.${name}`)
  for (const name of within) if (number(status[name]) > number(status['replicas'])) yield invalid(`status.${name}`, number(status[name]), MORE_THAN_REPLICAS)
}

export function* availableErrors(status: JsonObject): Iterable<FieldError> {
  const available = number(status['availableReplicas'])
  if (available > number(status['readyReplicas'])) yield invalid('status.availableReplicas', available, 'cannot be greater than readyReplicas')
}

export function* collisionErrors(after: KubeObject, before: KubeObject): Iterable<FieldError> {
  const [now, was] = [object(after['status'])['collisionCount'], object(before['status'])['collisionCount']]
  if (has(was) && (!has(now) || number(now) < number(was))) yield invalid('status.collisionCount', number(now), 'cannot be decremented')
}

/** A template of replicas, and whether the selector selects them. @param what names the owner in errors */
export function* replicatedTemplateErrors(spec: JsonObject, field: string, what: string): Iterable<FieldError> {
  const template = object(spec['template'])
  const selector = pointer(spec['selector'])
  if (selector !== null && Object.keys(selector).length > 0 && !matchesLabelSelector(selector, labelsOf(template))) yield unmatchedTemplate(template, field)
  // A selector that is missing selects nothing, so that no labels satisfy it.
  if (selector === null) yield unmatchedTemplate(template, field)
  yield* podTemplateErrors(template, field)
  if (number(spec['replicas']) > 1) yield* readOnlyDiskErrors(template, field)
  yield* alwaysRestartedErrors(template, field, what)
}

/** The selector of a workload as `%#v` shows it. */
export const shownSelector = (selector: unknown): ReturnType<typeof typed> => typed('meta.LabelSelector', selector)

export { isUsableSelector }
