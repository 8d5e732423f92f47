import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { FieldError } from '#shared/kubernetes/validation/fieldError.ts'
import { invalid, invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import type { Authenticator } from '../authentication/authenticator.ts'
import type { Authorizer } from '../authorization/authorizer.ts'
import { nodeIdentity } from '../authorization/nodeAuthorizer.ts'
import { badRequest } from '../registry/failures.ts'
import type { ResourceTarget } from './writing.ts'

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])

export interface ReviewContext {
  user: UserInfo
  authorizer: Authorizer
  authenticator: Authenticator
}

/** Answers kinds that ask and are not stored; null for other resources. @throws StatusError 400, 422 */
export function review(object: KubeObject, target: ResourceTarget, { user, authorizer, authenticator }: ReviewContext): KubeObject | null {
  const { resource } = target
  const spec = objectAt(object['spec'])
  switch (`${resource.group}/${resource.plural}`) {
    case 'authorization.k8s.io/selfsubjectaccessreviews':
      checkReview(object, target)
      return { ...object, status: access(spec, user, authorizer) }
    case 'authorization.k8s.io/localsubjectaccessreviews':
    case 'authorization.k8s.io/subjectaccessreviews':
      checkReview(object, target)
      return { ...object, status: access(spec, subjectOf(spec), authorizer) }
    case 'authorization.k8s.io/selfsubjectrulesreviews': {
      const namespace = text(spec['namespace'])
      if (namespace === '') throw badRequest('no namespace on request')
      // Upstream does not give the question back.
      return { ...object, spec: {}, status: rules(namespace, user, authorizer) }
    }
    case 'authentication.k8s.io/selfsubjectreviews':
      return { ...object, status: { userInfo: userInfo(user) } }
    case 'authentication.k8s.io/tokenreviews': {
      const token = text(spec['token'])
      if (token === '') throw new StatusError(failure(400, 'BadRequest', 'token is required for TokenReview in authentication'))
      const found = authenticator.reviewToken(token, texts(spec['audiences']))
      return {
        ...object,
        status: 'error' in found ? { user: {}, error: found.error } : { authenticated: true, user: userInfo(found.user), audiences: found.audiences },
      }
    }
    default:
      return null
  }
}

function userInfo({ username, uid, groups, extra }: UserInfo): JsonObject {
  return { username, ...(uid === undefined ? {} : { uid }), groups, ...(extra === undefined ? {} : { extra }) }
}

function subjectOf(spec: JsonObject): UserInfo {
  const uid = text(spec['uid'])
  const extra = Object.fromEntries(Object.entries(objectAt(spec['extra'])).map(([key, values]) => [key, texts(values)]))
  return { username: text(spec['user']), groups: texts(spec['groups']), ...(uid === '' ? {} : { uid }), ...(Object.keys(extra).length === 0 ? {} : { extra }) }
}

/** @see kubernetes pkg/apis/authorization/validation/validation.go */
function checkReview(object: KubeObject, { resource, namespace }: ResourceTarget): void {
  const spec = objectAt(object['spec'])
  const [attributes, other] = [spec['resourceAttributes'], spec['nonResourceAttributes']]
  const local = resource.plural === 'localsubjectaccessreviews'
  if (local && (object.metadata.namespace ?? namespace) !== namespace) throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`)
  const errors: FieldError[] = []
  if (isObject(attributes) && isObject(other)) errors.push(pathInvalid(other, 'cannot be specified in combination with resourceAttributes'))
  if (!isObject(attributes) && !isObject(other))
    errors.push({
      type: 'Invalid',
      field: 'spec.resourceAttributes',
      value: '"null"',
      detail: 'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    })
  if (resource.plural !== 'selfsubjectaccessreviews' && text(spec['user']) === '' && texts(spec['groups']).length === 0)
    errors.push(invalid('spec.user', '', 'at least one of user or group must be specified'))
  const { namespace: _, managedFields: __, creationTimestamp: ___, ...metadata } = object.metadata
  if (Object.keys(metadata).length > 0) errors.push(invalid('metadata', object.metadata, local ? 'must be empty except for namespace' : 'must be empty'))
  if (local && isObject(attributes) && text(attributes['namespace']) !== namespace)
    errors.push(invalid('spec.resourceAttributes.namespace', text(attributes['namespace']), 'must match metadata.namespace'))
  if (local && isObject(other)) errors.push(pathInvalid(other, 'disallowed on this kind of request'))
  // Upstream names neither kind nor object here.
  if (errors.length > 0) throw new StatusError(invalidStatus({ group: resource.group, kind: '', name: '' }, errors))
}

/** The value as Go prints the struct. */
function pathInvalid(attributes: JsonObject, detail: string): FieldError {
  const value = `authorization.NonResourceAttributes{Path:${JSON.stringify(text(attributes['path']))}, Verb:${JSON.stringify(text(attributes['verb']))}}`
  return { type: 'Invalid', field: 'spec.nonResourceAttributes', value, detail }
}

function access(spec: JsonObject, user: UserInfo, authorizer: Authorizer): JsonObject {
  const attributes = spec['resourceAttributes']
  const other = objectAt(spec['nonResourceAttributes'])
  const { allowed, denied, reason } = isObject(attributes)
    ? authorizer.authorize({
        user,
        verb: text(attributes['verb']),
        path: '',
        resource: {
          group: text(attributes['group']),
          version: text(attributes['version']),
          resource: text(attributes['resource']),
          subresource: text(attributes['subresource']),
          namespace: text(attributes['namespace']),
          name: text(attributes['name']),
        },
      })
    : authorizer.authorize({ user, verb: text(other['verb']), path: text(other['path']) })
  return { allowed, ...(denied ? { denied } : {}), ...(reason === '' ? {} : { reason }) }
}

const ANYTHING = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
}

function rules(namespace: string, user: UserInfo, authorizer: Authorizer): JsonObject {
  const { modes } = authorizer
  const held = modes.includes('RBAC') ? authorizer.index.grants(user, namespace).map(({ rule }) => rule) : []
  const resourceRules: JsonObject[] = held
    .filter(({ resources }) => resources.length > 0)
    .map(({ verbs, apiGroups, resources, resourceNames }) => ({ verbs, apiGroups, resources, ...(resourceNames.length === 0 ? {} : { resourceNames }) }))
  const nonResourceRules: JsonObject[] = held
    .filter(({ nonResourceURLs }) => nonResourceURLs.length > 0)
    .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }))
  if (modes.includes('AlwaysAllow')) {
    resourceRules.unshift(...ANYTHING.resourceRules)
    nonResourceRules.unshift(...ANYTHING.nonResourceRules)
  }
  // What a node may depends on its pods.
  const incomplete = modes.includes('Node') && nodeIdentity(user) !== null
  return {
    resourceRules,
    nonResourceRules,
    incomplete,
    ...(incomplete ? { evaluationError: 'node authorizer does not support user rule resolution' } : {}),
  }
}
