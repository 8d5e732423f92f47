import type { Logger } from '#shared/base/logger.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { ApiServerSettings } from '../settings.ts'
import type { Store } from '../storage/store.ts'
import { Authenticator } from './authenticator.ts'
import type { BoundObjects, ServiceAccountTokens } from './serviceAccountTokens.ts'
import { PasswordFile, readTokenFile } from './userFiles.ts'

/** Nodes are kept where they were called minions. */
const PREFIXES = { serviceaccounts: 'serviceaccounts', pods: 'pods', secrets: 'secrets', nodes: 'minions' } as const

/** The stored objects that tokens are bound to. */
export function storedObjects(store: Store): BoundObjects {
  return {
    find: (plural, namespace, name) => {
      const prefix = PREFIXES[plural]
      return store.collection(prefix).get(`/registry/${prefix}/${namespace === '' ? '' : `${namespace}/`}${name}`)?.object
    },
  }
}

/** @throws Error that names the file when one cannot be read */
export function createAuthenticator(
  settings: ApiServerSettings['authentication'],
  { tokens, store, nowMs, logger }: { tokens: ServiceAccountTokens; store: Store; nowMs: () => number; logger: Logger },
): Authenticator {
  const { tokenFile, basicAuthFile, bootstrapTokens } = settings
  if (basicAuthFile !== undefined) logger.warn('passwords are accepted, which Kubernetes 1.19 removed', { file: basicAuthFile.path })
  const secret = (name: string): JsonObject | null => store.collection('secrets').get(`/registry/secrets/kube-system/${name}`)?.object ?? null
  return new Authenticator({
    tokens,
    bootstrapTokens: bootstrapTokens ? { secret, nowMs } : null,
    ...(tokenFile === undefined ? {} : { tokenFile: readTokenFile(tokenFile.path, tokenFile.text, logger) }),
    ...(basicAuthFile === undefined ? {} : { passwordFile: new PasswordFile(basicAuthFile.path, basicAuthFile.text) }),
    anonymous: settings.anonymous,
    frontProxyNames: settings.frontProxyNames,
    nowMs,
  })
}
