import type { JsonObject } from '../json.ts'
import { scheduleError } from './cronSchedule.ts'
import { invalid, required, type FieldError } from './fieldError.ts'
import { jobTemplateErrors } from './job.ts'
import type { Rules } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { subdomainName } from './names.ts'
import { oneOf } from './podSpec.ts'
import { nonNegative } from './resources.ts'
import { byteLength, object, text } from './values.ts'

/** Eleven characters are left for the time in the names of its jobs. */
const MAX_NAME = 52

function* specErrors(spec: JsonObject): Iterable<FieldError> {
  const schedule = text(spec['schedule'])
  if (schedule === '') yield required('spec.schedule')
  else {
    const error = scheduleError(schedule)
    if (error !== null) yield invalid('spec.schedule', schedule, error)
  }
  yield* nonNegative(spec['startingDeadlineSeconds'], 'spec.startingDeadlineSeconds')
  yield* oneOf(text(spec['concurrencyPolicy']), ['Allow', 'Forbid', 'Replace'], 'spec.concurrencyPolicy')
  yield* jobTemplateErrors(object(spec['jobTemplate']), 'spec.jobTemplate')
  yield* nonNegative(spec['successfulJobsHistoryLimit'], 'spec.successfulJobsHistoryLimit')
  yield* nonNegative(spec['failedJobsHistoryLimit'], 'spec.failedJobsHistoryLimit')
}

export const cronJobRules: Rules = {
  *create(cronJob) {
    yield* metadataErrors(cronJob, { namespaced: true, name: subdomainName })
    yield* specErrors(object(cronJob['spec']))
    const name = text(cronJob.metadata.name)
    if (byteLength(name) > MAX_NAME) yield invalid('metadata.name', name, `must be no more than ${String(MAX_NAME)} characters`)
  },
  *update(after, before) {
    yield* metadataUpdateErrors(after, before)
    yield* specErrors(object(after['spec']))
  },
  status: () => [],
}
