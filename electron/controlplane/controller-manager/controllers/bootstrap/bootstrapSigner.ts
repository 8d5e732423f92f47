import { deepEqual, objectAt } from '#shared/kubernetes/json.ts'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { CONFIG_MAPS, SECRETS } from '#electron/client/resources.ts'
import { textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { bootstrapToken, BOOTSTRAP_TYPE, detachedSignature, SIGNATURE_PREFIX } from './bootstrapTokens.ts'

const NAMESPACE = 'kube-public'
const NAME = 'cluster-info'

/** Signs the ConfigMap `cluster-info` with every bootstrap token that may, so that joining nodes can trust it. */
export function bootstrapSigner(context: ControllerContext): Controller {
  const { client, clock } = context
  const maps = context.informer(CONFIG_MAPS)
  const secrets = context.informer(SECRETS)
  const queue = context.queue('bootstrap_signer_queue', sync, 1)
  maps.onEvent(({ object }) => {
    if (object.metadata.namespace === NAMESPACE && object.metadata.name === NAME) queue.add(NAME)
  })
  secrets.onEvent(({ object }) => {
    if (object['type'] === BOOTSTRAP_TYPE && object.metadata.namespace === 'kube-system') queue.add(NAME)
  })

  async function sync(_: string, signal: AbortSignal): Promise<void> {
    const map = maps.get(NAMESPACE, NAME)
    if (map === undefined) return
    const data = objectAt(map['data'])
    const content = textAt(data['kubeconfig'])
    if (content === '') return
    const next: Record<string, unknown> = Object.fromEntries(Object.entries(data).filter(([key]) => !key.startsWith(SIGNATURE_PREFIX)))
    for (const secret of secrets.byIndex('namespace', 'kube-system')) {
      const token = bootstrapToken(secret)
      if (token === null || !token.signs || (token.expiresMs !== null && token.expiresMs <= clock.now())) continue
      next[`${SIGNATURE_PREFIX}${token.id}`] = detachedSignature(content, token)
    }
    if (deepEqual(data, next)) return
    try {
      await client.update(CONFIG_MAPS, { namespace: NAMESPACE, name: NAME }, { ...map, data: next }, signal)
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  return { name: 'bootstrapsigner', run: (signal) => queue.run(signal) }
}
