import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import { NAMESPACES } from '#electron/client/resources.ts'
import { isDeleting, keyOf, specOf, type Controller, type ControllerContext } from '../../controller.ts'
import { discoverResources } from '../../discoverResources.ts'

const RETRY_MS = 200

/** Empties namespaces that are being deleted, then lets them go. */
export function namespaceController(context: ControllerContext): Controller {
  const { client } = context
  const namespaces = context.informer(NAMESPACES)
  const queue = context.queue('namespace', sync)
  namespaces.onEvent(({ type, object }) => {
    if (type !== 'delete' && isDeleting(object)) queue.add(keyOf(object))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const namespace = namespaces.get('', key.slice(1))
    if (namespace === undefined || !isDeleting(namespace)) return
    const name = namespace.metadata.name ?? ''
    const finalizers = specOf(namespace)['finalizers']
    if (!Array.isArray(finalizers) || !finalizers.includes('kubernetes')) return
    if (await empty(name, signal)) {
      const rest = (finalizers as unknown[]).filter((each) => each !== 'kubernetes')
      try {
        await client.update(NAMESPACES, { name, subresource: 'finalize' }, { ...namespace, spec: { ...specOf(namespace), finalizers: rest } }, signal)
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    } else queue.addAfter(key, RETRY_MS)
  }

  /** Asks for everything to go. @returns whether nothing is left */
  async function empty(namespace: string, signal: AbortSignal): Promise<boolean> {
    const resources = await discoverResources(client, signal, ['list', 'delete'])
    let left = 0
    for (const { gvr, namespaced } of resources) {
      if (!namespaced) continue
      const { items } = await list(gvr, namespace, signal)
      left += items.length
      for (const { metadata } of items) {
        if (metadata.deletionTimestamp !== undefined) continue
        try {
          await client.delete(gvr, { namespace, name: metadata.name ?? '' }, { propagationPolicy: 'Background' }, signal)
        } catch (error) {
          if (!isNotFound(error)) throw error
        }
      }
      if (items.length > 0) left = left - items.length + (await list(gvr, namespace, signal)).items.length
    }
    return left === 0
  }

  async function list(gvr: GroupVersionResource, namespace: string, signal: AbortSignal): Promise<{ items: KubeObject[] }> {
    try {
      return await client.list(gvr, { namespace }, signal)
    } catch (error) {
      // A resource that went with its definition has nothing left.
      if (isNotFound(error) || (error instanceof StatusError && error.code === 405)) return { items: [] }
      throw error
    }
  }

  return { name: 'namespace', run: (signal) => queue.run(signal) }
}
