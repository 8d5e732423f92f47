import type { Duplex } from 'node:stream'
import { ByteQueue } from './byteQueue.ts'
import { HeaderCompression } from './headerCompression.ts'
import {
  CANCEL,
  controlFrame,
  dataFrame,
  decodeHeaders,
  encodeHeaders,
  FLAG_FIN,
  GOAWAY,
  HEADERS,
  INVALID_STREAM,
  PING,
  PROTOCOL_ERROR,
  RST_STREAM,
  SpdyFrameReader,
  SYN_REPLY,
  SYN_STREAM,
  words,
  type SpdyFrame,
} from './spdyFrames.ts'

const STREAM_ID = 0x7fff_ffff
/** Bytes of one DATA frame we send; the clients' reading buffers are about this large. */
const MAX_DATA_BYTES = 32 * 1024
/** Streams a client may have open: each forwarded connection takes two. */
const MAX_STREAMS = 2000

/** One stream a client opened. Both directions end on their own. */
export class SpdyStream {
  readonly id: number
  readonly headers: ReadonlyMap<string, string>
  /** What the client sends; ends with its FIN, a reset or the connection. */
  readonly input = new ByteQueue()
  readonly #send: (frame: Buffer) => Promise<void>
  readonly #closed: () => void
  #finSent = false
  #finReceived = false

  constructor(id: number, headers: ReadonlyMap<string, string>, { send, closed }: { send: (frame: Buffer) => Promise<void>; closed: () => void }) {
    this.id = id
    this.headers = headers
    this.#send = send
    this.#closed = closed
  }

  /** Resolves when the connection takes more. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#finSent; at += MAX_DATA_BYTES) await this.#send(dataFrame(this.id, bytes.subarray(at, at + MAX_DATA_BYTES)))
  }

  /** Nothing more is written. */
  async end(): Promise<void> {
    if (this.#finSent) return
    this.#finSent = true
    if (this.#finReceived) this.#closed()
    await this.#send(dataFrame(this.id, new Uint8Array(0), FLAG_FIN))
  }

  /** The client's FIN came. */
  endInput(): void {
    this.#finReceived = true
    this.input.end()
    if (this.#finSent) this.#closed()
  }

  /** The client's reset came, or the connection is gone: nobody reads what is written from now on. */
  abandon(): void {
    this.#finSent = true
    this.endInput()
  }

  /** Ends both directions at once. */
  async reset(): Promise<void> {
    this.input.cancel()
    this.#closed()
    if (this.#finSent) return
    this.#finSent = true
    await this.#send(controlFrame(RST_STREAM, words(this.id, CANCEL)))
  }
}

/**
 * The server's end of a SPDY/3.1 connection, over a socket or a tunnel.
 *
 * Windows are not kept: the clients of Kubernetes neither send WINDOW_UPDATE nor wait for it. A reader that does not
 * read makes the whole connection wait, as it does upstream.
 */
export class SpdyConnection {
  readonly #duplex: Duplex
  readonly #compression = new HeaderCompression()
  readonly #reader = new SpdyFrameReader()
  readonly #streams = new Map<number, SpdyStream>()
  readonly #accept: (stream: SpdyStream) => boolean
  #lastStreamId = 0

  /** @param accept called for each new stream before it is answered; false refuses it */
  constructor(duplex: Duplex, accept: (stream: SpdyStream) => boolean) {
    this.#duplex = duplex
    this.#accept = accept
  }

  /** Reads until the client goes away or breaks the protocol; settles after that and never rejects. */
  async run(): Promise<void> {
    try {
      for await (const bytes of this.#duplex as AsyncIterable<Buffer>) for (const frame of this.#reader.push(bytes)) await this.#receive(frame)
    } catch {
      // A broken connection and broken frames have one remedy.
      this.#duplex.destroy()
    } finally {
      for (const stream of [...this.#streams.values()]) stream.abandon()
      this.#compression.close()
    }
  }

  /** Says goodbye and closes after what was written. */
  async close(): Promise<void> {
    await this.#send(controlFrame(GOAWAY, words(this.#lastStreamId, 0)))
    this.#duplex.end()
  }

  async #receive(frame: SpdyFrame): Promise<void> {
    if (frame.kind === 'data') {
      const stream = this.#streams.get(frame.streamId)
      // Data for a stream that was reset may still be under way.
      if (stream === undefined) return
      await stream.input.push(frame.payload)
      if ((frame.flags & FLAG_FIN) !== 0) stream.endInput()
      return
    }
    const { type, payload, flags } = frame
    if (type === SYN_STREAM) await this.#open(payload, flags)
    else if (type === PING) {
      // Even numbers would be answers to our own, and we send none.
      if (payload.readUInt32BE(0) % 2 === 1) await this.#send(controlFrame(PING, payload))
    } else if (type === RST_STREAM) {
      this.#streams.get(payload.readUInt32BE(0) & STREAM_ID)?.abandon()
    } else if (type === HEADERS || type === SYN_REPLY) await this.#compression.decompress(payload.subarray(4))
  }

  async #open(payload: Buffer, flags: number): Promise<void> {
    const id = payload.readUInt32BE(0) & STREAM_ID
    const headers = decodeHeaders(await this.#compression.decompress(payload.subarray(10)))
    if (id % 2 === 0 || id <= this.#lastStreamId || this.#streams.size >= MAX_STREAMS) {
      await this.#send(controlFrame(RST_STREAM, words(id, PROTOCOL_ERROR)))
      return
    }
    this.#lastStreamId = id
    const stream = new SpdyStream(id, headers, {
      send: (bytes) => this.#send(bytes),
      closed: () => {
        this.#streams.delete(id)
      },
    })
    this.#streams.set(id, stream)
    if ((flags & FLAG_FIN) !== 0) stream.endInput()
    // The answer goes out before the stream is used: who accepts it may write in the same turn.
    const reply = Buffer.concat([words(id), await this.#compression.compress(encodeHeaders(new Map()))])
    const replied = this.#send(controlFrame(SYN_REPLY, reply))
    if (!this.#accept(stream)) {
      this.#streams.delete(id)
      await this.#send(controlFrame(RST_STREAM, words(id, INVALID_STREAM)))
    }
    await replied
  }

  /** Resolves when the connection takes more, or is gone. */
  #send(frame: Buffer): Promise<void> {
    if (this.#duplex.destroyed || this.#duplex.writableEnded || this.#duplex.write(frame)) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        this.#duplex.off('drain', done)
        this.#duplex.off('close', done)
        resolve()
      }
      this.#duplex.once('drain', done)
      this.#duplex.once('close', done)
    })
  }
}
