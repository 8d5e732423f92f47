import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { Backup } from '#shared/contract/backups.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterInstances } from '../clusters/clusterInstances.ts'
import type { Catalogue } from '../snapshot/catalogue.ts'
import type { UnlockInput } from '#shared/contract/backups.ts'
import { unlockOf } from '../snapshot/envelope/keys.ts'
import { unpack } from '../snapshot/envelope/plainFile.ts'
import { SnapshotError } from '../snapshot/snapshotError.ts'
import { following } from './changes.ts'

const CLOSED = 'the backup is encrypted: open it as a cluster from its details first, where its passphrase or key is asked for'

/**
 * Lays a backup's snapshot into the instance's own folder where it is compressed or encrypted: it is read there as long as the instance
 * is, and goes with it. @throws StatusError when it stays locked
 */
function unpacking(backup: Backup, unlock: UnlockInput | undefined, signal: AbortSignal): ((target: string) => Promise<void>) | undefined {
  if (backup.encryption === 'none' && backup.compression === 'none') return undefined
  return async (target) => {
    try {
      await unpack(backup.path, target, { unlock: await unlockOf(unlock), signal })
    } catch (error) {
      if (error instanceof SnapshotError)
        throw new StatusError(
          failure(
            error.code === 'locked' ? 403 : 422,
            error.code === 'locked' ? 'Forbidden' : 'Invalid',
            unlock === undefined && error.code === 'locked' ? CLOSED : error.message,
          ),
          { cause: error },
        )
      throw error
    }
  }
}

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
      'backups.openAsCluster': async ({ id, unlock }, { signal }) => {
        const known = instances.openedOf(id)
        if (known !== null) return { clusterId: known }
        const backup = await usable(id)
        const { clusterName, createdAtMs } = backup
        const name = `${clusterName} at ${new Date(createdAtMs).toISOString().slice(0, 16).replace('T', ' ')}`
        const opened = { kind: 'snapshot', name, of: clusterName, backupId: id, timeScale: 1, snapshotPath: backup.path } as const
        return { clusterId: await instances.create(opened, unpacking(backup, unlock, signal)) }
      },
      'backups.makeTwin': async ({ id, unlock, name, timeScale }, { signal }) => {
        const backup = await usable(id)
        const { path, clusterName } = backup
        const twin = {
          kind: 'twin',
          name: name ?? `Twin of ${clusterName}`,
          of: clusterName,
          backupId: id,
          timeScale: timeScale ?? 1,
          snapshotPath: path,
        } as const
        return { clusterId: await instances.create(twin, unpacking(backup, unlock, signal)) }
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
