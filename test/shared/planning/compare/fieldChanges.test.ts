import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { comparable } from '#shared/planning/compare/noise.ts'
import { fieldChanges } from '#shared/planning/compare/fieldChanges.ts'

const pod = (spec: unknown, metadata: KubeObject['metadata'] = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', ...metadata },
  spec,
})
const paths = (before: KubeObject | null, after: KubeObject | null): string[] => fieldChanges(before, after).map(({ path }) => path)

describe('fieldChanges', () => {
  it('names list elements by their key, whatever their order', () => {
    const before = pod({
      containers: [
        { name: 'a', image: 'a:1' },
        { name: 'b', image: 'b:1' },
      ],
    })
    const after = pod({
      containers: [
        { name: 'b', image: 'b:2' },
        { name: 'a', image: 'a:1' },
      ],
    })
    expect(fieldChanges(before, after)).toEqual([{ path: '.spec.containers[name=b].image', before: 'b:1', after: 'b:2' }])
  })

  it('names elements by place where no key tells them apart', () => {
    expect(paths(pod({ args: ['a', 'b'] }), pod({ args: ['a', 'c', 'd'] }))).toEqual(['.spec.args[1]', '.spec.args[2]'])
    expect(paths(pod({ ports: [{ name: 'x' }, { name: 'x' }] }), pod({ ports: [{ name: 'x' }, { name: 'y' }] }))).toEqual(['.spec.ports[1].name'])
  })

  it('quotes names that are no identifiers', () => {
    expect(paths(pod({}, { labels: { 'app.kubernetes.io/name': 'a' } }), pod({}, { labels: { 'app.kubernetes.io/name': 'b' } }))).toEqual([
      '.metadata.labels["app.kubernetes.io/name"]',
    ])
  })

  it('tells of an object that is on one side only as a whole', () => {
    expect(fieldChanges(null, pod({}))).toEqual([{ path: '.', before: undefined, after: pod({}) }])
  })

  it('finds nothing between equal objects', () => {
    expect(fieldChanges(pod({ a: [1, { b: null }] }), pod({ a: [1, { b: null }] }))).toEqual([])
  })
})

describe('comparable', () => {
  it('leaves out what the server writes with every change, and status unless it is wanted', () => {
    const object = {
      ...pod({ x: 1 }, { resourceVersion: '7', generation: 2, managedFields: [], annotations: { 'deployment.kubernetes.io/revision': '3', own: 'y' } }),
      status: { phase: 'Running' },
    }
    expect(comparable(object)).toEqual(pod({ x: 1 }, { annotations: { own: 'y' } }))
    expect(comparable(object, { status: true })['status']).toEqual({ phase: 'Running' })
    expect(object.metadata.resourceVersion).toBe('7')
  })
})
