import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'

/** JSON web signatures that service account tokens may have, with what Node calls them. */
const ALGORITHMS = { RS256: 'RSA-SHA256', ES256: 'sha256', ES384: 'sha384', ES512: 'sha512' } as const
type Algorithm = keyof typeof ALGORITHMS

const CURVES: Readonly<Record<string, Algorithm>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }

const PEM_BLOCK = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g

function algorithmOf(key: KeyObject): Algorithm {
  if (key.asymmetricKeyType === 'rsa') return 'RS256'
  const algorithm = key.asymmetricKeyType === 'ec' ? CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''] : undefined
  if (algorithm === undefined) throw new Error('unknown public key type, must be RSA or ECDSA on curve P-256, P-384 or P-521')
  return algorithm
}

/** A key that tokens are checked with. */
export interface VerifyingKey {
  /** base64url of the SHA-256 of the key's SubjectPublicKeyInfo, as `kid`. */
  id: string
  algorithm: Algorithm
  key: KeyObject
}

function verifyingKey(key: KeyObject): VerifyingKey {
  const spki = key.export({ type: 'spki', format: 'der' })
  return { id: createHash('sha256').update(spki).digest('base64url'), algorithm: algorithmOf(key), key }
}

/**
 * Every key in a PEM text; of a private key, its public half (`--service-account-key-file` may hold several of both).
 *
 * @throws Error when there is none
 */
export function readVerifyingKeys(pem: string): VerifyingKey[] {
  const keys = [...pem.matchAll(PEM_BLOCK)].flatMap(([block, label = '']) => (/KEY$|CERTIFICATE$/.test(label) ? [verifyingKey(createPublicKey(block))] : []))
  if (keys.length === 0) throw new Error('data does not contain any valid RSA or ECDSA public keys')
  return keys
}

/** The key new tokens are signed with. */
export interface SigningKey extends VerifyingKey {
  sign(text: string): string
}

/** @throws Error when the text holds no private key */
export function readSigningKey(pem: string): SigningKey {
  // A file may start with EC PARAMETERS, which is no key.
  const block = [...pem.matchAll(PEM_BLOCK)].find(([, label = '']) => label.endsWith('PRIVATE KEY'))?.[0] ?? pem
  const privateKey = createPrivateKey(block)
  const known = verifyingKey(createPublicKey(privateKey))
  return {
    ...known,
    sign: (text) => sign(ALGORITHMS[known.algorithm], Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
  }
}

/** Whether the signature of `text` was made with the key. */
export function isSignedBy({ algorithm, key }: VerifyingKey, text: string, signature: Uint8Array): boolean {
  return verify(ALGORITHMS[algorithm], Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, signature)
}

/** A JSON Web Key, fields in upstream's order. */
export function jsonWebKey({ id, algorithm, key }: VerifyingKey): object {
  const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' })
  return kty === 'RSA' ? { use: 'sig', kty, kid: id, alg: algorithm, n, e } : { use: 'sig', kty, kid: id, crv, alg: algorithm, x, y }
}
