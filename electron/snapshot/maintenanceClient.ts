import { readFile } from 'node:fs/promises'
import { Client, credentials, status as grpcStatus, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js'
import { FieldReader, WireError } from '#shared/etcd/mvccpb.ts'
import { EtcdError, type EtcdClient, type EtcdErrorCode } from '#shared/etcd/rpc.ts'

export interface MaintenanceEndpoint {
  /** `https://host:port`, `http://host:port`, or `host:port` (TLS when a CA or certificate is given, as etcdctl). */
  endpoint: string
  caFile?: string | undefined
  certFile?: string | undefined
  keyFile?: string | undefined
}

const SNAPSHOT = '/etcdserverpb.Maintenance/Snapshot'

/** Bytes on their way at once. HTTP/2 begins with 64 kB, less than two of the server's pieces: it would wait for us after each. */
const WINDOW_BYTES = 8 * 1024 * 1024

/**
 * A connection to one etcd member for the one call that a backup makes. Nothing is dialled before it.
 * @throws the system's error when a TLS file cannot be read; TypeError when it holds no certificate or key
 */
export async function connectMaintenance({ endpoint, caFile, certFile, keyFile }: MaintenanceEndpoint): Promise<Pick<EtcdClient, 'snapshot' | 'close'>> {
  const [scheme, address] = endpoint.includes('://')
    ? (endpoint.split('://') as [string, string])
    : [caFile !== undefined || certFile !== undefined ? 'https' : 'http', endpoint]
  const pem = (path: string | undefined): Promise<Buffer | null> => (path === undefined ? Promise.resolve(null) : readFile(path))
  const [ca, cert, key] = await Promise.all([pem(caFile), pem(certFile), pem(keyFile)])
  const channel: ChannelCredentials = scheme === 'https' ? credentials.createSsl(ca, key, cert) : credentials.createInsecure()
  const client = new Client(address.replace(/\/+$/, ''), channel, { 'grpc.max_receive_message_length': -1, 'grpc-node.flow_control_window': WINDOW_BYTES })
  return {
    snapshot: ({ signal }) => stream(client, signal),
    close: () => {
      client.close()
      return Promise.resolve()
    },
  }
}

async function* stream(client: Client, signal: AbortSignal): AsyncGenerator<{ blob: Uint8Array; remainingBytes: number }> {
  signal.throwIfAborted()
  const call = client.makeServerStreamRequest(SNAPSHOT, () => Buffer.alloc(0), decodeResponse, {})
  const onAbort = (): void => {
    call.cancel()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for await (const message of call as AsyncIterable<{ blob: Uint8Array; remainingBytes: number }>) yield message
  } catch (error) {
    signal.throwIfAborted()
    throw asEtcdError(error)
  } finally {
    signal.removeEventListener('abort', onAbort)
    call.cancel()
  }
}

/** `SnapshotResponse`: header, remaining_bytes, blob. */
function decodeResponse(bytes: Buffer): { blob: Uint8Array; remainingBytes: number } {
  const reader = new FieldReader(bytes)
  const message = { blob: new Uint8Array(0) as Uint8Array, remainingBytes: 0 }
  while (reader.at < bytes.length) {
    const tag = reader.varint()
    if (tag === 0x10) message.remainingBytes = reader.varint()
    else if (tag === 0x1a) message.blob = reader.lengthDelimited()
    else reader.skip(tag & 7)
  }
  return message
}

const CODES: Partial<Record<number, EtcdErrorCode>> = {
  [grpcStatus.INVALID_ARGUMENT]: 'InvalidArgument',
  [grpcStatus.NOT_FOUND]: 'NotFound',
  [grpcStatus.FAILED_PRECONDITION]: 'FailedPrecondition',
  [grpcStatus.OUT_OF_RANGE]: 'OutOfRange',
  [grpcStatus.RESOURCE_EXHAUSTED]: 'ResourceExhausted',
  [grpcStatus.UNAVAILABLE]: 'Unavailable',
  [grpcStatus.UNAUTHENTICATED]: 'Unauthenticated',
  [grpcStatus.PERMISSION_DENIED]: 'PermissionDenied',
  [grpcStatus.DEADLINE_EXCEEDED]: 'DeadlineExceeded',
  [grpcStatus.UNIMPLEMENTED]: 'Unimplemented',
}

function asEtcdError(error: unknown): Error {
  if (error instanceof WireError) return new EtcdError('Unknown', `the answer is no etcd snapshot: ${error.message}`, { cause: error })
  const { code, details, message } = error as Partial<ServiceError>
  if (typeof code === 'number')
    return new EtcdError(CODES[code] ?? 'Unknown', details === undefined || details === '' ? (message ?? 'the call failed') : details, { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}
