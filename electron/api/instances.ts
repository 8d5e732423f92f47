import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { Backup } from '#shared/contract/backups.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterInstances } from '../clusters/clusterInstances.ts'
import type { Catalogue } from '../snapshot/catalogue.ts'
import { following } from './changes.ts'

/** Opened snapshots and twins: the contract's `instances`, and what makes them from a backup. */
export function instanceHandlers(
  instances: ClusterInstances,
  catalogue: Catalogue,
): {
  requests: Pick<RequestHandlers, 'backups.openAsCluster' | 'backups.makeTwin' | 'instances.discard'>
  subscriptions: Pick<SubscriptionHandlers, 'instances.watch'>
} {
  const usable = async (id: string): Promise<Backup> => {
    const backup = await catalogue.get(id)
    if (backup === null) throw new StatusError(failure(404, 'NotFound', `there is no backup ${id}`))
    if (!backup.present) throw new StatusError(failure(404, 'NotFound', `the file ${backup.path} is not there any more`))
    if (backup.verdict === 'broken') throw new StatusError(failure(422, 'Invalid', `the backup ${backup.path} is broken; open one that was verified`))
    return backup
  }
  return {
    requests: {
      'backups.openAsCluster': async ({ id }) => {
        const known = instances.openedOf(id)
        if (known !== null) return { clusterId: known }
        const { path, clusterName, createdAtMs } = await usable(id)
        const name = `${clusterName} at ${new Date(createdAtMs).toISOString().slice(0, 16).replace('T', ' ')}`
        return { clusterId: await instances.create({ kind: 'snapshot', name, of: clusterName, backupId: id, timeScale: 1, snapshotPath: path }) }
      },
      'backups.makeTwin': async ({ id, name, timeScale }) => {
        const { path, clusterName } = await usable(id)
        const twin = {
          kind: 'twin',
          name: name ?? `Twin of ${clusterName}`,
          of: clusterName,
          backupId: id,
          timeScale: timeScale ?? 1,
          snapshotPath: path,
        } as const
        return { clusterId: await instances.create(twin) }
      },
      'instances.discard': async ({ clusterId }) => {
        await instances.discard(clusterId)
        return null
      },
    },
    subscriptions: {
      'instances.watch': (_input, { signal }) =>
        following(
          () => instances.list(),
          (listener) => instances.changes.subscribe(listener),
          signal,
        ),
    },
  }
}
