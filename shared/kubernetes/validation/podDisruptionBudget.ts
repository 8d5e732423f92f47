import type { KubeObject } from '../object.ts'
import { invalid, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { nonNegative } from './resources.ts'
import { labelSelectorErrors } from './selectors.ts'
import { has, object } from './values.ts'
import { atMostAllErrors, intOrPercentErrors } from './workloads.ts'

function* errors(budget: KubeObject): Iterable<FieldError> {
  const [spec, status] = [object(budget['spec']), object(budget['status'])]
  if (has(spec['minAvailable']) && has(spec['maxUnavailable']))
    yield invalid('spec', typed('policy.v1.PodDisruptionBudgetSpec', spec), 'minAvailable and maxUnavailable cannot be both set')
  for (const name of ['minAvailable', 'maxUnavailable']) {
    if (!has(spec[name])) continue
    yield* intOrPercentErrors(spec[name], `spec.${name}`)
    yield* atMostAllErrors(spec[name], `spec.${name}`)
  }
  yield* labelSelectorErrors(spec['selector'], 'spec.selector')
  for (const name of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods']) yield* nonNegative(status[name], `status.${name}`)
}

/** Metadata is left to the checks that every kind has. */
export const podDisruptionBudgetRules: Rules = { create: errors, update: errors, status: () => [] }
