import type { UserInfo } from '#shared/kubernetes/transport.ts'
import { ANONYMOUS } from './authenticator.ts'
import { valuesOf } from './headerValues.ts'

/** One thing the asker must be allowed to `impersonate`. */
export interface ImpersonatedAttribute {
  group: string
  resource: 'users' | 'serviceaccounts' | 'groups' | 'userextras' | 'uids'
  subresource: string
  namespace: string
  name: string
}

export interface Impersonation {
  user: UserInfo
  attributes: ImpersonatedAttribute[]
}

const USER = 'impersonate-user'
const GROUP = 'impersonate-group'
const UID = 'impersonate-uid'
const EXTRA = 'impersonate-extra-'
const AUTHENTICATION = 'authentication.k8s.io'

function unescaped(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/**
 * Reads `Impersonate-*` headers.
 *
 * @param uidKnown whether this release reads `Impersonate-Uid`
 * @returns null when there are none, a text when they ask for groups, uid or extra of nobody
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/filters/impersonation.go
 */
export function readImpersonation(headers: Record<string, string | undefined>, uidKnown: boolean): Impersonation | string | null {
  const username = headers[USER] ?? ''
  const uid = uidKnown ? (headers[UID] ?? '') : ''
  const attributes: ImpersonatedAttribute[] = []
  const add = (resource: ImpersonatedAttribute['resource'], name: string, group = '', rest: { subresource?: string; namespace?: string } = {}): void => {
    attributes.push({ group, resource, subresource: rest.subresource ?? '', namespace: rest.namespace ?? '', name })
  }
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username)
  if (account !== null) add('serviceaccounts', account[2] ?? '', '', { namespace: account[1] ?? '' })
  else if (username !== '') add('users', username)
  const groups = valuesOf(headers, GROUP)
  for (const group of groups) add('groups', group)
  const extra: Record<string, string[]> = {}
  for (const name of Object.keys(headers).sort()) {
    if (!name.startsWith(EXTRA)) continue
    const key = unescaped(name.slice(EXTRA.length)).toLowerCase()
    for (const value of valuesOf(headers, name)) {
      add('userextras', value, AUTHENTICATION, { subresource: key })
      ;(extra[key] ??= []).push(value)
    }
  }
  if (uid !== '') add('uids', uid, AUTHENTICATION)
  if (attributes.length === 0) return null
  if (username === '') return `requested [${attributes.map(referenceText).join(' ')}] without impersonating a user`
  return {
    attributes,
    user: {
      username,
      groups: impersonatedGroups(username, groups, account?.[1]),
      ...(uid === '' ? {} : { uid }),
      ...(Object.keys(extra).length === 0 ? {} : { extra }),
    },
  }
}

/** Groups that are named are the whole truth; a service account has its own when none is, and everybody is one of two kinds. */
function impersonatedGroups(username: string, named: readonly string[], accountNamespace: string | undefined): string[] {
  const groups = named.length === 0 && accountNamespace !== undefined ? ['system:serviceaccounts', `system:serviceaccounts:${accountNamespace}`] : [...named]
  const [authenticated, unauthenticated] = ['system:authenticated', 'system:unauthenticated']
  if (username === ANONYMOUS.username) return groups.includes(unauthenticated) ? groups : [...groups, unauthenticated]
  return groups.includes(authenticated) || groups.includes(unauthenticated) ? groups : [...groups, authenticated]
}

/** Go's print of the core ObjectReference upstream holds the request in: kind, namespace, name, uid, apiVersion, resourceVersion, fieldPath. */
function referenceText({ resource, subresource, name }: ImpersonatedAttribute): string {
  switch (resource) {
    case 'groups':
      return `{Group  ${name}    }`
    case 'userextras':
      return `{UserExtra  ${name}  ${AUTHENTICATION}/v1  ${subresource}}`
    case 'uids':
      return `{UID  ${name}  ${AUTHENTICATION}/v1  }`
    default:
      return `{User  ${name}    }`
  }
}
