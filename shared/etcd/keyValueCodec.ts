import type { KeyValue } from './rpc.ts'
import { decodeMessage, encodeMessage, type MessageTable } from './message.ts'

/** mvccpb.KeyValue (api/mvccpb/kv.proto). */
export const KEY_VALUE: MessageTable = {
  key: [1, 'bytes'],
  createRevision: [2, 'number'],
  modRevision: [3, 'number'],
  version: [4, 'number'],
  value: [5, 'bytes'],
  lease: [6, 'id'],
}

/** The value of one element of the `key` bucket; of a tombstone only the key is stored. */
export function encodeKeyValue(kv: KeyValue, { tombstone }: { tombstone: boolean }): Uint8Array {
  return encodeMessage(KEY_VALUE, tombstone ? { key: kv.key } : { ...kv })
}

/** @throws MalformedMessage */
export function decodeKeyValue(bytes: Uint8Array): KeyValue {
  return decodeMessage(KEY_VALUE, bytes) as unknown as KeyValue
}

/** The key of one element of the `key` bucket: 8 bytes main, `_`, 8 bytes sub, `t` when it is a tombstone. */
export function encodeRevision(main: number, sub: number, tombstone: boolean): Uint8Array {
  const bytes = new Uint8Array(tombstone ? 18 : 17)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(main))
  bytes[8] = 0x5f
  view.setBigUint64(9, BigInt(sub))
  if (tombstone) bytes[17] = 0x74
  return bytes
}
