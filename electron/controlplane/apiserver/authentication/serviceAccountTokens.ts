import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { isObject } from '#shared/kubernetes/json.ts'

export interface ServiceAccountClaims {
  iss: string
  sub: string
  aud: string[]
  exp: number
  iat: number
  nbf: number
  'kubernetes.io': {
    namespace: string
    serviceaccount: { name: string; uid: string }
    pod?: { name: string; uid: string }
    secret?: { name: string; uid: string }
    warnafter?: number
  }
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signs and checks service accounts' JSON web tokens (RS256), as kube-apiserver does. */
export class ServiceAccountTokens {
  readonly issuer: string
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject
  readonly #keyId: string

  /** @param options PEM texts; @throws when a key cannot be read */
  constructor(options: { issuer: string; privateKey: string; publicKey: string }) {
    this.issuer = options.issuer
    this.#privateKey = createPrivateKey(options.privateKey)
    this.#publicKey = createPublicKey(options.publicKey)
    this.#keyId = createHash('sha256')
      .update(this.#publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64url')
  }

  sign(claims: Omit<ServiceAccountClaims, 'iss'>): string {
    const head = encode({ alg: 'RS256', kid: this.#keyId })
    const body = encode({ ...claims, iss: this.issuer })
    return `${head}.${body}.${sign('RSA-SHA256', Buffer.from(`${head}.${body}`), this.#privateKey).toString('base64url')}`
  }

  /** @returns null when the token is none of ours, or not valid at `nowMs` */
  verify(token: string, nowMs: number): ServiceAccountClaims | null {
    const [head = '', body = '', signature = '', ...more] = token.split('.')
    if (signature === '' || more.length > 0) return null
    if (!verify('RSA-SHA256', Buffer.from(`${head}.${body}`), this.#publicKey, Buffer.from(signature, 'base64url'))) return null
    const parsed: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'))
    if (!isObject(parsed) || parsed['iss'] !== this.issuer || !isObject(parsed['kubernetes.io'])) return null
    const claims = parsed as unknown as ServiceAccountClaims
    const now = nowMs / 1000
    return claims.exp > now && claims.nbf <= now + 1 ? claims : null
  }

  /** `/openid/v1/jwks`. */
  keySet(): object {
    return { keys: [{ use: 'sig', alg: 'RS256', kid: this.#keyId, ...this.#publicKey.export({ format: 'jwk' }) }] }
  }
}
