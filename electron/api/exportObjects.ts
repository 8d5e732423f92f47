import { isAbsolute } from 'node:path'
import type { RequestHandlers } from '#shared/contract/contract.ts'
import type { ExportReport } from '#shared/contract/exports.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { listedResources, objectsOf } from '../clusters/allObjects.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'
import { Export, type ExportTarget } from '../snapshot/export/exportObjects.ts'
import { SnapshotError } from '../snapshot/snapshotError.ts'

/** The contract's namespace `export`. */
export function exportHandlers(registry: ClusterRegistry): Pick<RequestHandlers, 'export.write'> {
  return {
    'export.write': async ({ clusterId, output, namespace, secrets }, { signal }) => {
      if (!isAbsolute(output)) throw invalid('name the folder or file by its whole path, from / on')
      const wanted = namespace === '' ? undefined : namespace
      try {
        return await exportCluster(registry.session(clusterId).transport, { output, namespace: wanted, secrets: secretsOf(secrets) }, signal)
      } catch (error) {
        const { code = '', message } = error as NodeJS.ErrnoException
        if (code === 'EEXIST') throw invalid(`${output} is already there; choose another name`)
        // What the disk says is for whoever named the place.
        if (error instanceof SnapshotError || /^E[A-Z]+$/.test(code)) throw invalid(message)
        throw error
      }
    },
  }
}

function secretsOf(secrets: Parameters<RequestHandlers['export.write']>[0]['secrets']): ExportTarget['secrets'] {
  if (secrets.how === 'left-out' || secrets.how === 'readable') return secrets.how
  return secrets.how === 'passphrase' ? { compress: false, passphrase: secrets.passphrase } : { compress: false, recipients: secrets.recipients }
}

const invalid = (message: string): StatusError => new StatusError(failure(422, 'Invalid', message))

/** Every kind that a cluster's discovery names. Kinds that cannot be listed are told of among what was left out. */
export async function exportCluster(from: Transport, target: ExportTarget, signal: AbortSignal): Promise<ExportReport> {
  const exporting = new Export(target)
  const { resources, failed } = await listedResources(from, signal)
  for (const { resource, why } of failed) exporting.leaveOut(`${resource} is not served: ${why}`)
  for (const resource of resources) {
    if (target.kind !== undefined && resource.kind.toLowerCase() !== target.kind.toLowerCase()) continue
    if (target.namespace !== undefined && !resource.namespaced && resource.resource !== 'namespaces') continue
    try {
      for await (const object of objectsOf(from, resource, { namespace: target.namespace, signal })) {
        const { namespace = '', name = '' } = object.metadata
        if (exporting.wants({ resource: resource.resource, namespace, name })) exporting.add(object)
      }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      exporting.leaveOut(`${resource.resource} cannot be listed: ${error.message}`)
    }
  }
  return exporting.write()
}
