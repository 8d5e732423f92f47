/** Tape archives as tar writes them: POSIX ustar with pax headers for what does not fit; reads GNU's long names too. */

const BLOCK_BYTES = 512
/** Archives end with two empty blocks and are filled up to this, as tar's default of 20 blocks. */
const RECORD_BYTES = 20 * BLOCK_BYTES

export interface TarEntry {
  /** Directories end with a slash. */
  name: string
  kind: 'file' | 'directory' | 'link'
  mode: number
  modifiedMs: number
  content: Uint8Array
  /** Where a symbolic link points to. */
  target: string
}

/** The archive has no meaning from here on. */
export class TarFault extends Error {
  override readonly name = 'TarFault'
}

export function encodeTar(entries: Iterable<TarEntry>): Buffer {
  const parts: Buffer[] = []
  for (const entry of entries) {
    const { name, target, content } = entry
    const split = splitName(name)
    const extended = [...(split === null ? [paxRecord('path', name)] : []), ...(Buffer.byteLength(target) > 100 ? [paxRecord('linkpath', target)] : [])].join(
      '',
    )
    if (extended !== '') {
      const body = Buffer.from(extended)
      parts.push(header({ ...entry, mode: 0o644, target: '' }, { name: 'PaxHeaders/entry', prefix: '' }, { type: 'x', size: body.length }), padded(body))
    }
    parts.push(
      header(entry, split ?? { name: Buffer.from(name).toString('latin1', 0, 99), prefix: '' }, {
        type: { file: '0', directory: '5', link: '2' }[entry.kind],
        size: content.length,
      }),
      padded(Buffer.from(content)),
    )
  }
  parts.push(Buffer.alloc(2 * BLOCK_BYTES))
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat(parts, Math.ceil(length / RECORD_BYTES) * RECORD_BYTES)
}

/** @throws TarFault when a header's checksum is wrong or the archive ends inside an entry */
export function* decodeTar(archive: Buffer): Generator<TarEntry> {
  const pending = new Map<string, string>()
  for (let at = 0; at + BLOCK_BYTES <= archive.length;) {
    const block = archive.subarray(at, at + BLOCK_BYTES)
    at += BLOCK_BYTES
    if (block.every((byte) => byte === 0)) return
    if (checksum(block) !== number(block, 148, 8)) throw new TarFault('invalid tar header checksum')
    const size = number(block, 124, 12)
    const content = archive.subarray(at, at + size)
    if (content.length < size) throw new TarFault('short read')
    at += Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES
    const type = String.fromCharCode(block[156] ?? 0)
    if (type === 'x') for (const [key, value] of paxRecords(content)) pending.set(key, value)
    else if (type === 'L') pending.set('path', text(content, 0, size))
    else if (type === 'K') pending.set('linkpath', text(content, 0, size))
    else if (type !== 'g') {
      const prefix = text(block, 257, 5) === 'ustar' ? text(block, 345, 155) : ''
      const name = pending.get('path') ?? (prefix === '' ? '' : `${prefix}/`) + text(block, 0, 100)
      const kind = type === '5' || name.endsWith('/') ? 'directory' : type === '2' ? 'link' : type === '0' || type === '\0' || type === '7' ? 'file' : null
      if (kind !== null)
        yield {
          name,
          kind,
          mode: number(block, 100, 8) & 0o7777,
          modifiedMs: number(block, 136, 12) * 1000,
          content,
          target: pending.get('linkpath') ?? text(block, 157, 100),
        }
      pending.clear()
    }
  }
}

function header(entry: TarEntry, { name, prefix }: { name: string; prefix: string }, { type, size }: { type: string; size: number }): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  const octal = (value: number, at: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  }
  block.write(name, 0, 100)
  octal(entry.mode & 0o7777, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(Math.max(0, Math.floor(entry.modifiedMs / 1000)), 136, 12)
  block.write(type, 156, 'latin1')
  block.write(entry.target, 157, 100)
  block.write('ustar\u000000', 257, 'latin1')
  block.write('root', 265)
  block.write('root', 297)
  block.write(prefix, 345, 155)
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** Of all bytes, with blanks in place of the checksum itself. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20
  for (const [index, byte] of block.entries()) if (index < 148 || index >= 156) sum += byte
  return sum
}

/** A name of more than 100 bytes goes in two fields, cut at a slash; null when it fits in neither way. */
function splitName(name: string): { name: string; prefix: string } | null {
  if (Buffer.byteLength(name) <= 100) return { name, prefix: '' }
  for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) {
    const [prefix, rest] = [name.slice(0, at), name.slice(at + 1)]
    if (rest !== '' && Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(rest) <= 100) return { name: rest, prefix }
  }
  return null
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const bytes = Buffer.byteLength(rest)
  let length = bytes + String(bytes).length
  if (String(length).length > String(bytes).length) length++
  return `${String(length)}${rest}`
}

function* paxRecords(content: Buffer): Generator<[string, string]> {
  for (let at = 0; at < content.length;) {
    const length = Number.parseInt(content.toString('latin1', at, at + 20), 10)
    if (!(length > 0)) return
    const record = content.toString('utf8', at, at + length - 1)
    const equals = record.indexOf('=')
    yield [record.slice(record.indexOf(' ') + 1, equals), record.slice(equals + 1)]
    at += length
  }
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at)
  return block.toString('utf8', at, end < 0 ? at + length : Math.min(end, at + length))
}

/** Octal digits, or binary when the first bit is set. */
function number(block: Buffer, at: number, length: number): number {
  if (((block[at] ?? 0) & 0x80) !== 0) return block.readUIntBE(at + length - 6, 6)
  return Number.parseInt(text(block, at, length).trim() || '0', 8)
}

function padded(content: Buffer): Buffer {
  const rest = content.length % BLOCK_BYTES
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(BLOCK_BYTES - rest)])
}
