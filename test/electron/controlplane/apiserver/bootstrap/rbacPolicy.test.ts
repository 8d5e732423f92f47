import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { rulesIn, uncovered } from '#shared/planning/rbac/evaluate.ts'
import { rbacObjects } from '#electron/controlplane/apiserver/bootstrap/rbacPolicy.ts'
import { reconciled } from '#electron/controlplane/apiserver/bootstrap/rbacReconcile.ts'

const named = (minor: number, name: string): KubeObject | undefined =>
  rbacObjects(minor).find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === name)
const rulesOf = (minor: number, name: string): ReturnType<typeof rulesIn> => {
  const role = named(minor, name)
  return role === undefined ? [] : rulesIn(role)
}

describe('the default policy', () => {
  it('lets users ask who they are since 1.28', () => {
    const ask = [{ verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'], resourceNames: [], nonResourceURLs: [] }]
    expect(uncovered(rulesOf(27, 'system:basic-user'), ask)).toEqual(ask)
    expect(uncovered(rulesOf(28, 'system:basic-user'), ask)).toEqual([])
  })

  it('takes from editors the writing of endpoints in 1.22, not the reading', () => {
    const write = [{ verbs: ['update'], apiGroups: [''], resources: ['endpoints'], resourceNames: [], nonResourceURLs: [] }]
    expect(uncovered(rulesOf(21, 'system:aggregate-to-edit'), write)).toEqual([])
    expect(uncovered(rulesOf(22, 'system:aggregate-to-edit'), write)).toEqual(write)
    expect(uncovered(rulesOf(22, 'system:aggregate-to-view'), [{ ...write[0], verbs: ['get'] } as (typeof write)[0]])).toEqual([])
  })

  it('adds to a role what a release adds, keeps what its owner added, and lets owners turn it off', () => {
    const wanted = named(28, 'system:basic-user')
    const live = named(27, 'system:basic-user')
    if (wanted === undefined || live === undefined) throw new Error('the role is missing')
    const own = { apiGroups: ['example.com'], resources: ['x'], verbs: ['get'] }
    const after = reconciled({ ...live, rules: [...(live['rules'] as object[]), own] }, wanted)
    expect(after?.['rules']).toContainEqual(own)
    expect(uncovered(after === null ? [] : rulesIn(after), rulesIn(wanted))).toEqual([])
    expect(reconciled(wanted, wanted)).toBeNull()
    expect(reconciled({ ...live, metadata: { ...live.metadata, annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } } }, wanted)).toBeNull()
  })
})
