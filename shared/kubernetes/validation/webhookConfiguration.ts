import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { duplicate, invalid, notSupported, required, typed, type FieldError } from './fieldError.ts'
import type { Rules } from './kindRules.ts'
import { genericMetadataErrors } from './metadata.ts'
import { dns1035Errors, dnsSubdomainErrors, portNumberErrors, subdomainName } from './names.ts'
import { labelSelectorErrors } from './selectors.ts'
import { has, number, object, objects, pointer, text, texts } from './values.ts'

/** Versions of AdmissionReview that upstream speaks. */
const REVIEW_VERSIONS = ['v1', 'v1beta1']
const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const SCOPES = ['*', 'Cluster', 'Namespaced']
const NO_SIDE_EFFECTS = ['None', 'NoneOnDryRun']
const SIDE_EFFECTS = ['None', 'NoneOnDryRun', 'Some', 'Unknown']
const FORM = '; desired format: https://host[/path]'

function* oneOfErrors(value: unknown, values: readonly string[], field: string): Iterable<FieldError> {
  if (has(value) && !values.includes(text(value))) yield notSupported(field, value, values)
}

function* resourceErrors(resources: string[], field: string): Iterable<FieldError> {
  if (resources.length === 0) yield required(field)
  const [wildSubresources, wildResources] = [new Set<string>(), new Set<string>()]
  let plain = false
  for (const [index, each] of resources.entries()) {
    const at = `${field}[${String(index)}]`
    if (each === '') {
      yield required(at)
      continue
    }
    const slash = each.indexOf('/')
    if (slash < 0) {
      // The last one decides, as in upstream.
      plain = each !== '*'
      continue
    }
    const [resource, subresource] = [each.slice(0, slash), each.slice(slash + 1)]
    if (wildSubresources.has(resource)) yield invalid(at, each, `if '${resource}/*' is present, must not specify ${each}`)
    if (wildResources.has(subresource)) yield invalid(at, each, `if '*/${subresource}' is present, must not specify ${each}`)
    if (subresource === '*') wildSubresources.add(resource)
    if (resource === '*') wildResources.add(subresource)
  }
  const shown = typed('[]string', resources)
  if (resources.length > 1 && resources.includes('*/*')) yield invalid(field, shown, "if '*/*' is present, must not specify other resources")
  if (resources.includes('*') && plain) yield invalid(field, shown, "if '*' is present, must not specify other resources without subresources")
}

function* wildcardErrors(values: string[], field: string, type: string, detail: string): Iterable<FieldError> {
  if (values.length === 0) yield required(field)
  if (values.length > 1 && values.includes('*')) yield invalid(field, typed(type, values), detail)
}

function* ruleErrors(rule: JsonObject, field: string): Iterable<FieldError> {
  const operations = texts(rule['operations'])
  yield* wildcardErrors(operations, `${field}.operations`, '[]admissionregistration.OperationType', "if '*' is present, must not specify other operations")
  for (const [index, operation] of operations.entries()) yield* oneOfErrors(operation, OPERATIONS, `${field}.operations[${String(index)}]`)
  yield* wildcardErrors(texts(rule['apiGroups']), `${field}.apiGroups`, '[]string', "if '*' is present, must not specify other API groups")
  const versions = texts(rule['apiVersions'])
  yield* wildcardErrors(versions, `${field}.apiVersions`, '[]string', "if '*' is present, must not specify other API versions")
  for (const [index, version] of versions.entries()) if (version === '') yield required(`${field}.apiVersions[${String(index)}]`)
  yield* resourceErrors(texts(rule['resources']), `${field}.resources`)
  yield* oneOfErrors(rule['scope'], SCOPES, `${field}.scope`)
}

function* reviewVersionErrors(versions: string[], recognized: boolean, field: string): Iterable<FieldError> {
  if (versions.length === 0) {
    yield required(field, `must specify one of ${REVIEW_VERSIONS.join(', ')}`)
    return
  }
  for (const [index, version] of versions.entries()) {
    const at = `${field}[${String(index)}]`
    if (versions.indexOf(version) < index) yield invalid(at, version, 'duplicate version')
    else for (const detail of dns1035Errors(version)) yield invalid(at, version, detail)
  }
  if (recognized && !versions.some((each) => REVIEW_VERSIONS.includes(each)))
    yield invalid(field, typed('[]string', versions), `must include at least one of ${REVIEW_VERSIONS.join(', ')}`)
}

/** A URL of a webhook, also a CRD's. */
export function* webhookUrlErrors(url: string, field: string): Iterable<FieldError> {
  const parts = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/(?:([^@/?#]*)@)?([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(url)
  if (parts === null || /[\x00-\x1f\x7f]/.test(url)) {
    yield required(field, `url must be a valid URL: parse ${JSON.stringify(url)}: net/url: invalid control character in URL${FORM}`)
    return
  }
  const [, scheme = '', user, host = '', , query = '', fragment = ''] = parts
  if (url.startsWith(':')) {
    yield required(field, `url must be a valid URL: parse ${JSON.stringify(url)}: missing protocol scheme${FORM}`)
    return
  }
  if (scheme.toLowerCase() !== 'https') yield invalid(field, scheme.toLowerCase(), `'https' is the only allowed URL scheme${FORM}`)
  if (host === '') yield invalid(field, '', `host must be provided${FORM}`)
  if (user !== undefined) yield invalid(field, user, 'user information is not permitted in the URL')
  if (fragment !== '') yield invalid(field, fragment, 'fragments are not permitted in the URL')
  if (query !== '') yield invalid(field, query, 'query parameters are not permitted in the URL')
}

/** The service of a webhook, also a CRD's. */
export function* webhookServiceErrors(service: JsonObject, field: string): Iterable<FieldError> {
  // Upstream takes the name for the namespace and the other way round.
  if (text(service['namespace']) === '') yield required(`${field}.name`, 'service name is required')
  if (text(service['name']) === '') yield required(`${field}.namespace`, 'service namespace is required')
  const port = number(service['port'])
  const errors = portNumberErrors(port)
  if (errors.length > 0) yield invalid(`${field}.port`, port, `port is not valid: ${errors.join(', ')}`)
  const path = text(service['path'])
  if (path === '' || path === '/') return
  const at = `${field}.path`
  if (path === '//') {
    yield invalid(at, path, 'segment[0] may not be empty')
    return
  }
  if (!path.startsWith('/')) yield invalid(at, path, "must start with a '/'")
  for (const [index, step] of path.slice(1).replace(/\/$/, '').split('/').entries()) {
    if (step === '') yield invalid(at, path, `segment[${String(index)}] may not be empty`)
    else for (const detail of dnsSubdomainErrors(step)) yield invalid(at, path, `segment[${String(index)}]: ${detail}`)
  }
}

/** What an update may keep because the stored object has it. */
interface Options {
  noSideEffects: boolean
  recognized: boolean
  unique: boolean
  mutating: boolean
}

function* hookErrors(hook: JsonObject, field: string, { noSideEffects, mutating }: Options): Iterable<FieldError> {
  const name = text(hook['name'])
  const nameErrors = dnsSubdomainErrors(name)
  if (name === '') yield required(`${field}.name`)
  else if (nameErrors.length > 0) yield invalid(`${field}.name`, name, nameErrors.join(','))
  else if (name.split('.').length < 3) yield invalid(`${field}.name`, name, 'should be a domain with at least three segments separated by dots')
  for (const [index, rule] of objects(hook['rules']).entries()) yield* ruleErrors(rule, `${field}.rules[${String(index)}]`)
  yield* oneOfErrors(hook['failurePolicy'], ['Fail', 'Ignore'], `${field}.failurePolicy`)
  yield* oneOfErrors(hook['matchPolicy'], ['Equivalent', 'Exact'], `${field}.matchPolicy`)
  const allowed = noSideEffects ? NO_SIDE_EFFECTS : SIDE_EFFECTS
  if (!has(hook['sideEffects'])) yield required(`${field}.sideEffects`, `must specify one of ${allowed.join(', ')}`)
  yield* oneOfErrors(hook['sideEffects'], allowed, `${field}.sideEffects`)
  const timeout = hook['timeoutSeconds']
  if (has(timeout) && (number(timeout) > 30 || number(timeout) < 1))
    yield invalid(`${field}.timeoutSeconds`, timeout, 'the timeout value must be between 1 and 30 seconds')
  yield* labelSelectorErrors(hook['namespaceSelector'], `${field}.namespaceSelector`)
  yield* labelSelectorErrors(hook['objectSelector'], `${field}.objectSelector`)
  if (mutating) yield* oneOfErrors(hook['reinvocationPolicy'], ['IfNeeded', 'Never'], `${field}.reinvocationPolicy`)
  const config = object(hook['clientConfig'])
  const [url, service] = [config['url'], pointer(config['service'])]
  if (has(url) === (service !== null)) yield required(`${field}.clientConfig`, 'exactly one of url or service is required')
  else if (service === null) yield* webhookUrlErrors(text(url), `${field}.clientConfig.url`)
  else yield* webhookServiceErrors(service, `${field}.clientConfig.service`)
}

function* errors(configuration: KubeObject, options: Options): Iterable<FieldError> {
  yield* genericMetadataErrors(configuration, { namespaced: false, name: subdomainName })
  const names = new Set<string>()
  for (const [index, hook] of objects(configuration['webhooks']).entries()) {
    const field = `webhooks[${String(index)}]`
    const name = text(hook['name'])
    yield* hookErrors(hook, field, options)
    yield* reviewVersionErrors(texts(hook['admissionReviewVersions']), options.recognized, `${field}.admissionReviewVersions`)
    if (!options.unique || name === '') continue
    if (names.has(name)) yield duplicate(`${field}.name`, name)
    names.add(name)
  }
}

function keeping(before: KubeObject, strict: boolean, mutating: boolean): Options {
  const hooks = objects(before['webhooks'])
  const versionsOf = (hook: JsonObject): string[] => texts(hook['admissionReviewVersions'])
  const known = (hook: JsonObject): boolean => versionsOf(hook).length === 0 || versionsOf(hook).some((each) => REVIEW_VERSIONS.includes(each))
  return {
    mutating,
    noSideEffects: strict && hooks.every((hook) => NO_SIDE_EFFECTS.includes(text(hook['sideEffects']))),
    recognized: hooks.every(known),
    unique: strict && new Set(hooks.map((hook) => hook['name'])).size === hooks.length,
  }
}

const rules = (mutating: boolean): Rules => ({
  create: (configuration, { version }) => {
    const strict = version !== 'v1beta1'
    return errors(configuration, { mutating, noSideEffects: strict, recognized: true, unique: strict })
  },
  update: (after, before, { version }) => errors(after, keeping(before, version !== 'v1beta1', mutating)),
})

export const validatingWebhookConfigurationRules: Rules = rules(false)
export const mutatingWebhookConfigurationRules: Rules = rules(true)
