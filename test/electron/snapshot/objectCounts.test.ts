import { describe, expect, it } from 'vitest'
import { ObjectCounter, objectPlace } from '#electron/snapshot/objectCounts.ts'

const KEYS = [
  '/registry/pods/team/web',
  '/registry/pods/team/db',
  '/registry/pods/team',
  '/registry/pods/a/b/c',
  '/registry/minions/node-1',
  '/registry/services/specs/team/web',
  '/registry/services/endpoints/team/web',
  '/registry/services/odd',
  '/registry/servicesx/team/web',
  '/registry/stable.example.com/crontabs/team/nightly',
  '/registry/stable.example.com/crontabs/alone',
  '/registry/stable.example.com/widgets/team/one',
  '/registry/stable.example.com/widgets/a/b/c/d/e',
  '/registry/apiregistration.k8s.io/apiservices/v1.apps',
  '/registry/ranges/serviceips',
  '/registry/configmaps',
  '/registry',
  '/bootstrap/0123456789ab',
  'compact_rev_key',
  '/other.org/pods/team/web',
  '',
]

describe('ObjectCounter', () => {
  it('counts by the resource that objectPlace finds, wherever the key lies', () => {
    const counter = new ObjectCounter()
    const expected: Record<string, number> = {}
    for (const [index, key] of KEYS.entries()) {
      const resource = objectPlace(key)?.resource
      if (resource !== undefined) expected[resource] = (expected[resource] ?? 0) + 1
      counter.see(Buffer.from(`${'/'.repeat(index)}${key}/tail.`), index, index + key.length, false)
    }
    expect(counter.counts()).toEqual(expected)
    expect(Object.keys(expected)).toContain('widgets.stable.example.com')
  })

  it('forgets what is deleted, and counts no key twice', () => {
    const counter = new ObjectCounter()
    const see = (key: string, tombstone: boolean): void => {
      counter.see(Buffer.from(key), 0, key.length, tombstone)
    }
    see('/registry/pods/team/web', false)
    see('/registry/pods/team/web', false)
    see('/registry/pods/team/db', false)
    see('/registry/pods/team/web', true)
    see('/registry/pods/team/never', true)
    expect(counter.counts()).toEqual({ pods: 1 })
  })
})
