import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { forbidden, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { immutable, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { nonNegative } from './resources.ts'
import { isEmptySelector, isUsableSelector, labelSelectorErrors } from './selectors.ts'
import { has, number, object, pointer } from './values.ts'
import {
  atMostAllErrors,
  availableErrors,
  collisionErrors,
  intOrPercent,
  intOrPercentErrors,
  replicatedTemplateErrors,
  shownSelector,
  statusCountErrors,
  zeroError,
} from './workloads.ts'

function* strategyErrors(strategy: JsonObject): Iterable<FieldError> {
  const rolling = pointer(strategy['rollingUpdate'])
  const field = 'spec.strategy.rollingUpdate'
  switch (strategy['type']) {
    case 'Recreate':
      if (rolling !== null) yield forbidden(field, "may not be specified when strategy `type` is 'Recreate'")
      return
    case 'RollingUpdate': {
      if (rolling === null) {
        yield required(field, 'this should be defaulted and never be nil')
        return
      }
      const { maxUnavailable, maxSurge } = rolling
      yield* intOrPercentErrors(maxUnavailable, `${field}.maxUnavailable`)
      yield* intOrPercentErrors(maxSurge, `${field}.maxSurge`)
      if (intOrPercent(maxUnavailable) === 0 && intOrPercent(maxSurge) === 0)
        yield zeroError(maxUnavailable, `${field}.maxUnavailable`, 'may not be 0 when `maxSurge` is 0')
      yield* atMostAllErrors(maxUnavailable, `${field}.maxUnavailable`)
      return
    }
    default:
      yield notSupported('spec.strategy', typed('apps.v1.DeploymentStrategy', strategy), ['Recreate', 'RollingUpdate'])
  }
}

/** Selector and template of a deployment or replica set. */
export function* selectedTemplateErrors(spec: JsonObject): Iterable<FieldError> {
  const selector = pointer(spec['selector'])
  if (selector === null) yield required('spec.selector')
  else {
    yield* labelSelectorErrors(selector, 'spec.selector')
    if (isEmptySelector(selector)) yield invalid('spec.selector', shownSelector(selector), 'empty selector is invalid for deployment')
  }
  if (isUsableSelector(selector)) yield* replicatedTemplateErrors(spec, 'spec.template', 'ReplicaSet')
  else yield invalid('spec.selector', shownSelector(selector), 'invalid label selector')
}

function* specErrors(spec: JsonObject): Iterable<FieldError> {
  yield* nonNegative(spec['replicas'], 'spec.replicas')
  yield* selectedTemplateErrors(spec)
  yield* strategyErrors(object(spec['strategy']))
  yield* nonNegative(spec['minReadySeconds'], 'spec.minReadySeconds')
  yield* nonNegative(spec['revisionHistoryLimit'], 'spec.revisionHistoryLimit')
  const deadline = spec['progressDeadlineSeconds']
  yield* nonNegative(deadline, 'spec.progressDeadlineSeconds')
  if (has(deadline) && number(deadline) <= number(spec['minReadySeconds']))
    yield invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')
}

export function* selectorFixed(after: KubeObject, before: KubeObject): Iterable<FieldError> {
  yield* immutable(object(after['spec'])['selector'], object(before['spec'])['selector'], 'spec.selector', 'meta.LabelSelector')
}

export const deploymentRules: Rules = {
  *create(deployment) {
    yield* metadataErrors(deployment, { namespaced: true, name: subdomainName })
    yield* specErrors(object(deployment['spec']))
  },
  *update(after, before, { version }) {
    yield* metadataUpdateErrors(after, before)
    yield* specErrors(object(after['spec']))
    if (version !== 'v1beta1') yield* selectorFixed(after, before)
  },
  *status(after, before) {
    const status = object(after['status'])
    yield* metadataUpdateErrors(after, before)
    yield* statusCountErrors(
      status,
      ['observedGeneration', 'replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas', 'unavailableReplicas', 'collisionCount'],
      ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
    )
    yield* availableErrors(status)
    yield* collisionErrors(after, before)
  },
}
