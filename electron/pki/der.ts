/** One decoded DER element; `content` is a view into the source. */
export interface DerElement {
  tag: number
  content: Buffer
  /** Header and content. */
  whole: Buffer
}

/** Universal tags used in X.509 (ITU-T X.690). */
export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** An element with the given tag around its parts. */
export function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content])
  const length: number[] = []
  for (let rest = content.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256)
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length, ...length]), content])
}

export const derSequence = (...parts: Buffer[]): Buffer => der(DerTag.sequence, ...parts)
/** `[n] EXPLICIT`. */
export const derExplicit = (index: number, part: Buffer): Buffer => der(0xa0 | index, part)
export const derBoolean = (value: boolean): Buffer => der(DerTag.boolean, Buffer.from([value ? 0xff : 0]))
/** A bit string of whole bytes. */
export const derBitString = (bytes: Buffer): Buffer => der(DerTag.bitString, Buffer.from([0]), bytes)

/** A non-negative integer from big-endian bytes. */
export function derInteger(bytes: Buffer): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const minimal = bytes.subarray(start)
  return der(DerTag.integer, (minimal[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), minimal]) : minimal)
}

/** An object identifier from its dotted form. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const group = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) group.unshift((left & 0x7f) | 0x80)
    bytes.push(...group)
  }
  return der(DerTag.oid, Buffer.from(bytes))
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). Whole seconds. */
export function derTime(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().replace(/[-:T]/g, '').slice(0, 14)
  return digits < '2050' ? der(DerTag.utcTime, Buffer.from(`${digits.slice(2)}Z`)) : der(DerTag.generalizedTime, Buffer.from(`${digits}Z`))
}

/** PrintableString where the text allows it, else UTF8String, as Go encodes names. */
export function derText(text: string): Buffer {
  return der(/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text) ? DerTag.printableString : DerTag.utf8String, Buffer.from(text))
}

/** The element at the buffer's start. @throws when the bytes are no DER */
export function readDer(bytes: Buffer): DerElement {
  const tag = bytes[0]
  let length = bytes[1]
  if (tag === undefined || length === undefined) throw new Error('truncated DER')
  let offset = 2
  if (length >= 0x80) {
    const octets = length & 0x7f
    if (octets === 0 || octets > 4 || bytes.length < 2 + octets) throw new Error('unsupported DER length')
    length = bytes.readUIntBE(2, octets)
    offset += octets
  }
  if (bytes.length < offset + length) throw new Error('truncated DER')
  return { tag, content: bytes.subarray(offset, offset + length), whole: bytes.subarray(0, offset + length) }
}

/** The elements inside a constructed one, in order. */
export function readDerChildren(content: Buffer): DerElement[] {
  const children: DerElement[] = []
  for (let rest = content; rest.length > 0;) {
    const child = readDer(rest)
    children.push(child)
    rest = rest.subarray(child.whole.length)
  }
  return children
}

/** Dotted form of an OID's content. */
export function readDerOid(content: Buffer): string {
  const first = content[0] ?? 0
  const arcs = [Math.min(2, Math.floor(first / 40)), first - Math.min(2, Math.floor(first / 40)) * 40]
  let arc = 0
  for (const byte of content.subarray(1)) {
    arc = arc * 128 + (byte & 0x7f)
    if ((byte & 0x80) === 0) {
      arcs.push(arc)
      arc = 0
    }
  }
  return arcs.join('.')
}

/** Milliseconds since the epoch of a UTCTime or GeneralizedTime. */
export function readDerTime({ tag, content }: DerElement): number {
  const text = content.toString('latin1')
  const digits = tag === DerTag.utcTime ? `${Number(text.slice(0, 2)) >= 50 ? '19' : '20'}${text}` : text
  const part = (from: number, to: number): number => Number(digits.slice(from, to))
  return Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14))
}
