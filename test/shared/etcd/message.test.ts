import { describe, expect, it } from 'vitest'
import { decodeMessage, encodeMessage, type MessageTable } from '#shared/etcd/message.ts'
import { MalformedMessage } from '#shared/etcd/protobuf.ts'

const INNER: MessageTable = { name: [1, 'text'], flag: [2, 'bool'] }
const TABLE: MessageTable = {
  count: [1, 'number'],
  id: [2, 'id'],
  data: [3, 'bytes'],
  order: [4, ['NONE', 'ASCEND']],
  inner: [5, INNER],
  numbers: [6, 'number', 'list'],
  inners: [100, INNER, 'list'],
}
const EMPTY = { count: 0, id: 0n, data: new Uint8Array(0), order: 'NONE', numbers: [], inners: [] }
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('messages by table', () => {
  const cases: [string, object, string][] = [
    ['nothing', {}, ''],
    ['small numbers', { count: 150 }, '089601'],
    ['numbers of 53 bits', { count: 2 ** 53 - 1 }, '08ffffffffffffff0f'],
    ['negative numbers', { count: -1 }, '08ffffffffffffffffff01'],
    ['ids of 64 bits', { id: 0xffff_ffff_ffff_ffffn }, '10ffffffffffffffffff01'],
    ['bytes and enums', { data: Uint8Array.of(1, 2), order: 'ASCEND' }, '1a0201022001'],
    ['nested messages, empty ones as well', { inner: {}, inners: [{ name: 'é', flag: true }, {}] }, '2a00a20606' + '0a02c3a91001' + 'a20600'],
    ['zeros in lists', { numbers: [0, 1] }, '30003001'],
  ]
  it.each(cases)('writes and reads %s', (_, message, expected) => {
    const bytes = encodeMessage(TABLE, message as never)
    expect(hex(bytes)).toBe(expected)
    const decoded = decodeMessage(TABLE, bytes)
    expect(hex(encodeMessage(TABLE, decoded))).toBe(expected)
    expect(decoded).toMatchObject({ ...EMPTY, ...(message as { inner?: object; inners?: object[] }) })
  })

  it('leaves room before the message when asked', () => {
    expect(hex(encodeMessage(TABLE, { count: 1 }, 5))).toBe('00000000000801')
  })

  it('reads packed lists and passes over fields it does not know', () => {
    expect(decodeMessage(TABLE, Buffer.from('3203008f01' + 'fa0702aabb', 'hex'))['numbers']).toEqual([0, 143])
  })

  const damaged: [string, string][] = [
    ['a number that does not end', '08ff'],
    ['more than 64 bits', '08ffffffffffffffffffff01'],
    ['a length beyond the end', '1a7f01'],
    ['the wrong wire type', '0a0101'],
    ['field number 0', '0001'],
    ['an unknown enum value', '2007'],
  ]
  it.each(damaged)('refuses %s', (_, bytes) => {
    expect(() => decodeMessage(TABLE, Buffer.from(bytes, 'hex'))).toThrow(MalformedMessage)
  })
})
