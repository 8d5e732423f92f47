import { matchesLabelSelector } from '../labelSelector.ts'
import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { selectorFixed } from './deployment.ts'
import { invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { labelsOf, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { alwaysRestartedErrors, podTemplateErrors, readOnlyDiskErrors, unmatchedTemplate } from './podSpec.ts'
import { nonNegative } from './resources.ts'
import { isEmptySelector, isUsableSelector, labelSelectorErrors } from './selectors.ts'
import { object, pointer } from './values.ts'
import { atMostAllErrors, collisionErrors, intOrPercent, intOrPercentErrors, shownSelector, statusCountErrors, zeroError } from './workloads.ts'

/** First release whose daemon sets can surge. */
const SURGE_SINCE = 22

function* strategyErrors(strategy: JsonObject, minor: number): Iterable<FieldError> {
  const field = 'spec.updateStrategy'
  if (strategy['type'] === 'OnDelete') return
  if (strategy['type'] !== 'RollingUpdate') {
    yield notSupported(field, typed('apps.v1.DaemonSetUpdateStrategy', strategy), ['RollingUpdate', 'OnDelete'])
    return
  }
  const rolling = pointer(strategy['rollingUpdate'])
  if (rolling === null) {
    yield required(`${field}.rollingUpdate`)
    return
  }
  const at = `${field}.rollingUpdate`
  const { maxUnavailable, maxSurge } = rolling
  yield* intOrPercentErrors(maxUnavailable, `${at}.maxUnavailable`)
  if (minor < SURGE_SINCE) {
    if (intOrPercent(maxUnavailable) === 0) yield zeroError(maxUnavailable, `${at}.maxUnavailable`, 'cannot be 0')
    yield* atMostAllErrors(maxUnavailable, `${at}.maxUnavailable`)
    return
  }
  yield* atMostAllErrors(maxUnavailable, `${at}.maxUnavailable`)
  yield* intOrPercentErrors(maxSurge, `${at}.maxSurge`)
  yield* atMostAllErrors(maxSurge, `${at}.maxSurge`)
  const [down, up] = [intOrPercent(maxUnavailable), intOrPercent(maxSurge)]
  if (down !== 0 && up !== 0) yield zeroError(maxSurge, `${at}.maxSurge`, 'may not be set when maxUnavailable is non-zero')
  if (down === 0 && up === 0) yield required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')
}

function* specErrors(spec: JsonObject, minor: number): Iterable<FieldError> {
  const field = 'spec.template'
  const template = object(spec['template'])
  const selector = pointer(spec['selector'])
  yield* labelSelectorErrors(selector, 'spec.selector')
  if (isUsableSelector(selector) && (selector === null || !matchesLabelSelector(selector, labelsOf(template)))) yield unmatchedTemplate(template, field)
  if (selector !== null && isEmptySelector(selector)) yield invalid('spec.selector', shownSelector(selector), 'empty selector is invalid for daemonset')
  yield* podTemplateErrors(template, field)
  yield* readOnlyDiskErrors(template, field)
  yield* alwaysRestartedErrors(template, field, 'DaemonSet')
  yield* nonNegative(spec['minReadySeconds'], 'spec.minReadySeconds')
  yield* strategyErrors(object(spec['updateStrategy']), minor)
  yield* nonNegative(spec['revisionHistoryLimit'], 'spec.revisionHistoryLimit')
}

function* errors(daemonSet: KubeObject, minor: number): Iterable<FieldError> {
  yield* metadataErrors(daemonSet, { namespaced: true, name: subdomainName })
  yield* specErrors(object(daemonSet['spec']), minor)
}

const COUNTS = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
]

export const daemonSetRules: Rules = {
  create: (daemonSet, { minor }) => errors(daemonSet, minor),
  *update(after, before, { minor }) {
    yield* errors(after, minor)
    yield* metadataUpdateErrors(after, before)
    yield* specErrors(object(after['spec']), minor)
    yield* selectorFixed(after, before)
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* statusCountErrors(object(after['status']), COUNTS, [])
    yield* collisionErrors(after, before)
  },
}
