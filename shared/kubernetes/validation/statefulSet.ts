import { matchesLabelSelector } from '../labelSelector.ts'
import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { forbidden, invalid, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { annotationErrors, labelErrors, labelsOf, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { sameSpec } from './pod.ts'
import { podAnnotationErrors } from './podAnnotations.ts'
import { alwaysRestartedErrors, unmatchedTemplate } from './podSpec.ts'
import { nonNegative } from './resources.ts'
import { isEmptySelector, isUsableSelector, labelSelectorErrors } from './selectors.ts'
import { object, pointer, text } from './values.ts'
import { collisionErrors, shownSelector, statusCountErrors } from './workloads.ts'

function* strategyErrors(strategy: JsonObject): Iterable<FieldError> {
  const field = 'spec.updateStrategy'
  const rolling = pointer(strategy['rollingUpdate'])
  switch (text(strategy['type'])) {
    case '':
      yield required(field)
      return
    case 'OnDelete':
      if (rolling !== null)
        yield invalid(`${field}.rollingUpdate`, typed('apps.v1.RollingUpdateStatefulSetStrategy', rolling), "only allowed for updateStrategy 'RollingUpdate'")
      return
    case 'RollingUpdate':
      yield* nonNegative(rolling?.['partition'], `${field}.rollingUpdate.partition`)
      return
    default:
      yield invalid(field, typed('apps.v1.StatefulSetUpdateStrategy', strategy), "must be 'RollingUpdate' or 'OnDelete'")
  }
}

/** Of the template only what stands around the spec is checked, as upstream does: bad pods fail when they are made. */
function* templateErrors(spec: JsonObject): Iterable<FieldError> {
  const field = 'spec.template'
  const template = object(spec['template'])
  const selector = pointer(spec['selector'])
  if (selector === null || (!isEmptySelector(selector) && !matchesLabelSelector(selector, labelsOf(template)))) yield unmatchedTemplate(template, field)
  const metadata = object(template['metadata'])
  yield* labelErrors(metadata['labels'], `${field}.labels`)
  yield* annotationErrors(metadata['annotations'], `${field}.annotations`)
  yield* podAnnotationErrors(object(metadata['annotations']), object(template['spec']), `${field}.annotations`)
}

function* errors(statefulSet: KubeObject): Iterable<FieldError> {
  const spec = object(statefulSet['spec'])
  yield* metadataErrors(statefulSet, { namespaced: true, name: subdomainName })
  const management = text(spec['podManagementPolicy'])
  if (management === '') yield required('spec.podManagementPolicy')
  else if (management !== 'OrderedReady' && management !== 'Parallel')
    yield invalid('spec.podManagementPolicy', management, "must be 'OrderedReady' or 'Parallel'")
  yield* strategyErrors(object(spec['updateStrategy']))
  yield* nonNegative(spec['replicas'], 'spec.replicas')
  const selector = pointer(spec['selector'])
  if (selector === null) yield required('spec.selector')
  else {
    yield* labelSelectorErrors(selector, 'spec.selector')
    if (isEmptySelector(selector)) yield invalid('spec.selector', shownSelector(selector), 'empty selector is invalid for statefulset')
  }
  if (isUsableSelector(selector)) yield* templateErrors(spec)
  else yield invalid('spec.selector', shownSelector(selector), '')
  yield* alwaysRestartedErrors(object(spec['template']), 'spec.template', 'StatefulSet')
}

/** What an update may change, by the first release that lets it, and how that release says so. */
const CHANGEABLE: readonly (readonly [since: number, names: readonly string[], words: string])[] = [
  [
    33,
    ['ordinals', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy', 'minReadySeconds'],
    "'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'",
  ],
  [
    26,
    ['ordinals', 'persistentVolumeClaimRetentionPolicy', 'minReadySeconds'],
    "'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'",
  ],
  [
    23,
    ['persistentVolumeClaimRetentionPolicy', 'minReadySeconds'],
    "'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'",
  ],
  [22, ['minReadySeconds'], "'template', 'updateStrategy' and 'minReadySeconds'"],
  [0, [], "'template', and 'updateStrategy'"],
]

function* fixedErrors(now: JsonObject, was: JsonObject, minor: number): Iterable<FieldError> {
  const [, names, words] = CHANGEABLE.find(([since]) => since <= minor) ?? [0, [], '']
  const free = new Set(['replicas', 'template', 'updateStrategy', ...names])
  const fixed = (spec: JsonObject): JsonObject => Object.fromEntries(Object.entries(spec).filter(([name]) => !free.has(name)))
  if (!sameSpec(fixed(now), fixed(was))) yield forbidden('spec', `updates to statefulset spec for fields other than 'replicas', ${words} are forbidden`)
}

export const statefulSetRules: Rules = {
  create: errors,
  *update(after, before, { minor }) {
    yield* errors(after)
    yield* metadataUpdateErrors(after, before)
    const [now, was] = [object(after['spec']), object(before['spec'])]
    yield* fixedErrors(now, was, minor)
    yield* nonNegative(now['replicas'], 'spec.replicas')
  },
  *status(after, before) {
    yield* statusCountErrors(
      object(after['status']),
      ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'observedGeneration', 'collisionCount'],
      ['readyReplicas', 'currentReplicas', 'updatedReplicas'],
    )
    yield* metadataUpdateErrors(after, before)
    yield* collisionErrors(after, before)
  },
}
