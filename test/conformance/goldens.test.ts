import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope, decodeProtobuf, encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { builtinSchema } from '#shared/kubernetes/schema/schema.ts'

/** The folder of upstream's own files: `staging/src/k8s.io/api/testdata/HEAD` of a release. */
const FOLDER = process.env['DRYDOCK_API_TESTDATA'] ?? ''
const names = FOLDER === '' ? [] : readdirSync(FOLDER).filter((name) => name.endsWith('.pb'))

interface Golden {
  name: string
  bytes: Uint8Array
  json: unknown
}

const goldens = names.map((name): Golden => {
  const path = join(FOLDER, name)
  return { name, bytes: readFileSync(path), json: JSON.parse(readFileSync(path.replace(/\.pb$/, '.json'), 'utf8')) as unknown }
})

const known = goldens.filter(({ bytes }) => {
  const { apiVersion, kind } = decodeEnvelope(bytes)
  return builtinSchema.typeOf(apiVersion, kind) !== null
})
/** Fields that a release had and later ones took away are no part of the table; their JSON names are not known either. */
const whole = known.filter(({ bytes }) => decodeProtobuf(bytes).unknown.length === 0)

describe.skipIf(goldens.length === 0)(`protobuf as upstream writes it: ${String(whole.length)} whole of ${String(goldens.length)} files`, () => {
  it('knows kinds of the folder', () => {
    expect(whole.length).toBeGreaterThan(0)
  })

  it('decodes every file to its JSON', () => {
    const wrong = whole.filter(({ bytes, json }) => {
      try {
        expect(decodeProtobuf(bytes).object).toEqual(json)
        return false
      } catch {
        return true
      }
    })
    expect(wrong.map(({ name }) => name)).toEqual([])
  })

  it('writes every file of a known kind back to the same bytes, with what it does not know', () => {
    const wrong = known.filter(({ bytes }) => {
      const { object, kept } = decodeProtobuf(bytes)
      return Buffer.compare(encodeProtobuf(object, kept), bytes) !== 0
    })
    expect(wrong.map(({ name }) => name)).toEqual([])
  })
})
