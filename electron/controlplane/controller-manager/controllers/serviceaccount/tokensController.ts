import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isConflict, isForbidden, isNotFound } from '#shared/kubernetes/status.ts'
import { SECRETS, SERVICE_ACCOUNTS } from '#electron/client/resources.ts'
import { isDeleting, keyOf, objectsAt, splitKey, textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { objectAt } from '#shared/kubernetes/json.ts'

/** Signs the token that stays in a secret. */
export type ServiceAccountTokenSigner = (account: { namespace: string; name: string; uid: string }, secretName: string) => string

export interface TokensOptions {
  sign: ServiceAccountTokenSigner
  /** PEM, the secrets' `ca.crt`. */
  rootCa: string | undefined
  /** Whether every account gets a token secret, as until 1.23 (LegacyServiceAccountTokenNoAutoGeneration). */
  everyAccount: boolean
}

const TYPE = 'kubernetes.io/service-account-token'
const NAME = 'kubernetes.io/service-account.name'
const UID = 'kubernetes.io/service-account.uid'
const NAME_CHARACTERS = 'bcdfghjklmnpqrstvwxz2456789'

const isTokenSecret = (object: KubeObject): boolean => object['type'] === TYPE
const base64 = (text: string): string => Buffer.from(text).toString('base64')

/**
 * Keeps the secrets of type `kubernetes.io/service-account-token`: fills them, removes those whose account is gone and,
 * for releases that did so, makes one for each account.
 *
 * @see kubernetes pkg/controller/serviceaccount/tokens_controller.go
 */
export function tokensController(context: ControllerContext, { sign, rootCa, everyAccount }: TokensOptions): Controller {
  const { client, random } = context
  const accounts = context.informer(SERVICE_ACCOUNTS)
  const secrets = context.informer(SECRETS)
  const accountQueue = context.queue('serviceaccount_tokens_service', syncAccount)
  const secretQueue = context.queue('serviceaccount_tokens_secret', syncSecret)
  accounts.onEvent(({ object }) => {
    accountQueue.add(keyOf(object))
  })
  secrets.onEvent(({ type, object }) => {
    if (!isTokenSecret(object)) return
    secretQueue.add(keyOf(object))
    if (type === 'delete') accountQueue.add(`${object.metadata.namespace ?? ''}/${object.metadata.annotations?.[NAME] ?? ''}`)
  })

  const belongs = (secret: KubeObject, account: KubeObject): boolean => {
    const uid = secret.metadata.annotations?.[UID] ?? ''
    return secret.metadata.annotations?.[NAME] === account.metadata.name && (uid === '' || uid === account.metadata.uid)
  }

  const tokensOf = (account: KubeObject): KubeObject[] =>
    secrets.byIndex('namespace', account.metadata.namespace ?? '').filter((secret) => isTokenSecret(secret) && belongs(secret, account))

  async function syncAccount(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const account = accounts.get(namespace, name)
    if (account === undefined) {
      for (const secret of secrets.byIndex('namespace', namespace))
        if (isTokenSecret(secret) && secret.metadata.annotations?.[NAME] === name) secretQueue.add(keyOf(secret))
      return
    }
    if (isDeleting(account) || !everyAccount) return
    const named = objectsAt(account['secrets']).map((each) => textAt(each['name']))
    const tokens = tokensOf(account)
    if (tokens.some(({ metadata }) => named.includes(metadata.name ?? ''))) return
    try {
      await addToken(account, signal)
    } catch (error) {
      // The account or its namespace goes, or somebody changed it meanwhile: the event of that comes here again.
      if (!isForbidden(error) && !isNotFound(error) && !isAlreadyExists(error) && !isConflict(error)) throw error
    }
  }

  /** Asks the server first: who was told late of the last one would make a second. */
  async function addToken(known: KubeObject, signal: AbortSignal): Promise<void> {
    const { namespace = '', name = '', uid = '' } = known.metadata
    const account = await client.get(SERVICE_ACCOUNTS, { namespace, name }, signal)
    if (account.metadata.uid !== uid || account.metadata.resourceVersion !== known.metadata.resourceVersion) return
    const suffix = Array.from({ length: 5 }, () => NAME_CHARACTERS.charAt(random.below(NAME_CHARACTERS.length))).join('')
    const secretName = `${name}-token-${suffix}`
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: secretName, namespace, annotations: { [NAME]: name, [UID]: uid } },
      type: TYPE,
      data: dataOf({ namespace, name, uid }, secretName),
    }
    await client.create(SECRETS, { namespace }, secret, signal)
    try {
      await client.update(SERVICE_ACCOUNTS, { namespace, name }, { ...account, secrets: [...objectsAt(account['secrets']), { name: secretName }] }, signal)
    } catch (error) {
      // A token nobody refers to would stay for ever.
      await client.delete(SECRETS, { namespace, name: secretName }, {}, signal)
      throw error
    }
  }

  function dataOf(account: { namespace: string; name: string; uid: string }, secretName: string): Record<string, string> {
    return {
      ...(rootCa === undefined ? {} : { 'ca.crt': base64(rootCa) }),
      namespace: base64(account.namespace),
      token: base64(sign(account, secretName)),
    }
  }

  async function syncSecret(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const secret = secrets.get(namespace, name)
    if (secret === undefined) {
      await forget(namespace, name, signal)
      return
    }
    const account = accounts.get(namespace, secret.metadata.annotations?.[NAME] ?? '')
    try {
      if (account === undefined || !belongs(secret, account)) {
        await removeOrphan(secret, signal)
        return
      }
      const data = objectAt(secret['data'])
      const [uid, wanted] = [account.metadata.uid ?? '', rootCa === undefined ? undefined : base64(rootCa)]
      if (data['token'] !== undefined && data['namespace'] !== undefined && data['ca.crt'] === wanted && secret.metadata.annotations?.[UID] === uid) return
      const filled = dataOf({ namespace, name: account.metadata.name ?? '', uid }, name)
      const metadata = { ...secret.metadata, annotations: { ...secret.metadata.annotations, [UID]: uid } }
      await client.update(
        SECRETS,
        { namespace, name },
        { ...secret, metadata, data: { ...data, ...filled, ...(data['token'] === undefined ? {} : { token: data['token'] }) } },
        signal,
      )
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  /** The informer may be behind: the server says whether the account is really gone. */
  async function removeOrphan({ metadata }: KubeObject, signal: AbortSignal): Promise<void> {
    const { namespace = '', name = '', uid = '', annotations } = metadata
    try {
      const account = await client.get(SERVICE_ACCOUNTS, { namespace, name: annotations?.[NAME] ?? '' }, signal)
      if ((annotations?.[UID] ?? account.metadata.uid) === account.metadata.uid) return
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    await client.delete(SECRETS, { namespace, name }, { uid }, signal)
  }

  /** An account does not name a secret that is gone. */
  async function forget(namespace: string, name: string, signal: AbortSignal): Promise<void> {
    for (const account of accounts.byIndex('namespace', namespace)) {
      const named = objectsAt(account['secrets'])
      const kept = named.filter((each) => each['name'] !== name)
      if (kept.length === named.length || isDeleting(account)) continue
      try {
        await client.update(SERVICE_ACCOUNTS, { namespace, name: account.metadata.name ?? '' }, { ...account, secrets: kept }, signal)
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error
      }
    }
  }

  return {
    name: 'serviceaccount-token',
    run: async (signal) => {
      await Promise.all([accountQueue.run(signal), secretQueue.run(signal)])
    },
  }
}
