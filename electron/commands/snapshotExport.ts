import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { cleaned, reasonToLeaveOut } from '#shared/planning/restore/cleaned.ts'
import { inOrder } from '#shared/planning/restore/order.ts'
import { SnapshotFile } from '../snapshot/snapshotFile.ts'
import { snapshotObjects } from '../snapshot/snapshotObjects.ts'

/** The folder of what belongs to no namespace. No namespace can have this name. */
const CLUSTER_FOLDER = '_cluster'

/** Flags of the command. */
export interface ExportOptions {
  output: string
  namespace?: string
  kind?: string
  secrets?: boolean
  rev?: number
  json?: boolean
}

/** What an export did, as `--json` prints it. */
interface ExportReport {
  exported: number
  /** Why objects are not there, with how many. */
  leftOut: Record<string, number>
}

/** `drydock snapshot export`: objects as they can be applied again, without what a server gave them. */
export async function exportObjects(path: string, options: ExportOptions, signal: AbortSignal): Promise<void> {
  const { output, namespace, kind, secrets = false } = options
  const report: ExportReport = { exported: 0, leftOut: {} }
  const leaveOut = (why: string): void => {
    report.leftOut[why] = (report.leftOut[why] ?? 0) + 1
  }
  const kept: KubeObject[] = []
  const file = new SnapshotFile(path)
  try {
    const wanted = (place: { namespace: string; resource: string; name: string }): boolean =>
      namespace === undefined || place.namespace === namespace || (place.resource === 'namespaces' && place.name === namespace)
    for await (const { key, object } of snapshotObjects(file, { signal, atRevision: options.rev, wanted })) {
      if (object === null) {
        leaveOut(`not readable, as what is encrypted is not: ${key.split('/').slice(0, 3).join('/')}`)
        continue
      }
      if (kind !== undefined && object.kind?.toLowerCase() !== kind.toLowerCase()) continue
      const why = reasonToLeaveOut(object)
      if (why !== null) leaveOut(object.metadata.ownerReferences === undefined ? why : 'a controller makes it')
      else if (object.kind === 'Secret' && !secrets) leaveOut('a Secret; give --secrets to have them')
      else kept.push(cleaned(object))
    }
  } finally {
    file.close()
  }
  const ordered = inOrder(kept)
  if (/\.ya?ml$/.test(output)) await writeFile(output, ordered.map((object) => stringify(object, { lineWidth: 0 })).join('---\n'), { mode: 0o600, flag: 'wx' })
  else await writeFolders(output, ordered)
  report.exported = ordered.length
  if (options.json === true) process.stdout.write(`${JSON.stringify(report)}\n`)
  else {
    process.stdout.write(`${String(report.exported)} objects in ${output}\n`)
    for (const [why, count] of Object.entries(report.leftOut)) process.stdout.write(`left out: ${String(count)}, ${why}\n`)
  }
}

async function writeFolders(folder: string, objects: readonly KubeObject[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty: name a new folder, so that nothing old stays among what is exported`)
  const names = new Set<string>()
  for (const object of objects) {
    const into = join(folder, object.metadata.namespace ?? CLUSTER_FOLDER, object.kind?.toLowerCase() ?? '')
    // Kinds of two groups may have one name; a name may hold characters that a file's may not.
    const base = encodeURIComponent(object.metadata.name ?? '')
    let name = `${base}.yaml`
    if (names.has(join(into, name))) name = `${base}.${(object.apiVersion ?? '').replaceAll('/', '_')}.yaml`
    names.add(join(into, name))
    await mkdir(into, { recursive: true, mode: 0o700 })
    await writeFile(join(into, name), stringify(object, { lineWidth: 0 }), { mode: 0o600 })
  }
}
