import { timingSafeEqual } from 'node:crypto'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/
const DEFAULT_GROUP = 'system:bootstrappers'

export interface BootstrapTokensOptions {
  /** Secret of kube-system by name, null when there is none. */
  secret(name: string): JsonObject | null
  nowMs(): number
}

/**
 * `id.secret` tokens of joining nodes, kept as secrets `bootstrap-token-<id>` in kube-system.
 *
 * @returns null for anything that may not authenticate; upstream tells nobody why either
 * @see kubernetes plugin/pkg/auth/authenticator/token/bootstrap
 */
export function bootstrapTokenUser(token: string, { secret, nowMs }: BootstrapTokensOptions): UserInfo | null {
  const parts = TOKEN.exec(token)
  if (parts === null) return null
  const [, id = '', sent = ''] = parts
  const object = secret(`bootstrap-token-${id}`)
  if (object === null || object['type'] !== 'bootstrap.kubernetes.io/token' || !isObject(object['data'])) return null
  if (isObject(object['metadata']) && object['metadata']['deletionTimestamp'] !== undefined) return null
  const data = object['data']
  const value = (name: string): string => (typeof data[name] === 'string' ? Buffer.from(data[name], 'base64').toString('utf8') : '')
  const stored = Buffer.from(value('token-secret'))
  if (stored.length !== sent.length || !timingSafeEqual(stored, Buffer.from(sent)) || value('token-id') !== id) return null
  const expiration = value('expiration')
  // A time that cannot be read has passed.
  if (expiration !== '' && !(Date.parse(expiration) > nowMs())) return null
  if (value('usage-bootstrap-authentication') !== 'true') return null
  const groups = new Set([DEFAULT_GROUP])
  const extra = value('auth-extra-groups')
  for (const group of extra === '' ? [] : extra.split(',')) {
    if (!GROUP.test(group)) return null
    groups.add(group)
  }
  return { username: `system:bootstrap:${id}`, groups: [...groups].sort() }
}
