import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { canonicalize } from '#shared/kubernetes/codec/canonical.ts'
import { decodeEnvelope, decodeProtobuf, encodeProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { deepEqual } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
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

/** Without fields that the release had and later ones took away. */
function withoutUnknown(object: KubeObject): KubeObject {
  const struct = builtinSchema.typeOf(object.apiVersion ?? '', object.kind ?? '')
  const copy = structuredClone(object)
  for (const path of struct === null ? [] : canonicalize(object, struct).unknown) {
    const steps = path.match(/[^.[\]]+/g) ?? []
    const holder = steps.slice(0, -1).reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], copy)
    Reflect.deleteProperty(holder as object, steps.at(-1) ?? '')
  }
  return copy
}

/**
 * Earlier releases write times of creation that are not set as null, which 1.34 and later leave out; and they do not have what 1.36 writes of
 * every StatefulSet and of an IngressClass with parameters.
 */
function inNewestForm(object: KubeObject): unknown {
  const { kind } = object
  return JSON.parse(JSON.stringify(object), (key, value: unknown) => {
    if (key === 'creationTimestamp' && value === null) return undefined
    if (key === 'availableReplicas' && kind === 'StatefulSet' && value === 0) return undefined
    return key === 'scope' && kind === 'IngressClass' && value === null ? undefined : value
  })
}

describe.skipIf(FOLDERS.length === 0).each(FOLDERS)('protobuf as upstream writes it (DRYDOCK_API_TESTDATA): %s', (named) => {
  const [release = '', folder = ''] = named.split('=')
  const minor = Number(release.split('.')[1])
  const goldens = goldensIn(folder)
  const known = goldens.filter(({ bytes }) => {
    const { apiVersion, kind } = decodeEnvelope(bytes)
    return builtinSchema.typeOf(apiVersion, kind) !== null
  })

  it(`knows ${String(known.length)} of ${String(goldens.length)} kinds`, () => {
    expect(known.length).toBeGreaterThan(0)
  })

  it('decodes every file of a known kind to its JSON, as far as the table knows its fields', () => {
    const wrong = known.filter(({ bytes, json }) => {
      const { object } = decodeProtobuf(bytes)
      return !deepEqual(inNewestForm(object), inNewestForm(withoutUnknown(json as KubeObject)))
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
