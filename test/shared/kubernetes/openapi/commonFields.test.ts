import { describe, expect, it } from 'vitest'
import { COMMON_FIELDS } from '#shared/kubernetes/openapi/commonFields.ts'
import { Definitions } from '#shared/kubernetes/openapi/definitions.ts'
import { builtinSchema } from '#shared/kubernetes/schema/schema.ts'

const shoes = { type: '', group: 'a.example', version: 'v1', kind: 'Shoe', plural: 'shoes', namespaced: true, verbs: [], customSchema: { type: 'object' } }

describe('descriptions of what every object has', () => {
  it.each(Object.keys(COMMON_FIELDS))('there is one for each field of %s that is published', (type) => {
    const published = [...(builtinSchema.struct(type)?.fields.keys() ?? [])].filter((name) => name !== 'shardInfo')
    expect(Object.keys(COMMON_FIELDS[type] ?? {})).toEqual(published)
  })

  it('stand beside the reference of a custom resource’s metadata, within and without', () => {
    const v2 = new Definitions({ refs: '#/definitions/', unions: false }, [])
    v2.resource(shoes as never)
    expect(v2.schemas['example.a.v1.Shoe']).toMatchObject({
      properties: {
        apiVersion: { description: expect.stringContaining('APIVersion defines') as string, type: 'string' },
        metadata: { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', description: expect.stringContaining('metadata') as string },
      },
    })
    expect(v2.schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']).toMatchObject({
      properties: { creationTimestamp: { description: COMMON_FIELDS['meta.ObjectMeta']?.['creationTimestamp'], format: 'date-time' } },
    })
    const v3 = new Definitions({ refs: '#/components/schemas/', unions: true }, [])
    v3.resource(shoes as never)
    expect(v3.schemas['example.a.v1.Shoe']).toMatchObject({ properties: { metadata: { allOf: [{}], description: expect.any(String) as string } } })
  })
})
