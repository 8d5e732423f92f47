// @vitest-environment node
import { describe, expect, it } from 'vitest'
import type { RestoreItem } from '#shared/contract/compare.ts'
import { missingOf, planCounts, resultCounts, stillNeeded } from '../../../renderer/composables/restorePlan.ts'

const item = (name: string, state: RestoreItem['state'], requires: RestoreItem['requires'] = []): RestoreItem => ({
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  namespace: 'shop',
  name,
  kind: 'Deployment',
  state,
  message: '',
  yaml: '',
  requires,
})
const need = (name: string, where: RestoreItem['requires'][number]['where']): RestoreItem['requires'][number] => ({
  group: '',
  resource: 'secrets',
  namespace: 'shop',
  name,
  why: 'volume',
  where,
})

describe('a plan of what to restore', () => {
  const items = [
    item('web', 'new', [need('key', 'source'), need('gone', 'nowhere'), need('there', 'target')]),
    item('api', 'exists', [need('key', 'source'), need('web', 'chosen')]),
    item('old', 'invalid'),
  ]
  it('counts each fate', () => {
    expect(planCounts(items)).toEqual({ made: 1, replaced: 1, same: 0, left: 0, invalid: 1 })
  })
  it('names what is missing on the target and not chosen', () => {
    expect(items.map((each) => missingOf(each).map(({ name }) => name))).toEqual([['key', 'gone'], ['key'], []])
  })
  it('offers what the source has, once', () => {
    expect(stillNeeded(items)).toEqual([{ group: '', version: 'v1', resource: 'secrets', namespace: 'shop', name: 'key' }])
  })
})

describe('what came of a restore', () => {
  it('is counted by outcome', () => {
    const results = (['created', 'created', 'failed', 'pending'] as const).map((outcome) => ({
      group: '',
      version: 'v1',
      resource: 'secrets',
      namespace: 'shop',
      name: outcome,
      kind: 'Secret',
      outcome,
      message: '',
    }))
    expect(resultCounts(results)).toEqual({ pending: 1, created: 2, replaced: 0, unchanged: 0, skipped: 0, failed: 1 })
  })
})
