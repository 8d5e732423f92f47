import { join } from 'node:path'
import type { DataDirsInput, MadeDataDir } from '#shared/contract/backups.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { SnapshotError } from '../snapshotError.ts'
import { restoreDataDir } from './restoreDataDir.ts'

/**
 * Makes the data directories of all members of a cluster that begins with a snapshot, each in a folder of its member's name.
 * @throws StatusError Invalid in etcd's words; what was made before stays
 */
export async function restoreDataDirs(
  snapshot: string,
  { directory, members, token, bumpRevision }: DataDirsInput,
  signal: AbortSignal,
): Promise<MadeDataDir[]> {
  const initialCluster = members.flatMap(({ name, peerUrls }) => peerUrls.map((url) => `${name}=${url}`)).join(',')
  const made: MadeDataDir[] = []
  for (const { name, peerUrls } of members) {
    const dataDir = join(directory, `${name}.etcd`)
    try {
      const { memberId, clusterId, revision } = await restoreDataDir({
        snapshot,
        dataDir,
        name,
        initialCluster,
        initialClusterToken: token,
        initialAdvertisePeerUrls: peerUrls.join(','),
        bumpRevision,
        signal,
      })
      made.push({ name, dataDir, memberId: memberId.toString(16), clusterId: clusterId.toString(16), revision })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StatusError || (!(error instanceof SnapshotError) && (error as NodeJS.ErrnoException).code !== undefined)) throw error
      throw new StatusError(failure(422, 'Invalid', error instanceof Error ? error.message : String(error)), { cause: error })
    }
  }
  return made
}
