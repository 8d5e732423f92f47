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

/** A workload whose replicas change, with how many it wanted before. */
export interface ScaledWorkload {
  clusterId: string
  resource: ResourceName
  key: string
  from: number
}

/** A node's taint; `value` may be ''. */
export interface Taint {
  key: string
  value: string
  effect: string
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

  /** Undoable, so it is done without a question and its toast takes it back. */
  function cordon(name: string, unschedulable: boolean, clusterId = clusters.currentId): Promise<boolean> {
    const text = unschedulable ? 'node.cordoned' : 'node.uncordoned'
    return toasts.tell(line.client().invoke('nodes.cordon', { clusterId, name, unschedulable }), {
      done: t(text, { name }),
      failed: t('node.cordonFailed', { name }),
      undo: () => void cordon(name, !unschedulable, clusterId),
    })
  }

  /** A node's taints as a whole; its toast puts the former ones back. */
  function taint(name: string, taints: readonly Taint[], before: readonly Taint[], clusterId = clusters.currentId): Promise<boolean> {
    const plain = taints.map(({ key, value, effect }) => ({ key, effect, ...(value === '' ? {} : { value }) }))
    return toasts.tell(
      line.client().invoke('objects.patch', { ...referenceOf(clusterId, 'nodes', name), patchType: 'merge', patch: { spec: { taints: plain } } }),
      { done: t('node.tainted', { name }), failed: t('node.taintFailed', { name }), undo: () => void taint(name, before, taints, clusterId) },
    )
  }

  /** Replicas by the scale subresource; its toast scales back to what was. */
  function scale(workload: ScaledWorkload, to: number): Promise<boolean> {
    const { clusterId, resource, key, from } = workload
    return toasts.tell(
      line.client().invoke('objects.patch', {
        ...referenceOf(clusterId, resource, key),
        patchType: 'merge',
        subresource: 'scale',
        patch: { spec: { replicas: to } },
      }),
      {
        done: t('workload.scaled', { name: splitKey(key).name, from, to }),
        failed: t('workload.scaleFailed', { name: splitKey(key).name }),
        undo: () => void scale({ ...workload, from: to }, from),
      },
    )
  }

  /** Holds back or goes on with a Deployment's rollout. */
  function pause(key: string, paused: boolean, clusterId = clusters.currentId): Promise<boolean> {
    const { name } = splitKey(key)
    return toasts.tell(
      line.client().invoke('objects.patch', { ...referenceOf(clusterId, 'deployments', key), patchType: 'strategic', patch: { spec: { paused } } }),
      {
        done: t(paused ? 'workload.paused' : 'workload.resumed', { name }),
        failed: t('workload.pauseFailed', { name }),
        undo: () => void pause(key, !paused, clusterId),
      },
    )
  }

  /** New pods from the same template, as `kubectl rollout restart`. @see kubectl pkg/polymorphichelpers/objectrestarter.go */
  function restart(resource: ResourceName, key: string): Promise<boolean> {
    const { name } = splitKey(key)
    const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString().replace(/\.\d+Z$/, 'Z') }
    return toasts.tell(
      line.client().invoke('objects.patch', {
        ...referenceOf(clusters.currentId, resource, key),
        patchType: 'strategic',
        patch: { spec: { template: { metadata: { annotations } } } },
      }),
      { done: t('workload.restarted', { name }), failed: t('workload.restartFailed', { name }) },
    )
  }

  /** Puts a Deployment's pod template back to an older revision's, given as that ReplicaSet's template. */
  function rollBack(key: string, revision: string, template: Record<string, unknown>): Promise<boolean> {
    const { name } = splitKey(key)
    return toasts.tell(
      line.client().invoke('objects.patch', {
        ...referenceOf(clusters.currentId, 'deployments', key),
        patchType: 'json',
        patch: [{ op: 'replace', path: '/spec/template', value: template }],
      }),
      { done: t('workload.rolledBack', { name, revision }), failed: t('workload.rollBackFailed', { name }) },
    )
  }

  /** kubectl's arguments for one object, e.g. `pods web-1 -n team`. */
  function commandFor(verb: string, resource: ResourceName, key: string, rest = ''): string {
    const { namespace, name } = splitKey(key)
    return [clusters.kubectl, verb, resource, name, ...(namespace === undefined ? [] : ['-n', namespace]), ...(rest === '' ? [] : [rest])].join(' ')
  }

  return { remove, cordon, taint, scale, pause, restart, rollBack, commandFor }
}
