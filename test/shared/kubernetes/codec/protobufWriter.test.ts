import { expect, it } from 'vitest'
import { ProtobufWriter } from '#shared/kubernetes/codec/protobufWriter.ts'

it.each([
  ['', ''],
  ['short', 'a'],
  ['long', 'x'.repeat(5000)],
  ['of two bytes each', 'ü'.repeat(100)],
  ['long, with others at its end', `${'x'.repeat(400)}é`],
  ['long, with others at its start', `é${'x'.repeat(3000)}`],
  ['long, of four bytes each', '😀'.repeat(300)],
])('writes a text: %s', (_, text) => {
  const writer = new ProtobufWriter(16)
  writer.string(2, 'after')
  writer.string(1, text)
  const bytes = Buffer.from(text)
  const length = bytes.length < 0x80 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7]
  expect(Buffer.from(writer.finish())).toEqual(Buffer.concat([Buffer.from([0x0a, ...length]), bytes, Buffer.from([0x12, 5]), Buffer.from('after')]))
})
