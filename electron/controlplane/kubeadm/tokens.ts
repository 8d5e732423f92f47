import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { SECRETS } from '#electron/client/resources.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import { goDuration, KubeadmError, readFlags } from './flags.ts'

/** A bootstrap token: the public part and the secret one. */
export interface Token {
  id: string
  secret: string
}

export interface TokenContext {
  admin: RestClient
  clock: Clock
  random: Random
  signal: AbortSignal
  out(text: string): void
}

const NAMESPACE = 'kube-system'
const TYPE = 'bootstrap.kubernetes.io/token'
/** As Go quotes them. */
const TOKEN_PATTERN = '"\\\\A([a-z0-9]{6})\\\\.([a-z0-9]{16})\\\\z"'
const ID_PATTERN = '"\\\\A([a-z0-9]{6})\\\\z"'
/** For what a validation of the configuration refuses. */
const INVALID_CODE = 3
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'
const DAY_MS = 24 * 3_600_000
export const NODE_TOKEN_GROUP = 'system:bootstrappers:kubeadm:default-node-token'
const USAGES = ['authentication', 'signing']

export const tokenText = ({ id, secret }: Token): string => `${id}.${secret}`

/** @throws KubeadmError when it has not the form */
export function readToken(text: string): Token {
  const [, id = '', secret = ''] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text) ?? []
  if (id === '') throw new KubeadmError(`the bootstrap token "${text}" was not of the form ${TOKEN_PATTERN}`)
  return { id, secret }
}

export function generateToken(random: Random): Token {
  const letters = (count: number): string => Array.from({ length: count }, () => LETTERS[random.below(LETTERS.length)]).join('')
  return { id: letters(6), secret: letters(16) }
}

/** What `token create` and `init` store. @param ttlMs 0: it never expires */
export function tokenSecret(
  { id, secret }: Token,
  { nowMs, ttlMs, description, groups, usages }: { nowMs: number; ttlMs: number; description: string; groups: readonly string[]; usages: readonly string[] },
): KubeObject {
  const data: Record<string, string> = {
    'token-id': id,
    'token-secret': secret,
    ...(description === '' ? {} : { description }),
    ...(ttlMs === 0 ? {} : { expiration: seconds(nowMs + ttlMs) }),
    ...Object.fromEntries(usages.map((usage) => [`usage-bootstrap-${usage}`, 'true'])),
    ...(groups.length === 0 ? {} : { 'auth-extra-groups': groups.join(',') }),
  }
  const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: `bootstrap-token-${id}`, namespace: NAMESPACE }, type: TYPE, data: encoded }
}

/** RFC 3339 to the second, as Go writes it. */
const seconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')

/** `kubeadm token create`. @returns the token and whether its command was asked for */
export async function createToken(
  args: readonly string[],
  { admin, clock, random, signal }: TokenContext,
): Promise<{ token: Token; join: boolean; certificateKey: string | null }> {
  const flags = readFlags(args, { switches: ['print-join-command', 'dry-run'], values: ['ttl', 'description', 'groups', 'usages', 'certificate-key'] })
  const token = flags.words[0] === undefined ? generateToken(random) : readToken(flags.words[0])
  const join = flags.has('print-join-command')
  const certificateKey = flags.value('certificate-key') ?? null
  if (certificateKey !== null && !join) throw new KubeadmError('cannot use --certificate-key without --print-join-command')
  const usages = flags.has('usages') ? flags.list('usages') : USAGES
  const wrong = usages.find((usage) => !USAGES.includes(usage))
  if (wrong !== undefined) throw new KubeadmError(`invalid bootstrap token usage string: ${wrong}, valid usage options: ${USAGES.join(', ')}`)
  const groups = flags.has('groups') ? flags.list('groups').filter((group) => group !== '') : [NODE_TOKEN_GROUP]
  if (groups.length > 0 && !usages.includes('authentication')) {
    const shown = groups.map((group) => JSON.stringify(group)).join(', ')
    const why = 'token groups cannot be specified unless --usages includes "authentication"'
    throw new KubeadmError(`bootstrapTokens.0.groups: Invalid value: []string{${shown}}: ${why}`, INVALID_CODE)
  }
  const ttl = flags.value('ttl')
  const secret = tokenSecret(token, {
    nowMs: clock.now(),
    ttlMs: ttl === undefined ? DAY_MS : goDuration(ttl, 'ttl'),
    description: flags.value('description') ?? '',
    groups,
    usages,
  })
  if (!flags.has('dry-run')) await storeToken(admin, token, secret, signal)
  return { token, join, certificateKey }
}

export async function storeToken(admin: RestClient, { id }: Token, secret: KubeObject, signal: AbortSignal): Promise<void> {
  const there = await admin.get(SECRETS, { namespace: NAMESPACE, name: `bootstrap-token-${id}` }, signal).catch((error: unknown) => {
    if (isNotFound(error)) return null
    throw error
  })
  if (there !== null) throw new KubeadmError(`a token with id "${id}" already exists`)
  await admin.create(SECRETS, { namespace: NAMESPACE }, secret, signal)
}

/** `kubeadm token list`. */
export async function listTokens({ admin, clock, signal, out }: TokenContext): Promise<void> {
  const { items } = await admin.list(SECRETS, { namespace: NAMESPACE, fieldSelector: `type=${TYPE}` }, signal)
  let rows: string[][] = [['TOKEN', 'TTL', 'EXPIRES', 'USAGES', 'DESCRIPTION', 'EXTRA GROUPS']]
  for (const secret of items) {
    const data = isObject(secret['data']) ? secret['data'] : {}
    const value = (key: string): string => (typeof data[key] === 'string' ? Buffer.from(data[key], 'base64').toString('utf8') : '')
    const expiration = value('expiration')
    const usages = USAGES.filter((usage) => value(`usage-bootstrap-${usage}`) === 'true').join(',')
    rows.push([
      `${value('token-id')}.${value('token-secret')}`,
      (expiration === '' ? '<forever>' : shortDuration(Date.parse(expiration) - clock.now())).padEnd(9),
      expiration === '' ? '<never>' : expiration,
      (usages || '<none>').padEnd(22),
      (value('description') || '<none>').padEnd(56),
      value('auth-extra-groups') || '<none>',
    ])
    // Each row is aligned by itself, the first with the header.
    out(tabbed(rows))
    rows = []
  }
}

/** Columns of at least ten characters, three between them. */
function tabbed(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(10, ...rows.map((row) => (row[column] ?? '').length + 3)))
  return rows.map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('')}\n`).join('')
}

function shortDuration(ms: number): string {
  const total = Math.trunc(ms / 1000)
  if (total < -1) return '<invalid>'
  if (total < 60) return `${String(Math.max(0, total))}s`
  const minutes = Math.trunc(total / 60)
  if (minutes < 60) return `${String(minutes)}m`
  const hours = Math.trunc(minutes / 60)
  if (hours < 24) return `${String(hours)}h`
  return hours < 24 * 365 ? `${String(Math.trunc(hours / 24))}d` : `${String(Math.trunc(hours / 24 / 365))}y`
}

/** `kubeadm token delete`. @param words tokens, or their public parts */
export async function deleteTokens(words: readonly string[], { admin, signal, out }: TokenContext): Promise<void> {
  if (words.length === 0) throw new KubeadmError(`missing subcommand; 'token delete' is missing token of form ${ID_PATTERN}`)
  for (const word of words) {
    const id = /^[a-z0-9]{6}$/.test(word) ? word : /^([a-z0-9]{6})\.[a-z0-9]{16}$/.exec(word)?.[1]
    if (id === undefined) throw new KubeadmError(`given token didn't match pattern ${ID_PATTERN} or ${ID_PATTERN}`)
    try {
      await admin.delete(SECRETS, { namespace: NAMESPACE, name: `bootstrap-token-${id}` }, {}, signal)
    } catch (error) {
      throw new KubeadmError(`failed to delete bootstrap token "${id}": ${error instanceof Error ? error.message : String(error)}`)
    }
    out(`bootstrap token "${id}" deleted\n`)
  }
}
