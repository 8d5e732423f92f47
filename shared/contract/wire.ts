import type { Reply } from './contract.ts'
import type { Status } from '#shared/kubernetes/status.ts'

/**
 * What travels between the page and the main process, over a WebSocket or a MessagePort. Ids are chosen by the page, never used
 * twice on one line, and shared by requests and subscriptions. `cancel` ends either; nothing with that id follows it.
 */
export type ClientFrame =
  { t: 'invoke'; id: number; name: string; input: unknown } | { t: 'subscribe'; id: number; name: string; input: unknown } | { t: 'cancel'; id: number }

/** Every invoke gets one `reply`; every subscribe gets messages, then one `end` (null when the channel ended well). */
export type ServerFrame =
  { t: 'reply'; id: number; reply: Reply<unknown> } | { t: 'message'; id: number; message: unknown } | { t: 'end'; id: number; status: Status | null }

const align = (offset: number): number => (offset + 7) & ~7

interface Attachment {
  field: string
  byteLength: number
}

interface Header {
  frame: ServerFrame
  attachments: Attachment[]
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/**
 * A frame as JSON text, or as bytes when its message has Uint8Array fields at its top level: header length (u32, little endian),
 * 4 bytes of padding, header JSON, then each attachment, every section padded to 8 bytes so that numbers can be read in place.
 */
export function encodeServerFrame(frame: ServerFrame): string | Uint8Array {
  const message = frame.t === 'message' ? frame.message : null
  if (!isRecord(message)) return JSON.stringify(frame)
  const attachments = Object.entries(message).filter((entry): entry is [string, Uint8Array] => entry[1] instanceof Uint8Array)
  if (attachments.length === 0) return JSON.stringify(frame)
  const rest = { ...message }
  for (const [field] of attachments) rest[field] = null
  const header: Header = {
    frame: { ...frame, message: rest } as ServerFrame,
    attachments: attachments.map(([field, bytes]) => ({ field, byteLength: bytes.byteLength })),
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const bytes = new Uint8Array(attachments.reduce((size, [, part]) => size + align(part.byteLength), align(8 + json.length)))
  new DataView(bytes.buffer).setUint32(0, json.length, true)
  bytes.set(json, 8)
  let offset = align(8 + json.length)
  for (const [, part] of attachments) {
    bytes.set(part, offset)
    offset = align(offset + part.byteLength)
  }
  return bytes
}

/** Reads what `encodeServerFrame` made. @throws Error when the data is no frame */
export function decodeServerFrame(data: string | Uint8Array): ServerFrame {
  if (typeof data === 'string') return JSON.parse(data) as ServerFrame
  if (data.byteLength < 8) throw new RangeError('frame: cut short')
  const jsonLength = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0, true)
  if (8 + jsonLength > data.byteLength) throw new RangeError('frame: cut short')
  const { frame, attachments } = JSON.parse(new TextDecoder().decode(data.subarray(8, 8 + jsonLength))) as Header
  if (frame.t !== 'message' || !isRecord(frame.message)) throw new RangeError('frame: attachments without a message')
  let offset = align(8 + jsonLength)
  for (const { field, byteLength } of attachments) {
    if (byteLength < 0 || offset + byteLength > data.byteLength) throw new RangeError('frame: cut short')
    frame.message[field] = data.subarray(offset, offset + byteLength)
    offset = align(offset + byteLength)
  }
  return frame
}

/**
 * Reads a frame from the page, which is not trusted: its shape is checked here, its input where the channel is known.
 * @throws Error when the data is no frame
 */
export function decodeClientFrame(data: unknown): ClientFrame {
  const frame: unknown = typeof data === 'string' ? JSON.parse(data) : data
  if (!isRecord(frame) || typeof frame['id'] !== 'number' || !Number.isSafeInteger(frame['id'])) throw new RangeError('frame: not one')
  const { t, id, name, input } = frame
  if (t === 'cancel') return { t, id: id as number }
  if ((t === 'invoke' || t === 'subscribe') && typeof name === 'string') return { t, id: id as number, name, input }
  throw new RangeError('frame: not one')
}
