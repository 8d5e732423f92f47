import { ERR_COMPACTED, ERR_FUTURE_REVISION, EtcdError } from '#shared/etcd/rpc.ts'

/** etcd's own error texts and codes (upstream api/v3rpc/rpctypes/error.go). */
export const compacted = (): EtcdError => new EtcdError('OutOfRange', ERR_COMPACTED)
export const futureRevision = (): EtcdError => new EtcdError('OutOfRange', ERR_FUTURE_REVISION)
export const emptyKey = (): EtcdError => new EtcdError('InvalidArgument', 'etcdserver: key is not provided')
export const keyNotFound = (): EtcdError => new EtcdError('InvalidArgument', 'etcdserver: key not found')
export const valueProvided = (): EtcdError => new EtcdError('InvalidArgument', 'etcdserver: value is provided')
export const leaseProvided = (): EtcdError => new EtcdError('InvalidArgument', 'etcdserver: lease is provided')
export const duplicateKey = (): EtcdError => new EtcdError('InvalidArgument', 'etcdserver: duplicate key given in txn request')
export const tooManyOps = (): EtcdError => new EtcdError('InvalidArgument', 'etcdserver: too many operations in txn request')
export const requestTooLarge = (): EtcdError => new EtcdError('InvalidArgument', 'etcdserver: request is too large')
export const invalidSort = (): EtcdError => new EtcdError('InvalidArgument', 'etcdserver: invalid sort option')
export const leaseNotFound = (): EtcdError => new EtcdError('NotFound', 'etcdserver: requested lease not found')
export const leaseExists = (): EtcdError => new EtcdError('FailedPrecondition', 'etcdserver: lease already exists')
export const leaseTtlTooLarge = (): EtcdError => new EtcdError('OutOfRange', 'etcdserver: too large lease TTL')
export const stopped = (): EtcdError => new EtcdError('Unavailable', 'etcdserver: server stopped')

const SQLITE_FULL = 13

/** Why a write is not on disk. Of a full disk it is what etcd says when its quota is used up. */
export function notWritten(error: unknown): EtcdError {
  if (error instanceof EtcdError) return error
  if ((error as { errcode?: number }).errcode === SQLITE_FULL)
    return new EtcdError('ResourceExhausted', 'etcdserver: mvcc: database space exceeded', { cause: error })
  return new EtcdError('Unavailable', `etcdserver: the write could not be put on disk: ${(error as Error).message}`, { cause: error })
}
