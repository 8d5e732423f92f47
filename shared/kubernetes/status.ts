export type StatusReason =
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Invalid'
  | 'Expired'
  | 'Timeout'
  | 'ServerTimeout'
  | 'TooManyRequests'
  | 'BadRequest'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'UnsupportedMediaType'
  | 'RequestEntityTooLarge'
  | 'InternalError'
  | 'NonZeroExitCode'
  | 'ServiceUnavailable'
  | 'StorageReadError'
  | ''

export interface StatusCause {
  reason?: string
  message?: string
  field?: string
}

/** metav1.Status with status Failure, as JSON. */
export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: Record<string, unknown>
  status: 'Success' | 'Failure'
  message?: string
  reason?: StatusReason
  details?: { name?: string; group?: string; kind?: string; uid?: string; causes?: StatusCause[]; retryAfterSeconds?: number }
  code?: number
}

/** A failed API call; carries the server's (or a made) metav1.Status. Test with `reason`, never with the message. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  readonly status: Status

  constructor(status: Status, options?: { cause?: unknown }) {
    super(status.message ?? status.reason ?? 'unknown failure', options)
    this.status = status
  }

  get code(): number {
    return this.status.code ?? 500
  }

  get reason(): StatusReason {
    return this.status.reason ?? ''
  }
}

/** Builds the Status of a failure. */
export function failure(code: number, reason: StatusReason, message: string, details?: Status['details']): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, ...(details === undefined ? {} : { details }), code }
}

function hasReason(error: unknown, ...reasons: StatusReason[]): boolean {
  return error instanceof StatusError && reasons.includes(error.reason)
}

export const isNotFound = (error: unknown): boolean => hasReason(error, 'NotFound')
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, 'AlreadyExists')
export const isConflict = (error: unknown): boolean => hasReason(error, 'Conflict')
export const isGone = (error: unknown): boolean => hasReason(error, 'Gone', 'Expired')
export const isForbidden = (error: unknown): boolean => hasReason(error, 'Forbidden')
export const isTooManyRequests = (error: unknown): boolean => hasReason(error, 'TooManyRequests')
export const isInvalid = (error: unknown): boolean => hasReason(error, 'Invalid')
