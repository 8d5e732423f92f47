import { matchesLabelSelector } from '../labelSelector.ts'
import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { immutable, labelsOf, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { podTemplateErrors, unmatchedTemplate } from './podSpec.ts'
import { sameSpec } from './pod.ts'
import { nonNegative } from './resources.ts'
import { isUsableSelector, labelSelectorErrors } from './selectors.ts'
import { has, object, pointer, text } from './values.ts'
import { shownSelector } from './workloads.ts'

/** Labels that the API server gives a job's pods, and that its selector names; the prefixed ones since 1.27. */
export const JOB_LABELS = ['controller-uid', 'job-name'] as const
const FIELDS = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished']

/** A job's spec without its selector, which templates of jobs have none of. */
export function* jobSpecErrors(spec: JsonObject, field: string): Iterable<FieldError> {
  for (const name of FIELDS) yield* nonNegative(spec[name], `${field}.${name}`)
  const template = object(spec['template'])
  yield* podTemplateErrors(template, `${field}.template`)
  const policy = text(object(template['spec'])['restartPolicy'])
  const at = `${field}.template.spec.restartPolicy`
  if (policy === 'Always' || policy === '') yield required(at, 'valid values: "OnFailure", "Never"')
  else if (policy !== 'OnFailure' && policy !== 'Never') yield notSupported(at, policy, ['OnFailure', 'Never'])
}

function* selectedSpecErrors(spec: JsonObject): Iterable<FieldError> {
  yield* jobSpecErrors(spec, 'spec')
  const selector = pointer(spec['selector'])
  if (selector === null) yield required('spec.selector')
  else yield* labelSelectorErrors(selector, 'spec.selector')
  const template = object(spec['template'])
  if (isUsableSelector(selector) && (selector === null || !matchesLabelSelector(selector, labelsOf(template))))
    yield unmatchedTemplate(template, 'spec.template')
}

/** The selector must be the one that was made for the job. */
function* generatedSelectorErrors(job: KubeObject): Iterable<FieldError> {
  const spec = object(job['spec'])
  const selector = pointer(spec['selector'])
  if (spec['manualSelector'] === true || selector === null) return
  const labels = labelsOf(spec['template'])
  const expected: Record<string, string> = { 'controller-uid': text(job.metadata.uid), 'job-name': text(job.metadata.name) }
  if (text(job.metadata.uid) === '') yield required('metadata.uid')
  for (const [key, value] of Object.entries(expected)) {
    const field = `spec.template.metadata.labels[${key}]`
    if (labels[key] === undefined) yield required(field, `must be '${value}'`)
    else if (labels[key] !== value) yield invalid(field, typed('map[string]string', labels), `must be '${value}'`)
  }
  const known = { ...expected, 'batch.kubernetes.io/controller-uid': text(job.metadata.uid), 'batch.kubernetes.io/job-name': text(job.metadata.name) }
  if (isUsableSelector(selector) && !matchesLabelSelector(selector, known))
    yield invalid('spec.selector', shownSelector(selector), '`selector` not auto-generated')
}

function* errors(job: KubeObject): Iterable<FieldError> {
  yield* metadataErrors(job, { namespaced: true, name: subdomainName })
  yield* generatedSelectorErrors(job)
  yield* selectedSpecErrors(object(job['spec']))
}

export const jobRules: Rules = {
  create: errors,
  *update(after, before) {
    const [now, was] = [object(after['spec']), object(before['spec'])]
    yield* errors(after)
    yield* metadataUpdateErrors(after, before)
    yield* selectedSpecErrors(now)
    yield* immutable(now['completions'], was['completions'], 'spec.completions')
    yield* immutable(now['selector'], was['selector'], 'spec.selector', 'meta.LabelSelector')
    if (!sameSpec(now['template'], was['template'])) yield* immutable(now['template'], was['template'], 'spec.template', 'core.v1.PodTemplateSpec')
  },
  *status(after, before) {
    yield* metadataUpdateErrors(after, before)
    for (const name of ['active', 'succeeded', 'failed']) yield* nonNegative(object(after['status'])[name], `status.${name}`)
  },
}

/** The template of jobs in a cron job. */
export function* jobTemplateErrors(template: JsonObject, field: string): Iterable<FieldError> {
  const spec = object(template['spec'])
  yield* jobSpecErrors(spec, `${field}.spec`)
  if (has(spec['selector'])) yield invalid(`${field}.spec.selector`, shownSelector(spec['selector']), '`selector` will be auto-generated')
  if (spec['manualSelector'] === true) yield notSupported(`${field}.spec.manualSelector`, true, ['nil', 'false'])
}
