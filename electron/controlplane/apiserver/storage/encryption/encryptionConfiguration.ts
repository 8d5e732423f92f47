import { parse as parseYaml } from 'yaml'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { NamedText } from '../../settings.ts'
import { decrypt, encrypt, KEY_BYTES, type EncryptionKey, type ProviderName } from './transformer.ts'

type Provider = { name: 'identity' } | { name: ProviderName; keys: EncryptionKey[] }

interface Group {
  resources: string[]
  providers: Provider[]
}

/** A value as it is meant, and whether it should be written anew: with an older key, or another provider than writes now. */
export interface Opened {
  bytes: Uint8Array
  stale: boolean
}

const MARK = 'k8s:enc:'
const PROVIDERS = ['identity', 'aescbc', 'aesgcm', 'secretbox'] as const

/**
 * An EncryptionConfiguration (`--encryption-provider-config`): which resources are stored encrypted, and with which keys. The
 * first provider's first key writes; whatever is listed can be read.
 *
 * @see kubernetes staging/src/k8s.io/apiserver/pkg/server/options/encryptionconfig/config.go
 */
export class EncryptionConfiguration {
  readonly #groups: readonly Group[]
  readonly #chosen = new Map<string, Group | null>()

  /** @throws Error that names the file and what is wrong in it */
  constructor({ path, text }: NamedText) {
    const wrong = (why: string): Error => new Error(`--encryption-provider-config: ${path}: ${why}`)
    let config: unknown
    try {
      config = parseYaml(text)
    } catch (error) {
      throw wrong(error instanceof Error ? error.message : String(error))
    }
    const known =
      isObject(config) &&
      ((config['kind'] === 'EncryptionConfiguration' && config['apiVersion'] === 'apiserver.config.k8s.io/v1') ||
        // The name it had before 1.13.
        (config['kind'] === 'EncryptionConfig' && config['apiVersion'] === 'v1'))
    if (!known || !isObject(config)) throw wrong('it must have apiVersion apiserver.config.k8s.io/v1 and kind EncryptionConfiguration')
    const entries = objects(config['resources'])
    if (entries.length === 0) throw wrong('resources: at least one entry is required')
    this.#groups = entries.map((entry, index) => readGroup(entry, `resources[${String(index)}]`, wrong))
  }

  /** @param resource `secrets` or `deployments.apps`; `path` is the etcd key */
  seal(resource: string, path: string, plain: Uint8Array): Uint8Array {
    const provider = this.#groupOf(resource)?.providers[0]
    if (provider === undefined || provider.name === 'identity') return plain
    const [key] = provider.keys
    if (key === undefined) return plain
    return Buffer.concat([Buffer.from(prefix(provider.name, key.name)), encrypt(provider.name, key.secret, plain, path)])
  }

  /** @throws Error when no listed provider and key opens it */
  open(resource: string, path: string, stored: Uint8Array): Opened {
    const group = this.#groupOf(resource)
    const marked = isSealed(stored)
    if (group === null) {
      if (marked) throw new Error('the value is encrypted, and the encryption configuration does not name its resource')
      return { bytes: stored, stale: false }
    }
    for (const [index, provider] of group.providers.entries()) {
      if (provider.name === 'identity') {
        if (!marked) return { bytes: stored, stale: index > 0 }
        continue
      }
      const opened = openWith(provider, path, stored)
      if (opened !== null) return { bytes: opened.bytes, stale: index > 0 || opened.stale }
    }
    throw new Error(
      marked
        ? `no matching key was found for the provider ${headOf(stored)}`
        : 'the value is not encrypted, and the encryption configuration has no identity provider',
    )
  }

  #groupOf(resource: string): Group | null {
    let group = this.#chosen.get(resource)
    if (group === undefined) {
      group = this.#groups.find(({ resources }) => resources.some((pattern) => names(pattern, resource))) ?? null
      this.#chosen.set(resource, group)
    }
    return group
  }
}

/** Whether a stored value was encrypted by an API server. */
export const isSealed = (stored: Uint8Array): boolean =>
  Buffer.from(stored.buffer, stored.byteOffset, Math.min(MARK.length, stored.length)).toString('latin1') === MARK

const prefix = (provider: ProviderName, key: string): string => `${MARK}${provider}:v1:${key}:`

/** Provider and key of a sealed value, for messages. */
function headOf(stored: Uint8Array): string {
  const [, , provider = '', version = '', key = ''] = Buffer.from(stored.subarray(0, 512)).toString('latin1').split(':')
  return `${provider}:${version}:${key}`
}

function openWith(provider: Exclude<Provider, { name: 'identity' }>, path: string, stored: Uint8Array): Opened | null {
  for (const [index, { name, secret }] of provider.keys.entries()) {
    const head = Buffer.from(prefix(provider.name, name))
    if (Buffer.compare(head, stored.subarray(0, head.length)) !== 0) continue
    return { bytes: decrypt(provider.name, secret, stored.subarray(head.length), path), stale: index > 0 }
  }
  return null
}

/** `secrets`, `deployments.apps`, `*.apps`, `*.` (the core group) and `*.*`. */
function names(pattern: string, resource: string): boolean {
  if (pattern === '*.*' || pattern === resource) return true
  if (!pattern.startsWith('*.')) return false
  const group = resource.includes('.') ? resource.slice(resource.indexOf('.') + 1) : ''
  return pattern.slice(2) === group
}

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])

function readGroup(entry: JsonObject, field: string, wrong: (why: string) => Error): Group {
  const resources = texts(entry['resources'])
  if (resources.length === 0) throw wrong(`${field}.resources: at least one resource is required`)
  const providers = objects(entry['providers']).map((provider, index) => readProvider(provider, `${field}.providers[${String(index)}]`, wrong))
  if (providers.length === 0) throw wrong(`${field}.providers: at least one provider is required`)
  return { resources, providers }
}

function readProvider(provider: JsonObject, field: string, wrong: (why: string) => Error): Provider {
  const given = Object.keys(provider)
  const [only = ''] = given
  if (given.length !== 1) throw wrong(`${field}: exactly one provider is required, found ${given.length === 0 ? 'none' : given.join(', ')}`)
  if (only === 'kms') throw wrong(`${field}: KMS plugins are not built; use ${PROVIDERS.join(', ')}`)
  const name = PROVIDERS.find((each) => each === only)
  if (name === undefined) throw wrong(`${field}: unknown provider ${JSON.stringify(only)}; known are ${PROVIDERS.join(', ')}`)
  if (name === 'identity') return { name }
  const body = provider[name]
  const keys = objects(isObject(body) ? body['keys'] : undefined).map((key, index) =>
    readKey(name, key, { field: `${field}.${name}.keys[${String(index)}]`, wrong }),
  )
  if (keys.length === 0) throw wrong(`${field}.${name}.keys: at least one key is required`)
  return { name, keys }
}

function readKey(provider: ProviderName, key: JsonObject, { field, wrong }: { field: string; wrong: (why: string) => Error }): EncryptionKey {
  const { name, secret } = key
  if (typeof name !== 'string' || name === '') throw wrong(`${field}.name: a name is required`)
  if (name.includes(':')) throw wrong(`${field}.name: ${JSON.stringify(name)} must not contain a colon`)
  if (typeof secret !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(secret)) throw wrong(`${field}.secret: it must be base64`)
  const bytes = Buffer.from(secret, 'base64')
  if (!KEY_BYTES[provider].includes(bytes.length))
    throw wrong(`${field}.secret: ${provider} takes keys of ${KEY_BYTES[provider].join(', ')} bytes, not ${String(bytes.length)}`)
  return { name, secret: bytes }
}
