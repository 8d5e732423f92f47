export interface TarEntry {
  /** Relative, with `/`; at most 100 bytes. */
  name: string
  bytes: Uint8Array
}

const BLOCK = 512
const NAME_BYTES = 100

/** A POSIX (ustar) archive of plain files, readable by their owner only. @throws RangeError when a name is too long */
export function tarOf(entries: readonly TarEntry[], modifiedAtMs: number): Buffer {
  const parts: Uint8Array[] = []
  for (const { name, bytes } of entries) {
    parts.push(header(name, bytes.length, modifiedAtMs), bytes, new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK))
  }
  return Buffer.concat([...parts, new Uint8Array(2 * BLOCK)])
}

function header(name: string, size: number, modifiedAtMs: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  if (Buffer.byteLength(name) > NAME_BYTES) throw new RangeError(`${name} is too long a name for an archive`)
  const octal = (value: number, at: number, length: number): void => {
    block.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1')
  }
  block.write(name, 0)
  octal(0o600, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(Math.floor(modifiedAtMs / 1000), 136, 12)
  block.fill(' ', 148, 156)
  block.write('0', 156)
  block.write('ustar\u000000', 257, 'latin1')
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  )
  block[154] = 0
  block[155] = 0x20
  return block
}
