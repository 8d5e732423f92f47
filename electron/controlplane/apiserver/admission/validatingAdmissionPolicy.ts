import { celToJson } from '#shared/kubernetes/cel/values.ts'
import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesLabelSelector } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { parseGroupVersion } from '#shared/kubernetes/object.ts'
import { StatusError, type StatusReason } from '#shared/kubernetes/status.ts'
import { fromStorage } from '../registry/conversion.ts'
import type { ApiResources } from '../registry/apiResources.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import type { AdmissionExpressions, AdmissionVariables } from './expressions/admissionExpressions.ts'
import type { MatchConditions } from './expressions/matchConditions.ts'
import { refusal } from './refusal.ts'
import { matchAdmission, type Match } from './webhooks/admissionMatching.ts'

export interface ValidatingAdmissionPolicyOptions {
  store: Store
  resources: () => ApiResources
  expressions: AdmissionExpressions
  conditions: MatchConditions
}

const POLICIES = 'validatingadmissionpolicies'
const BINDINGS = 'validatingadmissionpolicybindings'
const CODES: Readonly<Record<string, number>> = { Unauthorized: 401, Forbidden: 403, Invalid: 422, RequestEntityTooLarge: 413 }

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

interface Failure {
  policy: string
  binding: string
  /** What was broken, or why that could not be told. */
  message: string
  reason: string
  expressionIndex: number
  actions: string[]
}

interface Check {
  request: AdmissionRequest
  policy: KubeObject
  binding: KubeObject
  match: Match
}

/**
 * Policies in CEL with their bindings and parameters.
 *
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/validating
 */
export class ValidatingAdmissionPolicy implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionPolicy'
  readonly #options: ValidatingAdmissionPolicyOptions

  constructor(options: ValidatingAdmissionPolicyOptions) {
    this.#options = options
  }

  validate(request: AdmissionRequest): void {
    const { store } = this.#options
    if (store.collection(BINDINGS).size === 0) return
    const failures: Failure[] = []
    for (const { object: binding } of store.collection(BINDINGS).range(`/registry/${BINDINGS}/`)) {
      const policy = store.collection(POLICIES).get(`/registry/${POLICIES}/${text(objectAt(binding['spec'])['policyName'])}`)?.object
      const match = policy === undefined ? null : this.#match(request, policy, binding)
      if (policy !== undefined && match !== null) failures.push(...this.#evaluate({ request, policy, binding, match }))
    }
    tell(request, failures)
  }

  #match(request: AdmissionRequest, policy: KubeObject, binding: KubeObject): Match | null {
    const context = { store: this.#options.store, resources: this.#options.resources() }
    const match = (constraints: JsonObject): Match | null =>
      matchAdmission(constraints, { rules: constraints['resourceRules'], excludeRules: constraints['excludeResourceRules'] }, request, context)
    const found = match(objectAt(objectAt(policy['spec'])['matchConstraints']))
    const narrower = objectAt(binding['spec'])['matchResources']
    if (found === null || !isObject(narrower)) return found
    // A binding without rules narrows by selectors alone.
    const rules =
      objects(narrower['resourceRules']).length > 0
        ? {}
        : { resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*', '*/*'] }] }
    return match({ ...narrower, ...rules }) === null ? null : found
  }

  #evaluate(check: Check): Failure[] {
    const { policy } = check
    const params = this.#params(check)
    if ('error' in params) return [this.#failure(check, params.error, '', -1)]
    const paramKind = objectAt(policy['spec'])['paramKind']
    return (isObject(paramKind) ? params.list : [null]).flatMap((each) => this.#evaluateWith(check, each))
  }

  #evaluateWith(check: Check, params: KubeObject | null): Failure[] {
    const { request, policy, match } = check
    const { expressions, conditions } = this.#options
    const spec = objectAt(policy['spec'])
    const holds = conditions.evaluate(spec['matchConditions'], request, match, params)
    if (holds === false) return []
    if (holds !== true) return spec['failurePolicy'] === 'Ignore' ? [] : [this.#failure(check, holds.error, '', -1)]
    const variables = this.#withVariables(expressions.variables(request, match, params), objects(spec['variables']))
    this.#annotate(check, variables)
    return objects(spec['validations']).flatMap((validation, index): Failure[] => {
      const expression = text(validation['expression'])
      const { value, error } = expressions.evaluate(expression, variables)
      if (error !== undefined)
        return spec['failurePolicy'] === 'Ignore'
          ? []
          : [this.#failure(check, `expression '${expression}' resulted in error: ${error}`, text(validation['reason']), index)]
      return value === true ? [] : [this.#failure(check, this.#messageOf(validation, variables), text(validation['reason']), index)]
    })
  }

  /** `variables` of the policy, each of which may use those before it. One that fails fails where it is used. */
  #withVariables(variables: AdmissionVariables, declared: readonly JsonObject[]): AdmissionVariables {
    const values: JsonObject = {}
    for (const { name, expression } of declared) {
      const { value, error } = this.#options.expressions.evaluate(text(expression), { ...variables, variables: values })
      if (error === undefined) values[text(name)] = celToJson(value)
    }
    return { ...variables, variables: values }
  }

  #messageOf(validation: JsonObject, variables: AdmissionVariables): string {
    const computed =
      text(validation['messageExpression']) === '' ? undefined : this.#options.expressions.evaluate(text(validation['messageExpression']), variables)
    if (typeof computed?.value === 'string' && computed.value.trim() !== '' && !computed.value.includes('\n')) return computed.value.trim()
    return text(validation['message']) === '' ? `failed expression: ${text(validation['expression']).trim()}` : text(validation['message']).trim()
  }

  #annotate({ policy, request }: Check, variables: AdmissionVariables): void {
    for (const { key, valueExpression } of objects(objectAt(policy['spec'])['auditAnnotations'])) {
      const { value } = this.#options.expressions.evaluate(text(valueExpression), variables)
      if (typeof value === 'string' && value !== '') request.context.annotations[`${policy.metadata.name ?? ''}/${text(key)}`] = value
    }
  }

  #failure({ policy, binding }: Check, message: string, reason: string, expressionIndex: number): Failure {
    return {
      policy: policy.metadata.name ?? '',
      binding: binding.metadata.name ?? '',
      message,
      reason: reason === '' ? 'Invalid' : reason,
      expressionIndex,
      actions: texts(objectAt(binding['spec'])['validationActions']),
    }
  }

  /** The parameter objects a binding refers to. */
  #params({ policy, binding, request }: Check): { list: KubeObject[] } | { error: string } {
    const paramKind = objectAt(policy['spec'])['paramKind']
    const ref = objectAt(binding['spec'])['paramRef']
    if (!isObject(paramKind)) return { list: [] }
    const { group, version } = parseGroupVersion(text(paramKind['apiVersion']))
    const kind = text(paramKind['kind'])
    const resource = this.#options.resources().list.find((each) => each.group === group && each.version === version && each.kind === kind)
    if (resource === undefined)
      return { error: `failed to configure policy: failed to find resource referenced by paramKind: '${group}/${version}, Kind=${kind}'` }
    if (!isObject(ref)) return { list: [] }
    const namespace = text(ref['namespace']) === '' ? request.namespace : text(ref['namespace'])
    if (resource.namespaced && namespace === '')
      return { error: 'failed to configure binding: cannot use namespaced paramRef in policy binding that matches cluster-scoped resources' }
    const prefix = `/registry/${resource.storagePrefix ?? ''}/${resource.namespaced ? `${namespace}/` : ''}`
    const found = [...this.#options.store.collection(resource.storagePrefix ?? '').range(prefix)]
      .map(({ object }) => object)
      .filter(({ metadata }) => (text(ref['name']) === '' ? matchesLabelSelector(ref['selector'], metadata.labels ?? {}) : metadata.name === ref['name']))
    if (found.length === 0 && ref['parameterNotFoundAction'] === 'Deny')
      return { error: 'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction' }
    return { list: found.map((object) => fromStorage(object, resource)) }
  }
}

/** Denies, warns and notes, as the bindings want. @throws StatusError of the first that denies */
function tell(request: AdmissionRequest, failures: readonly Failure[]): void {
  const { annotations, warnings } = request.context
  const audited = failures.filter(({ actions }) => actions.includes('Audit'))
  if (audited.length > 0)
    annotations['validation.policy.admission.k8s.io/validation_failure'] = JSON.stringify(
      audited.map(({ message, policy, binding, expressionIndex, actions }) => ({ message, policy, binding, expressionIndex, validationActions: actions })),
    )
  for (const { actions, policy, binding, message } of failures)
    if (actions.includes('Warn')) warnings.push(`Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${binding}': ${message}`)
  const denied = failures.find(({ actions }) => actions.includes('Deny'))
  if (denied === undefined) return
  const { policy, binding, message, reason } = denied
  const why = `ValidatingAdmissionPolicy '${policy}' with binding '${binding}' denied request: ${message}`
  const { status } = refusal(request, why, 'validate')
  throw new StatusError({
    ...status,
    reason: reason as StatusReason,
    code: CODES[reason] ?? 422,
    details: { ...status.details, causes: [{ message: why }] },
  })
}
