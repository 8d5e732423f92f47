import { describe, expect, it } from 'vitest'
import { definitionErrors, definitionUpdateErrors, formatWarnings } from '#shared/kubernetes/customresource/definitions/validation.ts'
import { schemaErrors } from '#shared/kubernetes/customresource/schemaValidation.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { fieldErrorBody, type FieldError } from '#shared/kubernetes/validation/fieldError.ts'

const object = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({ type: 'object', properties, ...more })

function definition(schema: JsonObject, version: JsonObject = {}, spec: JsonObject = {}): KubeObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'foos.example.com', resourceVersion: '1' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'foos', singular: 'foo', kind: 'Foo', listKind: 'FooList' },
      conversion: { strategy: 'None' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
      ...spec,
    },
    status: { storedVersions: ['v1'], acceptedNames: { plural: '', kind: '' }, conditions: null },
  }
}

const told = (errors: readonly FieldError[]): string[] => errors.map((error) => `${error.field}: ${fieldErrorBody(error)}`)
const ofSpec = (properties: JsonObject): string[] => told(definitionErrors(definition(object({ spec: object(properties) }))))
const SPEC = 'spec.validation.openAPIV3Schema.properties[spec]'

describe('definitions', () => {
  it('passes what is right', () => {
    expect(
      ofSpec({ a: { type: 'string', default: 'x' }, n: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] } }),
    ).toEqual([])
  })

  it.each<[string, JsonObject, string]>([
    ['no type', {}, 'type: Required value: must not be empty for specified object fields'],
    ['no items', { type: 'array' }, 'items: Required value: must be specified'],
    ['a reference', { $ref: '#/definitions/a' }, '$ref: Forbidden: $ref is not supported'],
    [
      'unique items',
      { type: 'array', items: { type: 'string' }, uniqueItems: true },
      'uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
    ],
    ['types in unions', { type: 'string', anyOf: [{ type: 'string' }] }, 'anyOf[0].type: Forbidden: must be empty to be structural'],
    ['a wrong default', { type: 'string', default: 1 }, 'default: Invalid value: "integer": a.default in body must be of type string: "integer"'],
    [
      'a set of granular maps',
      { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'set' },
      'items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set',
    ],
    [
      'a list map without keys',
      { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' },
      'x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map',
    ],
  ])('refuses %s', (_, property, error) => {
    const errors = ofSpec({ a: property })
    expect(errors.some((each) => each.startsWith(`${SPEC}.properties[a].${error.split(':')[0] ?? ''}`))).toBe(true)
    if (!error.startsWith('default')) expect(errors).toContain(`${SPEC}.properties[a].${error}`)
  })

  it('refuses rules that do not compile, with the rule and its place', () => {
    const [error] = ofSpec({ a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self > 1' }] } })
    expect(error).toBe(
      `${SPEC}.properties[a].x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self \\u003e 1","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: ` +
        "compilation failed: ERROR: <input>:1:6: found no matching overload for '_>_' applied to '(string, int)'\n | self > 1\n | .....^",
    )
  })

  it('refuses a look at the old value where there is none to be found', () => {
    expect(
      ofSpec({ l: { type: 'array', maxItems: 9, items: { type: 'string', maxLength: 9, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } } }),
    ).toEqual([
      `${SPEC}.properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ${SPEC}.properties[l]`,
    ])
  })

  it('names the version when versions differ', () => {
    const two = definition(
      object({}),
      {},
      {
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'string' } } },
          { name: 'v2', served: true, storage: false, schema: { openAPIV3Schema: object({}) } },
        ],
      },
    )
    expect(told(definitionErrors(two))).toEqual(['spec.versions[0].schema.openAPIV3Schema.type: Invalid value: "string": must be object at the root'])
  })

  it('keeps scope and kind once established, group and plural always', () => {
    const before = definition(object({}))
    before['status'] = { ...(before['status'] as JsonObject), conditions: [{ type: 'Established', status: 'True' }] }
    const after = structuredClone(before)
    const spec = after['spec'] as JsonObject
    Object.assign(spec, { scope: 'Cluster' })
    expect(told(definitionUpdateErrors(after, before, ''))).toEqual(['spec.scope: Invalid value: "Cluster": field is immutable'])
  })

  it('warns of formats nobody checks, once', () => {
    const odd = definition(object({ a: { type: 'string', format: 'odd' } }))
    expect(formatWarnings(odd, null)).toEqual(['unrecognized format "odd"'])
    expect(formatWarnings(odd, odd)).toEqual([])
  })
})

describe('hostile schemas', () => {
  it('goes through deep nesting', () => {
    let schema: JsonObject = { type: 'string' }
    for (let depth = 0; depth < 400; depth++) schema = object({ x: schema })
    expect(definitionErrors(definition(schema))).toEqual([])
  })

  it('takes linear time for patterns that make others backtrack', () => {
    const schema = object({ a: { type: 'string', pattern: '^(a+)+$' } })
    expect(definitionErrors(definition(schema))).toEqual([])
    const start = Date.now()
    expect(schemaErrors({ a: `${'a'.repeat(20_000)}!` }, schema)).toHaveLength(1)
    expect(Date.now() - start).toBeLessThan(5_000)
  })

  it('refuses patterns that are no RE2', () => {
    expect(ofSpec({ a: { type: 'string', pattern: '(?!x)' } })[0]).toMatch(
      /must be a valid regular expression, but isn't: error parsing regexp: invalid or unsupported Perl syntax: `\(\?!`/,
    )
  })

  it('takes huge enums', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => `value${String(index)}`)
    const schema = object({ a: { type: 'string', enum: values } })
    expect(definitionErrors(definition(schema))).toEqual([])
    expect(schemaErrors({ a: 'value19999' }, schema)).toEqual([])
  })

  it('is not led to the prototype', () => {
    const schema = object({ constructor: { type: 'string' }, ['__proto__x']: { type: 'string' } })
    expect(schemaErrors({ a: 1, toString: 2 }, schema)).toEqual([])
  })
})
