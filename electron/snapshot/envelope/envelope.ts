import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { constants, createInflateRaw, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { Decrypter, Encrypter } from 'age-encryption'
import { SnapshotError } from '../snapshotError.ts'
import { passphraseIdentity, passphraseRecipient } from './passphrase.ts'

/** How a snapshot is written: as it is, compressed, encrypted, or first the one and then the other. */
export interface Sealing {
  /** With zstd; `zstd -d` opens it. */
  compress: boolean
  /** With age; `age -d` opens it. A passphrase, or the public keys (`age1…`) of those who may open it; not both. */
  passphrase?: string | undefined
  recipients?: readonly string[] | undefined
}

/** What opens an encrypted file. Never logged, never kept. */
export interface Unlock {
  passphrase?: string | undefined
  /** `AGE-SECRET-KEY-…` */
  identities?: readonly string[] | undefined
}

export type Layer = 'age' | 'zstd' | 'zip'

const AGE_MAGIC = Buffer.from('age-encryption.org/v1\n')
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])
const ZIP_MAGIC = Buffer.from('PK\x03\x04')
const SCRYPT_STANZA = '-> scrypt '
const PEEKED_BYTES = 64
const ZIP_HEADER_BYTES = 30
/** etcd's own limit is 8 GiB; what unpacks to more is made to fill a disk. */
const MOST_PLAIN_BYTES = 32 * 1024 ** 3

export const isEncrypted = ({ passphrase, recipients = [] }: Sealing): boolean => passphrase !== undefined || recipients.length > 0

/** What is appended to a snapshot's name, e.g. `.zst.age`. */
export function suffixOf(sealing: Sealing): string {
  return `${sealing.compress ? '.zst' : ''}${isEncrypted(sealing) ? '.age' : ''}`
}

/** Passes a snapshot's bytes through what was asked for to `write`, in order. @throws whatever the source or `write` throws */
export async function seal(source: AsyncIterable<Uint8Array>, sealing: Sealing, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const encrypted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    if (!isEncrypted(sealing)) {
      yield* chunks
      return
    }
    yield* await encrypterOf(sealing).encrypt(ReadableStream.from(chunks))
  }
  const into = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of chunks) await write(chunk)
  }
  const plain = Readable.from(source)
  if (!sealing.compress) await pipeline(plain, encrypted, into)
  else await pipeline(plain, createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } }), encrypted, into)
}

/** @throws SnapshotError locked when a recipient's key is none */
function encrypterOf({ passphrase, recipients = [] }: Sealing): Encrypter {
  const encrypter = new Encrypter()
  if (passphrase !== undefined) {
    if (recipients.length > 0) throw new SnapshotError('locked', 'age takes a passphrase or recipients, not both: leave one out')
    encrypter.addRecipient(passphraseRecipient(passphrase))
  }
  for (const recipient of recipients)
    try {
      encrypter.addRecipient(recipient.trim())
    } catch (error) {
      throw new SnapshotError('locked', `${JSON.stringify(recipient)} is no age recipient: give the public key that age-keygen prints, age1…`, { cause: error })
    }
  return encrypter
}

/** Says at once what is wrong with a wish to encrypt, before anything is saved. @throws SnapshotError locked */
export function checkSealing(sealing: Sealing): void {
  encrypterOf(sealing)
}

/** What a file is wrapped in, outermost first, as far as it can be told without opening it; [] for a snapshot as it is. */
export async function layersOf(path: string): Promise<{ layers: Layer[]; needs: 'passphrase' | 'identity' | null }> {
  const stream = createReadStream(path, { end: 4095 })
  const { head } = await peek(stream)
  stream.destroy()
  const layer = layerOf(head)
  if (layer === null) return { layers: [], needs: null }
  if (layer !== 'age') return { layers: [layer], needs: null }
  return { layers: ['age'], needs: head.subarray(AGE_MAGIC.length).toString('latin1').startsWith(SCRYPT_STANZA) ? 'passphrase' : 'identity' }
}

/**
 * The snapshot inside a file, whatever it is wrapped in.
 * @param found told of each layer as it is taken off
 * @throws SnapshotError locked when it is encrypted and `unlock` does not open it; damaged when a layer is broken
 */
export async function* unwrapped(
  path: string,
  { unlock, signal, found = () => undefined }: { unlock: Unlock; signal: AbortSignal; found?: (layer: Layer) => void },
): AsyncGenerator<Uint8Array> {
  let bytes: AsyncIterable<Uint8Array> = createReadStream(path, { highWaterMark: 256 * 1024, signal })
  for (let depth = 0; ; depth++) {
    const { head, whole } = await peek(bytes)
    const layer = layerOf(head)
    bytes = whole
    if (layer === null) break
    if (depth > 3) throw new SnapshotError('damaged', `${path} is wrapped over and over again`)
    found(layer)
    bytes = guarded(layer === 'age' ? decrypted(whole, unlock) : layer === 'zstd' ? through(whole, createZstdDecompress()) : unzipped(whole), layer)
  }
  let count = 0
  for await (const chunk of bytes) {
    signal.throwIfAborted()
    count += chunk.length
    if (count > MOST_PLAIN_BYTES) throw new SnapshotError('damaged', `${path} unpacks to more than any etcd holds`)
    yield chunk
  }
}

function layerOf(head: Buffer): Layer | null {
  const begins = (magic: Buffer): boolean => head.subarray(0, magic.length).equals(magic)
  return begins(AGE_MAGIC) ? 'age' : begins(ZSTD_MAGIC) ? 'zstd' : begins(ZIP_MAGIC) ? 'zip' : null
}

/** The first bytes of a stream, and the stream with them still in front. */
async function peek(bytes: AsyncIterable<Uint8Array>): Promise<{ head: Buffer; whole: AsyncIterable<Uint8Array> }> {
  const iterator = bytes[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  while (head.length < PEEKED_BYTES) {
    const next = await iterator.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value])
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head
      for (;;) {
        const next = await iterator.next()
        if (next.done === true) return
        yield next.value
      }
    } finally {
      await iterator.return?.()
    }
  }
  return { head, whole: whole() }
}

/** What goes wrong within a layer is damage, unless it has a name already. */
async function* guarded(bytes: AsyncIterable<Uint8Array>, layer: Layer): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes
  } catch (error) {
    if (error instanceof SnapshotError || (error as NodeJS.ErrnoException).code?.startsWith('E') === true || (error as Error).name === 'AbortError') throw error
    throw new SnapshotError('damaged', `the ${layer} layer is broken: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

async function* decrypted(bytes: AsyncIterable<Uint8Array>, { passphrase, identities = [] }: Unlock): AsyncGenerator<Uint8Array> {
  if (passphrase === undefined && identities.length === 0) throw new SnapshotError('locked', 'the file is encrypted: give its passphrase or an identity')
  const decrypter = new Decrypter()
  if (passphrase !== undefined) decrypter.addIdentity(passphraseIdentity(passphrase))
  for (const identity of identities)
    try {
      decrypter.addIdentity(identity)
    } catch (error) {
      throw new SnapshotError('locked', 'that is no age identity: give what age-keygen wrote, AGE-SECRET-KEY-1…', { cause: error })
    }
  let opened: ReadableStream<Uint8Array>
  try {
    opened = await decrypter.decrypt(ReadableStream.from(bytes))
  } catch (error) {
    throw /no identity matched/i.test(String(error))
      ? new SnapshotError('locked', passphrase === undefined ? 'none of the identities given opens the file' : 'the passphrase does not open the file', {
          cause: error,
        })
      : error
  }
  yield* opened
}

async function* through(bytes: AsyncIterable<Uint8Array>, transform: NodeJS.ReadWriteStream): AsyncGenerator<Uint8Array> {
  const failed = pipeline(Readable.from(bytes), transform, { end: true })
  failed.catch(() => undefined)
  yield* transform as unknown as AsyncIterable<Uint8Array>
  await failed
}

/** The one file of an archive as k3s writes it. Its directory at the end is not needed. */
async function* unzipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]()
  let buffered: Buffer = Buffer.alloc(0)
  const more = async (): Promise<boolean> => {
    const next = await iterator.next()
    if (next.done !== true) buffered = Buffer.concat([buffered, next.value])
    return next.done !== true
  }
  const need = async (length: number): Promise<void> => {
    while (buffered.length < length) if (!(await more())) throw new SnapshotError('damaged', 'the archive ends within its first header')
  }
  await need(ZIP_HEADER_BYTES)
  const [flags, method, size] = [buffered.readUInt16LE(6), buffered.readUInt16LE(8), buffered.readUInt32LE(18)]
  const start = ZIP_HEADER_BYTES + buffered.readUInt16LE(26) + buffered.readUInt16LE(28)
  await need(start)
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    yield buffered.subarray(start)
    yield* { [Symbol.asyncIterator]: () => iterator }
  }
  if ((flags & 1) !== 0) throw new SnapshotError('damaged', 'the archive is encrypted by zip, which is not read here: unpack it first')
  if (method === 8) yield* inflated(rest())
  else if (method === 0 && (flags & 8) === 0) yield* firstBytes(rest(), size)
  else throw new SnapshotError('damaged', `the archive is packed by method ${String(method)}, which is not read here: unpack it first`)
}

/** Ends where the packed data does, and leaves what follows alone. */
async function* inflated(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflate = createInflateRaw()
  const source = Readable.from(bytes)
  source.on('error', (error) => inflate.destroy(error))
  source.pipe(inflate)
  try {
    yield* inflate as AsyncIterable<Uint8Array>
  } finally {
    source.destroy()
  }
}

async function* firstBytes(bytes: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  let left = length
  for await (const chunk of bytes) {
    yield chunk.subarray(0, left)
    left -= chunk.length
    if (left <= 0) return
  }
  throw new SnapshotError('damaged', `the archive ends ${String(left)} bytes too early`)
}
