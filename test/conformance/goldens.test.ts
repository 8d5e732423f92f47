import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope, decodeProtobuf, encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { builtinSchema } from '#shared/kubernetes/schema/schema.ts'

/** Folders of upstream's own files, `RELEASE=PATH` comma-separated: each one `staging/src/k8s.io/api/testdata/HEAD` of that release. */
const FOLDERS = (process.env['DRYDOCK_API_TESTDATA'] ?? '').split(',').filter((each) => each !== '')

interface Golden {
  name: string
  bytes: Uint8Array
  json: unknown
}

function goldensIn(folder: string): Golden[] {
  return (
    readdirSync(folder)
      // Beside them may stand what a later release made of a file.
      .filter((name) => name.endsWith('.pb') && !name.includes('after_roundtrip'))
      .map((name) => {
        const path = join(folder, name)
        return { name, bytes: readFileSync(path), json: JSON.parse(readFileSync(path.replace(/\.pb$/, '.json'), 'utf8')) as unknown }
      })
  )
}

describe.skipIf(FOLDERS.length === 0).each(FOLDERS)('protobuf as upstream writes it (DRYDOCK_API_TESTDATA): %s', (named) => {
  const [release = '', folder = ''] = named.split('=')
  const minor = Number(release.split('.')[1])
  const goldens = goldensIn(folder)
  const known = goldens.filter(({ bytes }) => {
    const { apiVersion, kind } = decodeEnvelope(bytes)
    return builtinSchema.typeOf(apiVersion, kind) !== null
  })
  /** Fields that a release had and later ones took away are no part of the table; their JSON names are not known either. */
  const whole = known.filter(({ bytes }) => decodeProtobuf(bytes).unknown.length === 0)

  it(`knows ${String(known.length)} kinds of ${String(goldens.length)}, ${String(whole.length)} of them whole`, () => {
    expect(known.length).toBeGreaterThan(0)
  })

  it('decodes every file of a whole kind to its JSON', () => {
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
      return Buffer.compare(encodeProtobuf(object, kept, minor), bytes) !== 0
    })
    expect(wrong.map(({ name }) => name)).toEqual([])
  })
})
