import type { EtcdErrorCode } from '#shared/etcd/rpc.ts'

/** gRPC's status codes that etcd answers with. @see https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const CODES: Partial<Record<number, EtcdErrorCode>> = {
  3: 'InvalidArgument',
  4: 'DeadlineExceeded',
  5: 'NotFound',
  7: 'PermissionDenied',
  8: 'ResourceExhausted',
  9: 'FailedPrecondition',
  11: 'OutOfRange',
  12: 'Unimplemented',
  14: 'Unavailable',
  16: 'Unauthenticated',
}

export const etcdErrorCode = (status: number): EtcdErrorCode => CODES[status] ?? 'Unknown'
