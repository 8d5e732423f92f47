import type { ExportReport } from '#shared/contract/exports.ts'
import { exportCluster } from '../api/exportObjects.ts'
import { Export, type ExportTarget } from '../snapshot/export/exportObjects.ts'
import { SnapshotFile } from '../snapshot/snapshotFile.ts'
import { snapshotObjects } from '../snapshot/snapshotObjects.ts'
import { withTarget } from './snapshotTarget.ts'

export function exportRunning(cluster: { kubeconfig?: string; context?: string }, target: ExportTarget, signal: AbortSignal): Promise<ExportReport> {
  return withTarget(cluster, (from) => exportCluster(from, target, signal))
}

export async function exportSnapshot(
  path: string,
  { target, rev, signal }: { target: ExportTarget; rev: number | undefined; signal: AbortSignal },
): Promise<ExportReport> {
  const exporting = new Export(target)
  const file = new SnapshotFile(path)
  try {
    for await (const { key, object } of snapshotObjects(file, { signal, atRevision: rev, wanted: (place) => exporting.wants(place) })) {
      if (object === null) exporting.leaveOut(`not readable, as what is encrypted is not: ${key.split('/').slice(0, 3).join('/')}`)
      else exporting.add(object)
    }
  } finally {
    file.close()
  }
  return exporting.write()
}
