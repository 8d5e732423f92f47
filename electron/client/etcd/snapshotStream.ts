import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { WireError } from '#shared/etcd/mvccpb.ts'
import { EtcdError, type EtcdClient } from '#shared/etcd/rpc.ts'
import { etcdAddress, readTls, type EtcdTarget, type EtcdTls } from './etcdTarget.ts'
import { etcdErrorCode } from './grpcCodes.ts'
import { SnapshotFrames } from './snapshotFrames.ts'

/** Bytes on their way at once. HTTP/2 begins with 64 kB, less than two of the server's pieces: it would wait for us after each. */
const WINDOW_BYTES = 8 * 1024 * 1024
/** Bytes that may wait here to be taken. */
const WAITING_BYTES = 1024 * 1024
const EMPTY_MESSAGE = Buffer.alloc(5)

/**
 * A connection to one etcd member for the one call that a backup makes. Nothing is dialled before it.
 * @throws the system's error when a TLS file cannot be read
 */
export async function connectMaintenance(target: EtcdTarget): Promise<Pick<EtcdClient, 'snapshot' | 'close'>> {
  const tls = await readTls(target)
  return { snapshot: ({ signal }) => snapshotStream(target, { tls, signal }), close: () => Promise.resolve() }
}

/**
 * A snapshot's bytes as etcd sends them, straight from HTTP/2: a gRPC library would put each message together and hand it over by itself.
 * @throws EtcdError, or the signal's reason
 */
export async function* snapshotStream(
  target: EtcdTarget,
  { tls, signal }: { tls: EtcdTls; signal: AbortSignal },
): AsyncGenerator<{ blob: Uint8Array; remainingBytes: number }> {
  signal.throwIfAborted()
  const { scheme, address } = etcdAddress(target)
  const session = connect(`${scheme}://${address}`, { ...tls, settings: { initialWindowSize: WINDOW_BYTES, enablePush: false } })
  session.once('connect', () => {
    session.setLocalWindowSize(WINDOW_BYTES)
  })
  const onAbort = (): void => {
    session.destroy()
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const call = new Call(session)
    const frames = new SnapshotFrames()
    for await (const chunks of chunksOf(call.stream))
      for (const chunk of chunks) for (const blob of frames.take(chunk)) yield { blob, remainingBytes: frames.remainingBytes }
    signal.throwIfAborted()
    call.checkStatus()
    if (!frames.atRest) throw new EtcdError('Unavailable', `${address} ended the snapshot within a message`)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof EtcdError) throw error
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof WireError) throw new EtcdError('Unknown', `the answer is no etcd snapshot: ${message}`, { cause: error })
    throw new EtcdError('Unavailable', `${address}: ${message}`, { cause: error })
  } finally {
    signal.removeEventListener('abort', onAbort)
    session.destroy()
  }
}

/**
 * What has come of a stream each time, as it came. A stream's own iterator joins all that waits into one piece, which copies every byte of a
 * snapshot into fresh memory: that took half of a save.
 */
async function* chunksOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer[]> {
  let waiting: Buffer[] = []
  let bytes = 0
  const state: { closed: boolean; failure: Error | null } = { closed: false, failure: null }
  let waker: (() => void) | null = null
  // Once each time it waits: Node looks closely at a promise that is resolved again, and pieces come by the thousand.
  const wake = (): void => {
    waker?.()
    waker = null
  }
  stream.on('data', (chunk: Buffer) => {
    waiting.push(chunk)
    bytes += chunk.length
    if (bytes >= WAITING_BYTES) stream.pause()
    wake()
  })
  stream.on('error', (error: Error) => {
    state.failure ??= error
    wake()
  })
  stream.on('close', () => {
    state.closed = true
    wake()
  })
  for (;;) {
    if (waiting.length > 0) {
      const taken = waiting
      ;[waiting, bytes] = [[], 0]
      if (stream.isPaused()) stream.resume()
      yield taken
      continue
    }
    if (state.failure !== null) throw state.failure
    if (state.closed) return
    await new Promise<void>((resolve) => {
      waker = resolve
    })
  }
}

/** The call's stream, and what HTTP/2 and gRPC say of it. */
class Call {
  readonly stream: ClientHttp2Stream
  /** gRPC's come last, or at once where there is nothing else to say. */
  #headers: IncomingHttpHeaders = {}

  constructor(session: ClientHttp2Session) {
    this.stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/etcdserverpb.Maintenance/Snapshot',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const note = (headers: IncomingHttpHeaders): void => {
      this.#headers = { ...this.#headers, ...headers }
    }
    this.stream.on('response', note).on('trailers', note)
    // What ends the connection ends the stream, whose reader is told.
    session.on('error', (error) => {
      this.stream.destroy(error as Error)
    })
    this.stream.end(EMPTY_MESSAGE)
  }

  /** @throws EtcdError when the call ended with anything but success */
  checkStatus(): void {
    const status = this.#headers['grpc-status']
    if (status === '0') return
    const http = String(this.#headers[':status'] ?? '')
    if (status === undefined)
      throw new EtcdError(
        'Unavailable',
        http === '' || http === '200' ? 'the connection was lost before the snapshot ended' : `the server answers with HTTP ${http}`,
      )
    throw new EtcdError(etcdErrorCode(Number(status)), decodeURIComponent(String(this.#headers['grpc-message'] ?? `gRPC status ${String(status)}`)))
  }
}
