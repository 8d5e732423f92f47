import { describe, expect, it } from 'vitest'
import type { SchemaNode } from '#shared/kubernetes/customresource/schemaNode.ts'
import { customSchema } from '#shared/kubernetes/openapi/customSchema.ts'

const GVK = { 'x-kubernetes-group-version-kind': [{ group: 'o.example.com', version: 'v1', kind: 'Nest' }] }
const common = { ...GVK, type: 'object', properties: { kind: { type: 'string' } } }
const OPEN = { 'x-kubernetes-preserve-unknown-fields': true }
const text = { type: 'string' }

/** What kube-apiserver 1.20.2 publishes of the same schemas, without descriptions, which are prose. */
describe('the schema of a custom resource in OpenAPI v2', () => {
  it.each<[string, SchemaNode, object]>([
    ['unknown fields', { type: 'object', ...OPEN, properties: { dummy: { type: 'object' } } }, OPEN],
    ['null', { type: 'object', nullable: true, properties: { a: text } }, {}],
    ['null in place of a list', { type: 'array', nullable: true, items: text }, {}],
    ['anything', OPEN, OPEN],
    [
      'an object within',
      { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: text } },
      {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        properties: { apiVersion: text, kind: text, metadata: { type: 'object' }, spec: text },
        required: ['kind', 'apiVersion'],
      },
    ],
    [
      'an open object within',
      { type: 'object', 'x-kubernetes-embedded-resource': true, ...OPEN, properties: { spec: text } },
      { 'x-kubernetes-embedded-resource': true, ...OPEN },
    ],
    ['int or string', { 'x-kubernetes-int-or-string': true }, { 'x-kubernetes-int-or-string': true }],
    [
      'items of unknown fields',
      { type: 'array', items: { type: 'object', ...OPEN, properties: { a: text }, required: ['a'] } },
      { type: 'array', items: { required: ['a'], ...OPEN } },
    ],
  ])('has no types where %s may stand', (_, field, published) => {
    const schema = { type: 'object', properties: { field }, required: ['field'] }
    const { properties, required } = customSchema(schema, common, false)
    expect(properties).toEqual({ field: published, kind: text })
    expect(required).toEqual(field['nullable'] === true ? undefined : ['field'])
  })

  it('says nothing of an object that takes unknown fields at its root', () => {
    expect(customSchema({ type: 'object', ...OPEN, properties: { spec: { type: 'object' } } }, common, false)).toEqual({ ...GVK, type: 'object' })
  })
})
