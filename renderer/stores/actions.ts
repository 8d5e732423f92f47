import { useI18n } from 'vue-i18n'
import type { ResourceName } from '#shared/contract/table.ts'
import { resourceColumns } from '#shared/resources/registry.ts'
import { useClusters } from './clusters.ts'
import { useLine } from './line.ts'
import { useToasts } from './toasts.ts'

/** `namespace/name` or `name` taken apart. */
export function splitKey(key: string): { namespace?: string; name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** An object's address for the contract. */
export function referenceOf(clusterId: string, resource: ResourceName, key: string) {
  const { group, version } = resourceColumns(resource)
  return { clusterId, gvr: { group, version, resource }, ...splitKey(key) }
}

/** What a person can do to objects; each tells how it went by a toast. */
export function useActions() {
  const line = useLine()
  const clusters = useClusters()
  const toasts = useToasts()
  const { t } = useI18n()

  function remove(resource: ResourceName, key: string): Promise<boolean> {
    const { name } = splitKey(key)
    return toasts.tell(line.client().invoke('objects.delete', referenceOf(clusters.currentId, resource, key)), {
      done: t('delete.done', { name }),
      failed: t('delete.failed', { name }),
    })
  }

  function cordon(name: string, unschedulable: boolean): Promise<boolean> {
    const text = unschedulable ? 'node.cordoned' : 'node.uncordoned'
    return toasts.tell(line.client().invoke('nodes.cordon', { clusterId: clusters.currentId, name, unschedulable }), {
      done: t(text, { name }),
      failed: t('node.cordonFailed', { name }),
    })
  }

  /** kubectl's arguments for one object, e.g. `pods web-1 -n team`. */
  function commandFor(verb: string, resource: ResourceName, key: string, rest = ''): string {
    const { namespace, name } = splitKey(key)
    return [clusters.kubectl, verb, resource, name, ...(namespace === undefined ? [] : ['-n', namespace]), ...(rest === '' ? [] : [rest])].join(' ')
  }

  return { remove, cordon, commandFor }
}
