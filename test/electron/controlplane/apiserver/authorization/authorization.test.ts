import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ApiAnswer } from '#test/support/apiConnection.ts'
import { startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

const RBAC = '/apis/rbac.authorization.k8s.io/v1'
const rule = (apiGroup: string, resource: string, ...verbs: string[]): object => ({ apiGroups: [apiGroup], resources: [resource], verbs })
const user = (name: string): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name })
const ref = (kind: string, name: string): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name })

describe('authorization', { timeout: 30_000 }, () => {
  let server: TestApiServer
  const create = async (path: string, body: object): Promise<void> => {
    const answer = await server.connection.call({ path, body })
    expect(answer.status, answer.text).toBe(201)
  }
  const as = (name: string, groups: string[], path: string, more: { method?: string; body?: object } = {}): Promise<ApiAnswer> =>
    server.connection.call({ path, headers: { 'impersonate-user': name, ...(groups.length === 0 ? {} : { 'impersonate-group': groups }) }, ...more })

  beforeAll(async () => {
    server = await startTestApiServer('authorization')
    await create('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'robot' } })
    for (const name of ['mounted', 'pulled', 'published', 'other']) await create('/api/v1/namespaces/default/secrets', { metadata: { name } })
    for (const name of ['settings', 'other']) await create('/api/v1/namespaces/default/configmaps', { metadata: { name } })
    await create('/api/v1/persistentvolumes', {
      metadata: { name: 'disk' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        claimRef: { namespace: 'default', name: 'data' },
        csi: { driver: 'd', volumeHandle: 'h', nodePublishSecretRef: { name: 'published', namespace: 'default' } },
      },
    })
    await create('/api/v1/namespaces/default/persistentvolumeclaims', {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeName: 'disk' },
    })
    await create('/api/v1/namespaces/default/pods', {
      metadata: { name: 'web' },
      spec: {
        nodeName: 'one',
        serviceAccountName: 'robot',
        imagePullSecrets: [{ name: 'pulled' }],
        containers: [{ name: 'c', image: 'i', envFrom: [{ configMapRef: { name: 'settings' } }] }],
        volumes: [
          { name: 'a', secret: { secretName: 'mounted' } },
          { name: 'b', persistentVolumeClaim: { claimName: 'data' } },
        ],
      },
    })
  })
  afterAll(() => server.close())

  it.each([
    ['secrets/mounted', true],
    ['secrets/pulled', true],
    ['secrets/published', true],
    ['secrets/other', false],
    ['configmaps/settings', true],
    ['configmaps/other', false],
    ['persistentvolumeclaims/data', true],
  ])('lets a node read what its pods refer to: %s', async (what, mine) => {
    const path = `/api/v1/namespaces/default/${what}`
    expect((await as('system:node:one', ['system:nodes'], path)).status).toBe(mine ? 200 : 403)
    const [resource = '', name = ''] = what.split('/')
    const refused = await as('system:node:two', ['system:nodes'], path)
    expect([refused.status, refused.json?.['message']]).toEqual([
      403,
      `${resource} "${name}" is forbidden: User "system:node:two" cannot get resource "${resource}" in API group "" in the namespace "default": no relationship found between node 'two' and this object`,
    ])
  })

  it('takes from a node what a deleted pod gave it', async () => {
    const path = '/api/v1/namespaces/default/secrets/other'
    const pod = {
      metadata: { name: 'short' },
      spec: {
        nodeName: 'three',
        serviceAccountName: 'robot',
        containers: [{ name: 'c', image: 'i', env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'other', key: 'k' } } }] }],
      },
    }
    await create('/api/v1/namespaces/default/pods', pod)
    expect((await as('system:node:three', ['system:nodes'], path)).status).toBe(200)
    await server.connection.call({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/short?gracePeriodSeconds=0' })
    expect((await as('system:node:three', ['system:nodes'], path)).status).toBe(403)
  })

  it('refuses rights the writer does not hold, naming each', async () => {
    await create(`${RBAC}/clusterroles`, {
      metadata: { name: 'role-writer' },
      rules: [rule('rbac.authorization.k8s.io', '*', 'create', 'get'), rule('', 'pods', 'get')],
    })
    await create(`${RBAC}/clusterrolebindings`, { metadata: { name: 'role-writer' }, roleRef: ref('ClusterRole', 'role-writer'), subjects: [user('anna')] })
    const wanted = { metadata: { name: 'more' }, rules: [rule('', 'pods', 'get', 'delete'), { nonResourceURLs: ['/logs'], verbs: ['get'] }] }
    const refused = await as('anna', ['g 1'], `${RBAC}/clusterroles`, { body: wanted })
    expect([refused.status, refused.json?.['message']]).toEqual([
      403,
      'clusterroles.rbac.authorization.k8s.io "more" is forbidden: user "anna" (groups=["g 1" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n{NonResourceURLs:["/logs"], Verbs:["get"]}',
    ])
    expect((await as('anna', [], `${RBAC}/clusterroles`, { body: { metadata: { name: 'same' }, rules: [rule('', 'pods', 'get')] } })).status).toBe(201)
    const bound = (name: string): object => ({ metadata: { name: `to-${name}` }, roleRef: ref('ClusterRole', name), subjects: [user('anna')] })
    expect((await as('anna', [], `${RBAC}/clusterrolebindings`, { body: bound('cluster-admin') })).status).toBe(403)
    expect((await as('anna', [], `${RBAC}/clusterrolebindings`, { body: bound('same') })).status).toBe(201)
    expect((await as('anna', [], `${RBAC}/clusterrolebindings`, { body: bound('missing') })).status).toBe(404)
    await create(`${RBAC}/clusterroles`, {
      metadata: { name: 'any-role' },
      rules: [
        rule('rbac.authorization.k8s.io', 'clusterroles', 'create', 'escalate', 'bind'),
        rule('rbac.authorization.k8s.io', 'clusterrolebindings', 'create'),
      ],
    })
    await create(`${RBAC}/clusterrolebindings`, { metadata: { name: 'any-role' }, roleRef: ref('ClusterRole', 'any-role'), subjects: [user('bert')] })
    expect((await as('bert', [], `${RBAC}/clusterroles`, { body: wanted })).status, 'escalate').toBe(201)
    expect((await as('bert', [], `${RBAC}/clusterrolebindings`, { body: bound('cluster-admin') })).status, 'bind').toBe(201)
  })

  it('tells of bindings whose role is missing, in reviews and refusals', async () => {
    await create(`${RBAC}/namespaces/default/rolebindings`, { metadata: { name: 'gone' }, roleRef: ref('Role', 'gone'), subjects: [user('carl')] })
    const refused = await as('carl', [], '/api/v1/namespaces/default/pods')
    expect(refused.json?.['message']).toMatch(/in the namespace "default": RBAC: role\.rbac\.authorization\.k8s\.io "gone" not found$/)
    const review = await server.connection.call({
      path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: { user: 'anna', resourceAttributes: { verb: 'get', resource: 'pods' } },
      },
    })
    expect(review.json?.['status']).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by ClusterRoleBinding "role-writer" of ClusterRole "role-writer" to User "anna"',
    })
  })
})
