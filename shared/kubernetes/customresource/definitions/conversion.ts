import { isObject, type JsonObject } from '../../json.ts'
import type { FieldError } from '../../validation/fieldError.ts'
import { dns1035Errors } from '../../validation/names.ts'
import { object as at, text, texts } from '../../validation/values.ts'
import { webhookServiceErrors, webhookUrlErrors } from '../../validation/webhookConfiguration.ts'
import { indexPath } from '../schemaNode.ts'
import { enumErrors, forbiddenValue, invalidValue, requiredValue } from '../shown.ts'

const REVIEW_VERSIONS = ['v1', 'v1beta1']

/** How objects come from one version to another. */
export function* conversionErrors(conversion: JsonObject): Iterable<FieldError> {
  const strategy = text(conversion['strategy'])
  if (Object.keys(conversion).length === 0) return
  yield* enumErrors('spec.conversion.strategy', strategy, ['None', 'Webhook'])
  const { webhook } = conversion
  const client = at(webhook)['clientConfig']
  const field = 'spec.conversion.webhookClientConfig'
  const versions = texts(at(webhook)['conversionReviewVersions'])
  if (strategy !== 'Webhook') {
    if (isObject(client)) yield forbiddenValue(field, 'should not be set when strategy is not set to Webhook')
    if (versions.length > 0) yield forbiddenValue('spec.conversion.conversionReviewVersions', 'should not be set when strategy is not set to Webhook')
    return
  }
  if (!isObject(client)) yield requiredValue(field, 'required when strategy is set to Webhook')
  else {
    const { url, service } = client
    if ((typeof url === 'string') === isObject(service)) yield requiredValue(field, 'exactly one of url or service is required')
    else if (typeof url === 'string') yield* webhookUrlErrors(url, `${field}.url`)
    else yield* webhookServiceErrors(at(service), `${field}.service`)
  }
  yield* reviewVersionErrors(versions, 'spec.conversion.conversionReviewVersions')
}

function* reviewVersionErrors(versions: readonly string[], path: string): Iterable<FieldError> {
  if (versions.length === 0) {
    yield requiredValue(path)
    return
  }
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) yield invalidValue(indexPath(path, index), version, 'duplicate version')
    else for (const wrong of dns1035Errors(version)) yield invalidValue(indexPath(path, index), version, wrong)
  }
  if (!versions.some((version) => REVIEW_VERSIONS.includes(version)))
    yield invalidValue(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(', ')}`)
}
