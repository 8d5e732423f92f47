import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import type { Authenticator } from '../authentication/authenticator.ts'
import { MASTERS, type Authorizer } from '../authorization/authorizer.ts'
import type { ResourceTarget } from './writing.ts'

const objectAt = (value: unknown): JsonObject => (isObject(value) ? value : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])

/** Answers kinds that ask and are not stored; null for other resources. */
export function review(
  object: KubeObject,
  { resource, namespace }: ResourceTarget,
  user: UserInfo,
  authorizer: Authorizer,
  authenticator: Authenticator,
): KubeObject | null {
  if (resource.group === 'authorization.k8s.io') {
    const spec = objectAt(object['spec'])
    switch (resource.plural) {
      case 'selfsubjectaccessreviews':
        return { ...object, status: access(spec, user, authorizer) }
      case 'localsubjectaccessreviews':
        if (text(objectAt(spec['resourceAttributes'])['namespace']) !== namespace)
          throw new StatusError(failure(400, 'BadRequest', `spec.resourceAttributes.namespace must match namespace: ${namespace}`))
        return { ...object, status: access(spec, subjectOf(spec), authorizer) }
      case 'subjectaccessreviews':
        return { ...object, status: access(spec, subjectOf(spec), authorizer) }
      case 'selfsubjectrulesreviews':
        return { ...object, status: rules(text(spec['namespace']), user, authorizer) }
      default:
        return null
    }
  }
  if (resource.group !== 'authentication.k8s.io') return null
  if (resource.plural === 'selfsubjectreviews') return { ...object, status: { userInfo: userInfo(user) } }
  if (resource.plural !== 'tokenreviews') return null
  const token = text(objectAt(object['spec'])['token'])
  if (token === '') throw new StatusError(failure(400, 'BadRequest', 'token is required for TokenReview in authentication'))
  const found = authenticator.reviewToken(token, texts(objectAt(object['spec'])['audiences']))
  return {
    ...object,
    status: 'error' in found ? { user: {}, error: found.error } : { authenticated: true, user: userInfo(found.user), audiences: found.audiences },
  }
}

function userInfo({ username, uid, groups, extra }: UserInfo): JsonObject {
  return { username, ...(uid === undefined ? {} : { uid }), groups, ...(extra === undefined ? {} : { extra }) }
}

function subjectOf(spec: JsonObject): UserInfo {
  const username = text(spec['user'])
  const groups = texts(spec['groups'])
  if (username === '' && groups.length === 0)
    throw new StatusError(
      failure(
        422,
        'Invalid',
        'SubjectAccessReview.authorization.k8s.io "" is invalid: spec.user: Invalid value: "": at least one of user or group must be specified',
      ),
    )
  return { username, groups }
}

function access(spec: JsonObject, user: UserInfo, authorizer: Authorizer): JsonObject {
  const attributes = spec['resourceAttributes']
  const other = objectAt(spec['nonResourceAttributes'])
  const decision = isObject(attributes)
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
  return { allowed: decision.allowed, ...(decision.reason === '' ? {} : { reason: decision.reason }) }
}

function rules(namespace: string, user: UserInfo, authorizer: Authorizer): JsonObject {
  const held = authorizer.index.grants(user, namespace).map(({ rule }) => rule)
  const all = user.groups.includes(MASTERS)
    ? [
        { verbs: ['*'], apiGroups: ['*'], resources: ['*'], resourceNames: [], nonResourceURLs: [] },
        { verbs: ['*'], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: ['*'] },
        ...held,
      ]
    : held
  return {
    resourceRules: all
      .filter(({ resources }) => resources.length > 0)
      .map(({ verbs, apiGroups, resources, resourceNames }) => ({ verbs, apiGroups, resources, ...(resourceNames.length === 0 ? {} : { resourceNames }) })),
    nonResourceRules: all.filter(({ nonResourceURLs }) => nonResourceURLs.length > 0).map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  }
}
