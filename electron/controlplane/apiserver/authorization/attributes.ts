import type { UserInfo } from '#shared/kubernetes/transport.ts'

/** What is asked for: by whom, and to do what to what. */
export interface RequestAttributes {
  user: UserInfo
  verb: string
  resource?: { group: string; version: string; resource: string; subresource: string; namespace: string; name: string }
  path: string
}

/** What one authorizer says; the next is asked when it has no opinion. */
export interface Opinion {
  decision: 'allow' | 'deny' | 'noOpinion'
  reason: string
}

/** What all of them say. */
export interface Decision {
  allowed: boolean
  /** Said no, instead of nobody saying yes. */
  denied: boolean
  reason: string
}

/** Upstream's words of a 403. */
export function forbiddenMessage({ user, verb, resource, path }: RequestAttributes, reason: string): string {
  const who = `User ${JSON.stringify(user.username)}`
  const why = reason === '' ? '' : `: ${reason}`
  if (resource === undefined) return `forbidden: ${who} cannot ${verb} path ${JSON.stringify(path)}${why}`
  const combined = resource.subresource === '' ? resource.resource : `${resource.resource}/${resource.subresource}`
  const where = resource.namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(resource.namespace)}`
  const qualified = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`
  const named = resource.name === '' ? qualified : `${qualified} ${JSON.stringify(resource.name)}`
  return `${named} is forbidden: ${who} cannot ${verb} resource ${JSON.stringify(combined)} in API group ${JSON.stringify(resource.group)} ${where}${why}`
}
