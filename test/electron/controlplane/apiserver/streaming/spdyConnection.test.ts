import { once } from 'node:events'
import { duplexPair, type Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { HeaderCompression } from '#electron/controlplane/apiserver/streaming/headerCompression.ts'
import { SpdyConnection, type SpdyStream } from '#electron/controlplane/apiserver/streaming/spdyConnection.ts'
import { spdyDictionary } from '#electron/controlplane/apiserver/streaming/spdyDictionary.ts'
import {
  controlFrame,
  dataFrame,
  encodeHeaders,
  FLAG_FIN,
  GOAWAY,
  PING,
  RST_STREAM,
  SpdyFrameReader,
  SYN_REPLY,
  SYN_STREAM,
  words,
  type SpdyFrame,
} from '#electron/controlplane/apiserver/streaming/spdyFrames.ts'

/** A client on the other end of a connection: sends frames, collects what comes back. */
class Client {
  readonly frames: SpdyFrame[] = []
  readonly streams: SpdyStream[] = []
  readonly ended: Promise<void>
  readonly #duplex: Duplex
  readonly #compression = new HeaderCompression()
  readonly connection: SpdyConnection

  constructor(accept: (stream: SpdyStream) => boolean = () => true) {
    const [client, server] = duplexPair()
    this.#duplex = client
    const reader = new SpdyFrameReader()
    client.on('data', (bytes: Buffer) => this.frames.push(...reader.push(bytes)))
    client.on('error', () => undefined)
    this.connection = new SpdyConnection(server, (stream) => {
      this.streams.push(stream)
      return accept(stream)
    })
    this.ended = this.connection.run()
  }

  async open(id: number, headers: Record<string, string>, flags = 0): Promise<void> {
    const block = await this.#compression.compress(encodeHeaders(new Map(Object.entries(headers))))
    this.send(controlFrame(SYN_STREAM, Buffer.concat([words(id, 0), Buffer.from([0, 0]), block]), flags))
  }

  send(...frames: Buffer[]): void {
    this.#duplex.write(Buffer.concat(frames))
  }

  /** Frames so far, once there are as many. */
  async until(count: number): Promise<SpdyFrame[]> {
    while (this.frames.length < count) await once(this.#duplex, 'data')
    return this.frames
  }

  async end(): Promise<void> {
    this.#duplex.end()
    await this.ended
  }
}

const textOf = async (stream: SpdyStream | undefined): Promise<string> => {
  const parts: Uint8Array[] = []
  for await (const part of stream?.input ?? []) parts.push(part)
  return Buffer.concat(parts).toString()
}

describe('SpdyConnection', () => {
  it('knows the dictionary of SPDY/3 by its length and ends', () => {
    const dictionary = spdyDictionary()
    expect([dictionary.length, dictionary.subarray(0, 11).toString('latin1'), dictionary.subarray(-5).toString()]).toEqual([
      1423,
      '\0\0\0\x07options',
      'enq=0'.slice(1) + '.',
    ])
  })

  it('reads headers of stream after stream from one compressed context, and answers each', async () => {
    const client = new Client()
    await client.open(1, { streamtype: 'error' })
    await client.open(3, { streamtype: 'data', port: '80' })
    const frames = await client.until(2)
    expect(frames.map((frame) => (frame.kind === 'control' ? [frame.type, frame.payload.readUInt32BE(0)] : []))).toEqual([
      [SYN_REPLY, 1],
      [SYN_REPLY, 3],
    ])
    expect(client.streams.map(({ headers }) => Object.fromEntries(headers))).toEqual([{ streamtype: 'error' }, { streamtype: 'data', port: '80' }])
    await client.end()
  })

  it('carries data both ways and ends each direction on its own', async () => {
    const client = new Client()
    await client.open(1, {})
    client.send(dataFrame(1, Buffer.from('one ')), dataFrame(1, Buffer.from('two'), FLAG_FIN))
    await client.until(1)
    expect(await textOf(client.streams[0])).toBe('one two')
    await client.streams[0]?.write(Buffer.from('back'))
    await client.streams[0]?.end()
    const [, data, fin] = await client.until(3)
    expect([data?.payload.toString(), fin?.flags]).toEqual(['back', FLAG_FIN])
    await client.end()
  })

  it('takes frames cut anywhere', async () => {
    const client = new Client()
    await client.open(1, {})
    for (const byte of Buffer.concat([dataFrame(1, Buffer.from('slow')), dataFrame(1, new Uint8Array(0), FLAG_FIN)])) client.send(Buffer.of(byte))
    await client.until(1)
    expect(await textOf(client.streams[0])).toBe('slow')
    await client.end()
  })

  it('answers pings and says goodbye', async () => {
    const client = new Client()
    client.send(controlFrame(PING, words(7)))
    expect((await client.until(1))[0]).toMatchObject({ type: PING, payload: words(7) })
    await client.connection.close()
    expect((await client.until(2))[1]).toMatchObject({ type: GOAWAY })
    await client.end()
  })

  it('resets what is refused and what breaks the order of ids', async () => {
    const client = new Client((stream) => stream.headers.get('streamtype') === 'stdin')
    await client.open(3, { streamtype: 'other' })
    await client.open(1, { streamtype: 'stdin' })
    const frames = await client.until(3)
    expect(frames.map((frame) => (frame.kind === 'control' ? [frame.type, frame.payload.readUInt32BE(0)] : []))).toEqual([
      [SYN_REPLY, 3],
      [RST_STREAM, 3],
      [RST_STREAM, 1],
    ])
    await client.end()
  })

  it('ends the input of open streams when the client goes away, and on bytes that are no SPDY', async () => {
    const [gone, broken] = [new Client(), new Client()]
    for (const client of [gone, broken]) {
      await client.open(1, {})
      await client.until(1)
    }
    await gone.end()
    broken.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    await broken.end()
    expect(await Promise.all([textOf(gone.streams[0]), textOf(broken.streams[0])])).toEqual(['', ''])
  })
})
