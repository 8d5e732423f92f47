import type { ConnectionState } from '#shared/contract/clusters.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'

/** Why a connection gives nothing, as an error to show; null while it works or still tries. A denial is told apart by its code. */
export function refusalOf(connection: ConnectionState | null | undefined): Error | null {
  if (connection?.state === 'denied') return new StatusError(failure(403, 'Forbidden', connection.message))
  return connection?.state === 'unreachable' || connection?.state === 'unusable' ? new Error(connection.message) : null
}
