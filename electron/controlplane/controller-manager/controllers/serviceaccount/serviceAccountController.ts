import { isAlreadyExists, isForbidden } from '#shared/kubernetes/status.ts'
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from '#electron/client/resources.ts'
import { isDeleting, type Controller, type ControllerContext } from '../../controller.ts'

/** Puts into every namespace what all have: the `default` service account and, where the CA is known, `kube-root-ca.crt`. */
export function serviceAccountController(context: ControllerContext, rootCa: string | undefined): Controller {
  const { client } = context
  const namespaces = context.informer(NAMESPACES)
  const accounts = context.informer(SERVICE_ACCOUNTS)
  const maps = context.informer(CONFIG_MAPS)
  const queue = context.queue('serviceaccount', sync)
  namespaces.onEvent(({ type, object }) => {
    if (type !== 'delete') queue.add(object.metadata.name ?? '')
  })
  accounts.onEvent(({ type, object }) => {
    if (type === 'delete' && object.metadata.name === 'default') queue.add(object.metadata.namespace ?? '')
  })
  maps.onEvent(({ object }) => {
    if (object.metadata.name === 'kube-root-ca.crt') queue.add(object.metadata.namespace ?? '')
  })

  async function sync(namespace: string, signal: AbortSignal): Promise<void> {
    const object = namespaces.get('', namespace)
    if (object === undefined || isDeleting(object)) return
    try {
      if (accounts.get(namespace, 'default') === undefined)
        await client.create(SERVICE_ACCOUNTS, { namespace }, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } }, signal)
      await publish(namespace, signal)
    } catch (error) {
      // Somebody was quicker, or the namespace is going.
      if (!isAlreadyExists(error) && !isForbidden(error)) throw error
    }
  }

  async function publish(namespace: string, signal: AbortSignal): Promise<void> {
    if (rootCa === undefined) return
    const known = maps.get(namespace, 'kube-root-ca.crt')
    const data = { 'ca.crt': rootCa }
    if (known === undefined) {
      const annotations = {
        'kubernetes.io/description':
          'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
      }
      await client.create(
        CONFIG_MAPS,
        { namespace },
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kube-root-ca.crt', namespace, annotations }, data },
        signal,
      )
    } else if ((known['data'] as Record<string, string> | undefined)?.['ca.crt'] !== rootCa)
      await client.update(CONFIG_MAPS, { namespace, name: 'kube-root-ca.crt' }, { ...known, data }, signal)
  }

  return { name: 'serviceaccount', run: (signal) => queue.run(signal) }
}
