import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { Backup } from '#shared/contract/backups.ts'
import type { InstanceView } from '#shared/contract/instances.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterInstances } from '../clusters/clusterInstances.ts'
import type { Catalogue } from '../snapshot/catalogue.ts'
import type { UnlockInput } from '#shared/contract/backups.ts'
import { unlockOf } from '../snapshot/envelope/keys.ts'
import { unpack } from '../snapshot/envelope/plainFile.ts'
import { SnapshotError } from '../snapshot/snapshotError.ts'
import { SnapshotFile } from '../snapshot/snapshotFile.ts'
import { following } from './changes.ts'

const CLOSED = 'the backup is encrypted: open it as a cluster from its details first, where its passphrase or key is asked for'

/**
 * What an instance needs of a backup's snapshot, which is laid into its own folder where it is compressed or encrypted: it is read there
 * as long as the instance is, and goes with it. @throws StatusError when it stays locked or cannot be read
 */
function laying(
  backup: Backup,
  unlock: UnlockInput | undefined,
  signal: AbortSignal,
): (target: string) => Promise<{ snapshotPath: string; history: InstanceView['history'] }> {
  return async (target) => {
    try {
      const isPlain = backup.encryption === 'none' && backup.compression === 'none'
      if (!isPlain) await unpack(backup.path, target, { unlock: await unlockOf(unlock), signal })
      const snapshotPath = isPlain ? backup.path : target
      return { snapshotPath, history: historyOf(snapshotPath) }
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error
      const locked = error.code === 'locked'
      throw new StatusError(failure(locked ? 403 : 422, locked ? 'Forbidden' : 'Invalid', locked && unlock === undefined ? CLOSED : error.message), {
        cause: error,
      })
    }
  }
}

function historyOf(path: string): { first: number; last: number } {
  const file = new SnapshotFile(path)
  try {
    const { revision, compactRevision } = file.source()
    return { first: Math.max(1, compactRevision), last: revision }
  } finally {
    file.close()
  }
}

/** Opened snapshots and twins: the contract's `instances`, and what makes them from a backup. */
export function instanceHandlers(
  instances: ClusterInstances,
  catalogue: Catalogue,
): {
  requests: Pick<RequestHandlers, 'backups.openAsCluster' | 'backups.makeTwin' | 'instances.view' | 'instances.setClock' | 'instances.discard'>
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
        return { clusterId: await instances.create(opened, laying(backup, unlock, signal)) }
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
        return { clusterId: await instances.create(twin, laying(backup, unlock, signal)) }
      },
      'instances.view': async ({ clusterId, ...view }) => {
        await instances.view(clusterId, view)
        return null
      },
      'instances.setClock': async ({ clusterId, ...clock }, { signal }) => {
        await instances.setClock(clusterId, clock, signal)
        return null
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
