import { describe, expect, it } from 'vitest'
import { applyConfiguration, trackUpdate, type ApplyOutcome, type FieldManagerContext } from '#shared/kubernetes/apply/fieldManager.ts'
import { customResourceMergeType } from '#shared/kubernetes/apply/mergeType.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

const context: FieldManagerContext = {
  type: customResourceMergeType({
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          size: { type: 'integer' },
          tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
          free: { type: 'object', additionalProperties: { type: 'string' } },
        },
      },
    },
  }),
  zero: {},
  resetFields: [],
}
const writer = (manager: string, subresource = '') => ({ manager, apiVersion: 'g/v1', subresource, now: '2026-01-02T03:04:05Z' })
const object = (fields: object, metadata: object = {}): KubeObject => ({ apiVersion: 'g/v1', kind: 'Thing', metadata: { name: 'a', ...metadata }, ...fields })
const apply = (live: KubeObject | null, applied: KubeObject, manager: string, force = false): ApplyOutcome =>
  applyConfiguration(live, applied, { ...writer(manager), force }, context)
const applied = (live: KubeObject | null, configuration: KubeObject, manager: string): KubeObject => {
  const outcome = apply(live, configuration, manager, true)
  if (outcome.kind !== 'applied') throw new Error(outcome.message)
  return outcome.object
}

describe('what an apply leaves of what its manager applied before', () => {
  it.each([
    ['the other members stay that somebody owns', object({ spec: { free: { a: 'x' } } }), { free: { a: 'x' } }],
    ['an empty list goes with the rest, whoever owns it', object({ spec: { tags: [] } }), undefined],
    ['a list with items stays', object({ spec: { tags: ['t'] } }), { tags: ['t'] }],
  ])('%s', (_, written, spec) => {
    const first = applied(null, object({ spec: { size: 1 } }), 'red')
    const both = { ...first, spec: { ...(first['spec'] as object), ...(written['spec'] as object) } }
    const live = trackUpdate(first, both, writer('blue'), context)
    for (const nothing of [{}, { spec: {} }, { spec: null }]) expect(applied(live, object(nothing), 'red')['spec']).toEqual(spec)
  })

  it('keeps the name and what nobody owns when its last label goes', () => {
    const live = applied(null, object({}, { uid: 'u', labels: { a: 'b' } }), 'red')
    const after = applied(live, object({}), 'red')
    expect(after.metadata).toMatchObject({ name: 'a', uid: 'u' })
    expect(after.metadata.labels ?? null).toBeNull()
  })
})

describe('conflicts', () => {
  it('are told in the order of the entries as JSON: that of a subresource before that of the whole', () => {
    const live = object({ spec: { size: 1, free: { a: 'x' } } })
    const whole = trackUpdate(null, live, writer('green'), context)
    const scaled = trackUpdate(whole, { ...whole, spec: { size: 2, free: { a: 'x' } } }, writer('green', 'scale'), context)
    const outcome = apply(scaled, object({ spec: { size: 5, free: { a: 'y' } } }), 'blue')
    expect(outcome.kind === 'conflict' ? outcome.message : outcome.kind).toBe(
      'Apply failed with 2 conflicts: conflicts with "green" with subresource "scale" using g/v1:\n- .spec.size\nconflicts with "green" using g/v1:\n- .spec.free.a',
    )
  })
})
