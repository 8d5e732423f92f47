import { createHmac } from 'node:crypto'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { textAt } from '../../controller.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

export const BOOTSTRAP_TYPE = 'bootstrap.kubernetes.io/token'
export const SIGNATURE_PREFIX = 'jws-kubeconfig-'

/** A bootstrap token's secret, decoded. */
export interface BootstrapToken {
  id: string
  secret: string
  expiresMs: number | null
  signs: boolean
}

const decoded = (data: Record<string, unknown>, name: string): string => Buffer.from(textAt(data[name]), 'base64').toString('utf8')

/** @returns null when the secret is no well-formed bootstrap token */
export function bootstrapToken(object: KubeObject): BootstrapToken | null {
  if (object['type'] !== BOOTSTRAP_TYPE) return null
  const data = objectAt(object['data'])
  const id = decoded(data, 'token-id')
  const secret = decoded(data, 'token-secret')
  const expiration = decoded(data, 'expiration')
  const expiresMs = expiration === '' ? null : Date.parse(expiration)
  if (id === '' || secret === '' || object.metadata.name !== `bootstrap-token-${id}` || Number.isNaN(expiresMs)) return null
  return { id, secret, expiresMs, signs: decoded(data, 'usage-bootstrap-signing') === 'true' }
}

/** The detached JWS of a text by a token: header and signature without the payload between them. */
export function detachedSignature(content: string, { id, secret }: Pick<BootstrapToken, 'id' | 'secret'>): string {
  const header = Buffer.from(JSON.stringify({ alg: 'HS256', kid: id })).toString('base64url')
  const signature = createHmac('sha256', secret)
    .update(`${header}.${Buffer.from(content).toString('base64url')}`)
    .digest('base64url')
  return `${header}..${signature}`
}
