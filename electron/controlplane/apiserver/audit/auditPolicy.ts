import { parse as parseYaml } from 'yaml'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { fieldErrorBody, invalid, notSupported, required, type FieldError } from '#shared/kubernetes/validation/fieldError.ts'
import type { RequestAttributes } from '../authorization/attributes.ts'

const LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const
const STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const

/** How much of a request is written: nothing, who and what, its object, the answer too. */
export type AuditLevel = (typeof LEVELS)[number]
export type AuditStage = (typeof STAGES)[number]

interface Rule {
  level: AuditLevel
  users: string[]
  userGroups: string[]
  verbs: string[]
  namespaces: string[]
  resources: { group: string; resources: string[]; resourceNames: string[] }[]
  nonResourceURLs: string[]
  omitStages: Set<AuditStage>
  omitManagedFields: boolean
}

/** What a policy says of one request. */
export interface AuditDecision {
  level: AuditLevel
  omitStages: ReadonlySet<AuditStage>
  omitManagedFields: boolean
}

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])
const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const isLevel = (value: unknown): value is AuditLevel => LEVELS.some((each) => each === value)
const isStage = (value: unknown): value is AuditStage => STAGES.some((each) => each === value)

/**
 * An audit.k8s.io Policy (`--audit-policy-file`): its first rule that fits a request says how it is written; where none does,
 * it is not.
 *
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go
 */
export class AuditPolicy {
  readonly #rules: readonly Rule[]
  readonly #omitStages: ReadonlySet<AuditStage>

  /** @throws Error that names the file and what is wrong in it */
  constructor(path: string, source: string) {
    const wrong = (why: string): Error => new Error(`${why}: from file ${path}`)
    let policy: unknown
    try {
      policy = parseYaml(source)
    } catch (error) {
      throw wrong(`failed decoding: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (!isObject(policy) || policy['kind'] !== 'Policy' || !/^audit\.k8s\.io\/v1(alpha1|beta1)?$/.test(String(policy['apiVersion'])))
      throw wrong('the policy must have apiVersion audit.k8s.io/v1 and kind Policy')
    const rules = objects(policy['rules'])
    const errors = [...stageErrors(policy['omitStages'], 'omitStages'), ...rules.flatMap((rule, index) => ruleErrors(rule, `rules[${String(index)}]`))]
    if (errors.length > 0) throw wrong(errors.map((each) => `${each.field}: ${fieldErrorBody(each)}`).join(', '))
    if (rules.length === 0) throw wrong('loaded illegal policy with 0 rules')
    const stages = texts(policy['omitStages']).filter(isStage)
    this.#omitStages = new Set(stages)
    this.#rules = rules.map((rule) => ({
      level: isLevel(rule['level']) ? rule['level'] : 'None',
      users: texts(rule['users']),
      userGroups: texts(rule['userGroups']),
      verbs: texts(rule['verbs']),
      namespaces: texts(rule['namespaces']),
      resources: objects(rule['resources']).map((each) => ({
        group: typeof each['group'] === 'string' ? each['group'] : '',
        resources: texts(each['resources']),
        resourceNames: texts(each['resourceNames']),
      })),
      nonResourceURLs: texts(rule['nonResourceURLs']),
      omitStages: new Set([...stages, ...texts(rule['omitStages']).filter(isStage)]),
      omitManagedFields: (rule['omitManagedFields'] ?? policy['omitManagedFields']) === true,
    }))
  }

  decide(attributes: RequestAttributes): AuditDecision {
    return this.#rules.find((rule) => matches(rule, attributes)) ?? { level: 'None', omitStages: this.#omitStages, omitManagedFields: false }
  }
}

function matches(rule: Rule, { user, verb, resource, path }: RequestAttributes): boolean {
  if (rule.users.length > 0 && !rule.users.includes(user.username)) return false
  if (rule.userGroups.length > 0 && !rule.userGroups.some((group) => user.groups.includes(group))) return false
  if (rule.verbs.length > 0 && !rule.verbs.includes(verb)) return false
  if (rule.namespaces.length > 0 || rule.resources.length > 0) {
    if (resource === undefined || (rule.namespaces.length > 0 && !rule.namespaces.includes(resource.namespace))) return false
    return rule.resources.length === 0 || rule.resources.some((each) => matchesResource(each, resource))
  }
  if (rule.nonResourceURLs.length === 0) return true
  return resource === undefined && rule.nonResourceURLs.some((url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))))
}

function matchesResource(wanted: Rule['resources'][number], asked: NonNullable<RequestAttributes['resource']>): boolean {
  if (wanted.group !== asked.group) return false
  if (wanted.resources.length === 0) return true
  if (wanted.resourceNames.length > 0 && !wanted.resourceNames.includes(asked.name)) return false
  const combined = asked.subresource === '' ? asked.resource : `${asked.resource}/${asked.subresource}`
  return wanted.resources.some(
    (each) => each === '*' || each === combined || (asked.subresource !== '' && each === `*/${asked.subresource}`) || each === `${asked.resource}/*`,
  )
}

function stageErrors(stages: unknown, field: string): FieldError[] {
  return texts(stages).flatMap((stage, index) =>
    isStage(stage) ? [] : [invalid(`${field}[${String(index)}]`, stage, `allowed stages are ${STAGES.join(',')}`)],
  )
}

function ruleErrors(rule: JsonObject, field: string): FieldError[] {
  const errors: FieldError[] = []
  if ((rule['level'] ?? '') === '') errors.push(required(`${field}.level`))
  else if (!isLevel(rule['level'])) errors.push(notSupported(`${field}.level`, rule['level'], LEVELS))
  const urls = texts(rule['nonResourceURLs'])
  for (const [index, url] of urls.entries()) {
    const at = `${field}.nonResourceURLs[${String(index)}]`
    if (url !== '*' && !url.startsWith('/')) errors.push(invalid(at, url, "non-resource URL rules must begin with a '/' character"))
    if (url.slice(0, -1).includes('*')) errors.push(invalid(at, url, "non-resource URL wildcards '*' must be the final character of the rule"))
  }
  for (const each of objects(rule['resources'])) {
    const group = each['group'] ?? ''
    if (typeof group !== 'string' || (group !== '' && !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(group)))
      errors.push(invalid(`${field}.resources.group`, group, 'a group is named without its version, such as rbac.authorization.k8s.io'))
    if (texts(each['resourceNames']).length > 0 && texts(each['resources']).length === 0)
      errors.push(invalid(`${field}.resources.resourceNames`, each['resourceNames'], 'using resourceNames requires at least one resource'))
  }
  errors.push(...stageErrors(rule['omitStages'], `${field}.omitStages`))
  if (urls.length > 0 && (objects(rule['resources']).length > 0 || texts(rule['namespaces']).length > 0))
    errors.push(invalid(`${field}.nonResourceURLs`, urls, 'rules cannot apply to both regular resources and non-resource URLs'))
  return errors
}
