import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { shownPatch } from '#shared/kubernetes/patch/shownPatch.ts'
import { builtinSchema } from '#shared/kubernetes/schema/schema.ts'

const object: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { resourceVersion: '7', labels: { b: '2', a: '1' }, name: 'map' },
  data: { z: '1', y: '2' },
  immutable: false,
}
const struct = builtinSchema.typeOf('v1', 'ConfigMap')

describe('shownPatch', () => {
  it.each([
    [
      'application/json-patch+json',
      [{ op: 'add', path: '/metadata/annotations', value: { d: 1, c: 2 } }],
      '{"apiVersion":"v1","data":{"y":"2","z":"1"},"immutable":false,"kind":"ConfigMap",' +
        '"metadata":{"annotations":{"d":1,"c":2},"labels":{"a":"1","b":"2"},"name":"map","resourceVersion":"7"}}',
    ],
    [
      'application/merge-patch+json',
      { metadata: { annotations: { d: 1, c: [{ f: 1, e: null }] } } },
      '{"apiVersion":"v1","data":{"y":"2","z":"1"},"immutable":false,"kind":"ConfigMap",' +
        '"metadata":{"annotations":{"c":[{"e":null,"f":1}],"d":1},"labels":{"a":"1","b":"2"},"name":"map","resourceVersion":"7"}}',
    ],
    [
      'application/merge-patch+json',
      { data: { x: 3 } },
      '{"apiVersion":"v1","data":{"x":3,"y":"2","z":"1"},"immutable":false,"kind":"ConfigMap","metadata":{"name":"map","resourceVersion":"7","labels":{"a":"1","b":"2"}}}',
    ],
  ])('sorts what %s reads', (type, patch, text) => {
    expect(struct).not.toBeNull()
    expect(shownPatch(object, { type, patch }, struct, 20)).toBe(text)
  })

  it('has everything of a custom resource sorted, and since 1.36 what was added behind it', () => {
    const custom = { apiVersion: 'a.example/v1', kind: 'A', metadata: { name: 'a' }, spec: { b: { d: 1, c: 2 }, c: 1 } } as KubeObject
    const shown = (minor: number): string =>
      shownPatch(custom, { type: 'application/json-patch+json', patch: [{ op: 'add', path: '/spec/a', value: 'x' }] }, null, minor)
    expect(shown(35)).toBe('{"apiVersion":"a.example/v1","kind":"A","metadata":{"name":"a"},"spec":{"a":"x","b":{"c":2,"d":1},"c":1}}')
    expect(shown(36)).toBe('{"apiVersion":"a.example/v1","kind":"A","metadata":{"name":"a"},"spec":{"b":{"c":2,"d":1},"c":1,"a":"x"}}')
  })
})
