import type { UserInfo } from '#shared/kubernetes/transport.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ServiceAccountClaims, ServiceAccountTokens } from './serviceAccountTokens.ts'

/** The part of a TLS peer certificate that names a user. */
export interface PeerCertificate {
  commonName: string
  organizations: string[]
}

export interface AuthenticatorOptions {
  tokens: ServiceAccountTokens
  /** Whether the account (and pod or secret) a token names still exists with that uid. */
  stillExists(claims: ServiceAccountClaims): boolean
  /** The user of a bootstrap token `id.secret`, if there is such a token that may authenticate. */
  bootstrapToken(id: string, secret: string): UserInfo | null
  nowMs(): number
}

export const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] }
const AUTHENTICATED = 'system:authenticated'

export const unauthorized = (): StatusError => new StatusError(failure(401, 'Unauthorized', 'Unauthorized'))

/** Who a request is: by client certificate, by bearer token, or nobody in particular. */
export class Authenticator {
  readonly #options: AuthenticatorOptions

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /** @throws StatusError 401 for credentials that are wrong; none at all is `system:anonymous` */
  authenticate(authorization: string | undefined, peer: PeerCertificate | null): UserInfo {
    if (peer !== null && peer.commonName !== '') return { username: peer.commonName, groups: withAuthenticated(peer.organizations) }
    if (authorization === undefined || authorization === '') return ANONYMOUS
    const token = /^bearer +(\S+)$/i.exec(authorization)?.[1]
    if (token === undefined) throw unauthorized()
    const user = this.tokenUser(token)
    if (user === null) throw unauthorized()
    return user
  }

  /** The user of a bearer token, null when it is not valid. */
  tokenUser(token: string): UserInfo | null {
    const bootstrap = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token)
    if (bootstrap !== null) return this.#options.bootstrapToken(bootstrap[1] ?? '', bootstrap[2] ?? '')
    let claims: ServiceAccountClaims | null
    try {
      claims = this.#options.tokens.verify(token, this.#options.nowMs())
    } catch {
      // Not a token at all.
      return null
    }
    if (claims === null || !this.#options.stillExists(claims)) return null
    return serviceAccountUser(claims)
  }
}

function serviceAccountUser(claims: ServiceAccountClaims): UserInfo {
  const { namespace, serviceaccount, pod } = claims['kubernetes.io']
  return {
    username: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: withAuthenticated(['system:serviceaccounts', `system:serviceaccounts:${namespace}`]),
    ...(pod === undefined ? {} : { extra: { 'authentication.kubernetes.io/pod-name': [pod.name], 'authentication.kubernetes.io/pod-uid': [pod.uid] } }),
  }
}

export function withAuthenticated(groups: readonly string[]): string[] {
  return groups.includes(AUTHENTICATED) ? [...groups] : [...groups, AUTHENTICATED]
}

/** A user somebody wants to be, by `Impersonate-*` headers; null when there are none. */
export function impersonated(headers: Record<string, string | undefined>): UserInfo | null {
  const username = headers['impersonate-user'] ?? ''
  const groups = (headers['impersonate-group'] ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
  const extra: Record<string, string[]> = {}
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith('impersonate-extra-') && value !== undefined)
      extra[decodeURIComponent(name.slice('impersonate-extra-'.length))] = value.split(',').map((each) => each.trim())
  if (username === '') {
    if (groups.length > 0 || Object.keys(extra).length > 0 || (headers['impersonate-uid'] ?? '') !== '')
      throw new StatusError(failure(400, 'BadRequest', 'requested impersonation of groups, uid or extra without impersonating a user'))
    return null
  }
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(username)
  const given = groups.length === 0 && account !== null ? ['system:serviceaccounts', `system:serviceaccounts:${account[1] ?? ''}`] : groups
  return {
    username,
    groups: username === ANONYMOUS.username ? given : withAuthenticated(given),
    ...(headers['impersonate-uid'] === undefined ? {} : { uid: headers['impersonate-uid'] }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  }
}
