import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import { bootstrapTokenUser, type BootstrapTokensOptions } from './bootstrapTokens.ts'
import type { PeerCertificate } from './peerCertificate.ts'
import { valuesOf } from './headerValues.ts'
import type { ServiceAccountTokens, TokenOutcome } from './serviceAccountTokens.ts'
import type { PasswordFile } from './userFiles.ts'

export interface AuthenticatorOptions {
  tokens: ServiceAccountTokens
  /** Null turns bootstrap tokens off. */
  bootstrapTokens: BootstrapTokensOptions | null
  tokenFile?: ReadonlyMap<string, UserInfo>
  passwordFile?: PasswordFile
  /** Without credentials: `system:anonymous`, or 401. */
  anonymous: boolean
  /** Common names the front proxy may have; empty lets any certificate of its authority through. */
  frontProxyNames: readonly string[]
  nowMs(): number
}

/** Who asks, with what is told about the credential in the audit log. */
export interface Authenticated {
  user: UserInfo
  annotations?: Record<string, string>
}

export const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] }
const [AUTHENTICATED, UNAUTHENTICATED] = ['system:authenticated', 'system:unauthenticated']
const WEBSOCKET_TOKEN = 'base64url.bearer.authorization.k8s.io.'

export const unauthorized = (): StatusError => new StatusError(failure(401, 'Unauthorized', 'Unauthorized'))

/**
 * Who a request is: by the front proxy's headers, a client certificate, a password, a bearer token, or nobody in particular.
 * The first credential that is good counts, whatever the others are; when there is none that is good and one that is bad,
 * the answer is 401.
 *
 * @see kubernetes pkg/kubeapiserver/authenticator/config.go
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /** @throws StatusError 401 for credentials that are wrong, and for none at all when anonymous requests are off */
  authenticate(headers: Record<string, string | undefined>, peer: PeerCertificate | null): Authenticated {
    let bad = false
    for (const attempt of [() => this.#frontProxy(headers, peer), () => this.#certificate(peer), () => this.#password(headers), () => this.#token(headers)]) {
      const outcome = attempt()
      if (outcome === null) continue
      if ('error' in outcome) bad = true
      else return { ...outcome, user: { ...outcome.user, groups: withAuthenticated(outcome.user.groups) } }
    }
    if (bad || !this.#options.anonymous) throw unauthorized()
    return { user: ANONYMOUS }
  }

  /**
   * What a bearer token is worth, as TokenReview tells it.
   *
   * @param wanted the audiences asked for; empty means the API server's own
   */
  reviewToken(token: string, wanted: readonly string[]): { user: UserInfo; audiences: readonly string[] } | { error: string } {
    const audiences = wanted.length === 0 ? this.#options.tokens.audiences : wanted
    const outcome = this.#bearer(token, audiences)
    if ('error' in outcome) return outcome
    return { user: { ...outcome.user, groups: withAuthenticated(outcome.user.groups) }, audiences: outcome.audiences }
  }

  #frontProxy(headers: Record<string, string | undefined>, peer: PeerCertificate | null): Authenticated | { error: string } | null {
    if (peer === null || peer.authority !== 'frontProxy') return null
    if (!this.#isCurrent(peer)) return { error: 'the front proxy certificate is not valid now' }
    const { frontProxyNames } = this.#options
    if (frontProxyNames.length > 0 && !frontProxyNames.includes(peer.commonName))
      return { error: `x509: subject with cn=${peer.commonName} is not in the allowed list` }
    const username = headers['x-remote-user'] ?? ''
    if (username === '') return null
    const extra: Record<string, string[]> = {}
    for (const name of Object.keys(headers))
      if (name.startsWith('x-remote-extra-')) extra[decoded(name.slice('x-remote-extra-'.length))] = valuesOf(headers, name)
    return { user: { username, groups: valuesOf(headers, 'x-remote-group'), ...(Object.keys(extra).length === 0 ? {} : { extra }) } }
  }

  #certificate(peer: PeerCertificate | null): Authenticated | { error: string } | null {
    if (peer === null) return null
    if (peer.fault !== null) return { error: peer.fault }
    if (peer.authority !== 'client') return { error: 'x509: certificate signed by unknown authority' }
    // The connection may outlive the certificate.
    if (!this.#isCurrent(peer)) return { error: 'x509: certificate has expired or is not yet valid' }
    return peer.commonName === '' ? null : { user: { username: peer.commonName, groups: peer.organizations } }
  }

  #isCurrent({ validFromMs, validToMs }: PeerCertificate): boolean {
    const now = this.#options.nowMs()
    return now >= validFromMs && now <= validToMs
  }

  #password(headers: Record<string, string | undefined>): Authenticated | { error: string } | null {
    const sent = /^basic +([A-Za-z0-9+/=]+)$/i.exec(headers['authorization'] ?? '')?.[1]
    if (sent === undefined || this.#options.passwordFile === undefined) return null
    const pair = Buffer.from(sent, 'base64').toString('utf8')
    const colon = pair.indexOf(':')
    const user = colon < 0 ? null : this.#options.passwordFile.user(pair.slice(0, colon), pair.slice(colon + 1))
    return user === null ? { error: 'invalid username/password combination' } : { user }
  }

  #token(headers: Record<string, string | undefined>): Authenticated | { error: string } | null {
    const parts = (headers['authorization'] ?? '').trim().split(' ')
    const token = parts[0]?.toLowerCase() === 'bearer' ? (parts[1] ?? '') : webSocketToken(headers)
    return token === '' ? null : this.#bearer(token, this.#options.tokens.audiences)
  }

  #bearer(token: string, wanted: readonly string[]): Exclude<TokenOutcome, null> {
    const { tokenFile, tokens, bootstrapTokens } = this.#options
    // What a file or a secret says holds for every audience of this server.
    const audiences = wanted.filter((each) => tokens.audiences.includes(each))
    const user = tokenFile?.get(token) ?? (bootstrapTokens === null ? null : bootstrapTokenUser(token, bootstrapTokens))
    if (user !== null) return audiences.length === 0 ? { error: 'invalid bearer token' } : { user, audiences }
    return tokens.authenticate(token, wanted) ?? { error: 'invalid bearer token' }
  }
}

/** Browsers cannot set headers of WebSockets, so upstream lets them name the token as a subprotocol. */
function webSocketToken(headers: Record<string, string | undefined>): string {
  if ((headers['upgrade'] ?? '').toLowerCase() !== 'websocket') return ''
  const protocol = (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((each) => each.trim())
    .find((each) => each.startsWith(WEBSOCKET_TOKEN))
  return protocol === undefined ? '' : Buffer.from(protocol.slice(WEBSOCKET_TOKEN.length), 'base64url').toString('utf8')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export function withAuthenticated(groups: readonly string[]): string[] {
  return groups.includes(AUTHENTICATED) || groups.includes(UNAUTHENTICATED) ? [...groups] : [...groups, AUTHENTICATED]
}
