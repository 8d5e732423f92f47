import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import { isSignedBy, jsonWebKey, readSigningKey, readVerifyingKeys, type SigningKey, type VerifyingKey } from './serviceAccountKeys.ts'

export interface Reference {
  name: string
  uid: string
}

export interface ServiceAccountClaims {
  iss: string
  sub: string
  aud: string[]
  exp: number
  iat: number
  nbf: number
  /** Names one token; since 1.30. */
  jti?: string
  'kubernetes.io': {
    namespace: string
    serviceaccount: Reference
    pod?: Reference
    secret?: Reference
    /** The node of the pod, or what the token is bound to. */
    node?: { name: string; uid?: string }
    warnafter?: number
  }
}

/** A credential was looked at: whose it is, why it is none, or null when it is none of this kind. */
export type TokenOutcome = { user: UserInfo; audiences: string[]; annotations?: Record<string, string> } | { error: string } | null

/** The objects tokens are bound to, as they are now. */
export interface BoundObjects {
  find(plural: 'serviceaccounts' | 'pods' | 'secrets' | 'nodes', namespace: string, name: string): JsonObject | undefined
}

export interface ServiceAccountTokensOptions {
  /** The first signs, all are accepted (`--service-account-issuer`). */
  issuers: readonly string[]
  /** PEM of the private key new tokens are signed with (`--service-account-signing-key-file`). */
  signingKey: string
  /** PEM texts with one key or several (`--service-account-key-file`); the signing key's public half is among them or added. */
  keys: readonly string[]
  /** @default the issuers (`--api-audiences`) */
  audiences?: readonly string[]
  bound: BoundObjects
  nowMs(): number
}

/** Tokens are good for this long after they end, and before they begin: clocks differ. Upstream's jwt.DefaultLeeway. */
const LEEWAY_SECONDS = 60
const LEGACY_ISSUER = 'kubernetes/serviceaccount'
const LEGACY = 'kubernetes.io/serviceaccount'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

function payloadOf(token: string): JsonObject | null {
  const parts = token.split('.')
  if (parts.length !== 3) return null
  try {
    const parsed: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'))
    return isObject(parsed) ? parsed : null
  } catch {
    return null
  }
}

/**
 * Signs and checks service accounts' JSON web tokens as kube-apiserver does, with the never-ending ones of token secrets.
 *
 * @see kubernetes pkg/serviceaccount/{jwt,claims,legacy}.go
 */
export class ServiceAccountTokens {
  readonly issuer: string
  /** What a token is for when nobody says. */
  readonly audiences: readonly string[]
  readonly #issuers: ReadonlySet<string>
  readonly #signing: SigningKey
  readonly #keys: readonly VerifyingKey[]
  readonly #bound: BoundObjects
  readonly #nowMs: () => number

  /** @throws Error when a key cannot be read */
  constructor(options: ServiceAccountTokensOptions) {
    const [issuer = ''] = options.issuers
    this.issuer = issuer
    this.#issuers = new Set(options.issuers)
    this.audiences = options.audiences === undefined || options.audiences.length === 0 ? options.issuers : options.audiences
    this.#signing = readSigningKey(options.signingKey)
    const keys = options.keys.flatMap(readVerifyingKeys)
    this.#keys = keys.some(({ id }) => id === this.#signing.id) ? keys : [...keys, this.#signing]
    this.#bound = options.bound
    this.#nowMs = options.nowMs
  }

  sign(claims: Omit<ServiceAccountClaims, 'iss'>): string {
    const head = encode({ alg: this.#signing.algorithm, kid: this.#signing.id })
    const body = encode({ ...claims, iss: this.issuer })
    return `${head}.${body}.${this.#signing.sign(`${head}.${body}`)}`
  }

  /** @param wanted audiences the asker accepts */
  authenticate(token: string, wanted: readonly string[]): TokenOutcome {
    const claims = payloadOf(token)
    const issuer = text(claims?.['iss'])
    const legacy = issuer === LEGACY_ISSUER
    if (claims === null || (!legacy && !this.#issuers.has(issuer))) return null
    if (!this.#isSigned(token)) return { error: 'square/go-jose: error in cryptographic primitive' }
    const own = Array.isArray(claims['aud'])
      ? claims['aud'].filter((each) => typeof each === 'string')
      : text(claims['aud']) === ''
        ? []
        : [text(claims['aud'])]
    const audiences = (own.length === 0 ? this.audiences : own).filter((each) => wanted.includes(each))
    if (audiences.length === 0)
      return { error: `token audiences ${goList(own.length === 0 ? this.audiences : own)} is invalid for the target audiences ${goList(wanted)}` }
    const invalid = legacy ? this.#legacyFault(token, claims) : this.#fault(claims)
    if (invalid !== null) return { error: invalid }
    return legacy ? legacyUser(claims, audiences) : boundUser(claims as unknown as ServiceAccountClaims, audiences, this.#nowMs())
  }

  /** `/openid/v1/jwks`. */
  keySet(): object {
    return { keys: this.#keys.map(jsonWebKey) }
  }

  /** `/.well-known/openid-configuration`. */
  discoveryDocument(address: string): object {
    return {
      issuer: this.issuer,
      jwks_uri: `${address}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set(this.#keys.map(({ algorithm }) => algorithm))].sort(),
    }
  }

  #isSigned(token: string): boolean {
    const [head = '', body = '', signature = ''] = token.split('.')
    let algorithm: unknown
    try {
      algorithm = (JSON.parse(Buffer.from(head, 'base64url').toString('utf8')) as { alg?: unknown } | null)?.alg
    } catch {
      return false
    }
    const bytes = Buffer.from(signature, 'base64url')
    return this.#keys.some((key) => key.algorithm === algorithm && isSignedBy(key, `${head}.${body}`, bytes))
  }

  /** Why a signed token is not valid, in upstream's words. */
  #fault(claims: JsonObject): string | null {
    const now = this.#nowMs() / 1000
    if (typeof claims['exp'] === 'number' && claims['exp'] + LEEWAY_SECONDS < now) return 'Token has expired.'
    for (const field of ['nbf', 'iat']) if (typeof claims[field] === 'number' && claims[field] - LEEWAY_SECONDS > now) return 'Token could not be validated.'
    const own = claims['kubernetes.io']
    if (!isObject(own) || !isObject(own['serviceaccount'])) return 'Token could not be validated.'
    const namespace = text(own['namespace'])
    const account = own['serviceaccount']
    const live = this.#bound.find('serviceaccounts', namespace, text(account['name']))
    if (live === undefined) return `serviceaccounts ${JSON.stringify(text(account['name']))} not found`
    if (this.#longDeleted(live)) return `ServiceAccount ${namespace}/${text(account['name'])} has been deleted`
    if (uidOf(live) !== account['uid']) return `ServiceAccount UID (${uidOf(live)}) does not match claim (${text(account['uid'])})`
    return (
      this.#boundFault('secrets', 'Secret', namespace, own['secret']) ??
      this.#boundFault('pods', 'Pod', namespace, own['pod']) ??
      // With a pod the node is only told, not bound to.
      (own['pod'] === undefined ? this.#boundFault('nodes', 'Node', '', own['node']) : null)
    )
  }

  #boundFault(plural: 'secrets' | 'pods' | 'nodes', kind: string, namespace: string, ref: unknown): string | null {
    if (!isObject(ref)) return null
    const live = this.#bound.find(plural, namespace, text(ref['name']))
    if (live === undefined || this.#longDeleted(live)) return 'Token has been invalidated'
    return uidOf(live) === ref['uid'] ? null : `${kind} UID (${uidOf(live)}) does not match claim (${text(ref['uid'])})`
  }

  #longDeleted(object: JsonObject): boolean {
    const at = isObject(object['metadata']) ? text(object['metadata']['deletionTimestamp']) : ''
    return at !== '' && Date.parse(at) < this.#nowMs() - LEEWAY_SECONDS * 1000
  }

  #legacyFault(token: string, claims: JsonObject): string | null {
    const claim = (name: string): string => text(claims[`${LEGACY}/${name}`])
    const [namespace, secret, name, uid] = [claim('namespace'), claim('secret.name'), claim('service-account.name'), claim('service-account.uid')]
    if (text(claims['sub']) === '') return 'sub claim is missing'
    if (namespace === '') return 'namespace claim is missing'
    if (secret === '') return 'secretName claim is missing'
    if (name === '') return 'serviceAccountName claim is missing'
    if (uid === '') return 'serviceAccountUID claim is missing'
    if (claims['sub'] !== `system:serviceaccount:${namespace}:${name}`) return 'sub claim is invalid'
    const live = this.#bound.find('secrets', namespace, secret)
    if (live === undefined || (isObject(live['metadata']) && live['metadata']['deletionTimestamp'] !== undefined)) return 'Token has been invalidated'
    const data = isObject(live['data']) ? text(live['data']['token']) : ''
    if (Buffer.from(data, 'base64').toString('utf8') !== token) return "Token does not match server's copy"
    const account = this.#bound.find('serviceaccounts', namespace, name)
    if (account === undefined) return `serviceaccounts ${JSON.stringify(name)} not found`
    return uidOf(account) === uid ? null : `ServiceAccount UID (${uidOf(account)}) does not match claim (${uid})`
  }
}

const uidOf = (object: JsonObject): string => (isObject(object['metadata']) ? text(object['metadata']['uid']) : '')

/** A list of texts as Go's %q prints it. */
const goList = (values: readonly string[]): string => `[${values.map((each) => JSON.stringify(each)).join(' ')}]`

const accountUser = (namespace: string, name: string, uid: string): UserInfo => ({
  username: `system:serviceaccount:${namespace}:${name}`,
  uid,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
})

function legacyUser(claims: JsonObject, audiences: string[]): TokenOutcome {
  const claim = (name: string): string => text(claims[`${LEGACY}/${name}`])
  const user = accountUser(claim('namespace'), claim('service-account.name'), claim('service-account.uid'))
  return { user, audiences, annotations: { 'authentication.k8s.io/legacy-token': user.username } }
}

function boundUser(claims: ServiceAccountClaims, audiences: string[], nowMs: number): TokenOutcome {
  const { namespace, serviceaccount, pod, node, warnafter } = claims['kubernetes.io']
  const prefix = 'authentication.kubernetes.io'
  const extra: Record<string, string[]> = {
    ...(claims.jti === undefined ? {} : { [`${prefix}/credential-id`]: [`JTI=${claims.jti}`] }),
    ...(node === undefined ? {} : { [`${prefix}/node-name`]: [node.name], ...(node.uid === undefined ? {} : { [`${prefix}/node-uid`]: [node.uid] }) }),
    ...(pod === undefined ? {} : { [`${prefix}/pod-name`]: [pod.name], [`${prefix}/pod-uid`]: [pod.uid] }),
  }
  const user = accountUser(namespace, serviceaccount.name, serviceaccount.uid)
  const lateSeconds = warnafter === undefined ? 0 : Math.floor(nowMs / 1000 - warnafter)
  return {
    user: Object.keys(extra).length === 0 ? user : { ...user, extra },
    audiences,
    ...(lateSeconds > 0
      ? { annotations: { 'authentication.k8s.io/stale-token': `subject: ${claims.sub}, seconds after warning threshold: ${String(lateSeconds)}` } }
      : {}),
  }
}
