import { isNotFound } from '#shared/kubernetes/status.ts'
import { SECRETS } from '#electron/client/resources.ts'
import { keyOf, splitKey, type Controller, type ControllerContext } from '../../controller.ts'
import { bootstrapToken, BOOTSTRAP_TYPE } from './bootstrapTokens.ts'

/** Deletes bootstrap tokens once they have expired. */
export function tokenCleaner(context: ControllerContext): Controller {
  const { client, clock } = context
  const secrets = context.informer(SECRETS)
  const queue = context.queue('token_cleaner', sync)
  secrets.onEvent(({ type, object }) => {
    if (type !== 'delete' && object['type'] === BOOTSTRAP_TYPE && object.metadata.namespace === 'kube-system') queue.add(keyOf(object))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const secret = secrets.get(namespace, name)
    const token = secret === undefined ? null : bootstrapToken(secret)
    if (secret === undefined || token?.expiresMs === undefined || token.expiresMs === null) return
    if (token.expiresMs > clock.now()) {
      queue.addAfter(key, token.expiresMs - clock.now())
      return
    }
    try {
      await client.delete(SECRETS, { namespace, name }, { uid: secret.metadata.uid }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  return { name: 'tokencleaner', run: (signal) => queue.run(signal) }
}
