import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/**
 * The token that stays in a secret of type `kubernetes.io/service-account-token`: it does not end while the secret is there.
 *
 * @param privateKey PEM of the RSA key in `sa.key`
 * @see kubernetes pkg/serviceaccount/legacy.go
 */
export function signLegacyServiceAccountToken(privateKey: string, account: { namespace: string; name: string; uid: string }, secretName: string): string {
  const key = createPrivateKey(privateKey)
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const prefix = 'kubernetes.io/serviceaccount'
  const head = encode({ alg: 'RS256', kid: createHash('sha256').update(publicKey).digest('base64url') })
  const body = encode({
    iss: 'kubernetes/serviceaccount',
    [`${prefix}/namespace`]: account.namespace,
    [`${prefix}/secret.name`]: secretName,
    [`${prefix}/service-account.name`]: account.name,
    [`${prefix}/service-account.uid`]: account.uid,
    sub: `system:serviceaccount:${account.namespace}:${account.name}`,
  })
  return `${head}.${body}.${sign('RSA-SHA256', Buffer.from(`${head}.${body}`), key).toString('base64url')}`
}
