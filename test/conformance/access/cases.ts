import type { ApiCall, ApiConnection } from '#test/support/apiConnection.ts'

/** One request sent to both servers. */
export interface Case extends ApiCall {
  name: string
}

const AUTHORIZATION = '/apis/authorization.k8s.io/v1'
const AUTHENTICATION = '/apis/authentication.k8s.io/v1'
const RBAC = '/apis/rbac.authorization.k8s.io/v1'
const RBAC_GROUP = 'rbac.authorization.k8s.io'
const MERGE = { 'content-type': 'application/merge-patch+json' }

type Headers = Record<string, string | string[]>
const as = (user: string, ...groups: string[]): Headers => ({ 'impersonate-user': user, ...(groups.length === 0 ? {} : { 'impersonate-group': groups }) })
const node = (name: string): Headers => as(`system:node:${name}`, 'system:nodes')
const rule = (apiGroup: string, resources: string[], verbs: string[]): object => ({ apiGroups: [apiGroup], resources, verbs })
const user = (name: string): object => ({ apiGroup: RBAC_GROUP, kind: 'User', name })
const ref = (kind: string, name: string): object => ({ apiGroup: RBAC_GROUP, kind, name })

/** Makes what the cases ask about; both servers must take it all. */
export async function prepare(server: ApiConnection, namespace: string): Promise<void> {
  const make = async (path: string, body: object): Promise<void> => {
    const { status, text } = await server.call({ path, body })
    if (status !== 201 && status !== 409) throw new Error(`${server.server}${path}: ${String(status)} ${text}`)
  }
  const inside = (plural: string, body: object, root = '/api/v1'): Promise<void> => make(`${root}/namespaces/${namespace}/${plural}`, body)
  await make('/api/v1/namespaces', { metadata: { name: namespace } })
  for (const name of ['default', 'robot']) await inside('serviceaccounts', { metadata: { name } })
  for (const name of ['n1', 'n2'])
    await make('/api/v1/nodes', { metadata: { name: `${namespace}-${name}` }, spec: { taints: [{ key: 'own', effect: 'NoSchedule' }] } })
  for (const name of ['s1', 's2']) await inside('secrets', { metadata: { name } })
  await inside('configmaps', { metadata: { name: 'm1' } })
  await make(`${RBAC}/clusterroles`, {
    metadata: { name: `${namespace}-roles` },
    rules: [rule(RBAC_GROUP, ['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings'], ['create', 'update']), rule('', ['pods'], ['get'])],
  })
  await make(`${RBAC}/clusterroles`, {
    metadata: { name: `${namespace}-escalate` },
    rules: [rule(RBAC_GROUP, ['clusterroles', 'clusterrolebindings'], ['create', 'update', 'escalate', 'bind'])],
  })
  for (const [role, name] of [
    ['roles', 'anna'],
    ['escalate', 'bert'],
    ['missing', 'carl'],
  ] as const)
    await make(`${RBAC}/clusterrolebindings`, {
      metadata: { name: `${namespace}-${role}` },
      roleRef: ref('ClusterRole', `${namespace}-${role}`),
      subjects: [user(`${namespace}-${name}`)],
    })
  const volumes = [{ name: 'a', secret: { secretName: 's1' } }]
  const containers = [{ name: 'c', image: 'x', envFrom: [{ configMapRef: { name: 'm1' } }] }]
  await inside('pods', { metadata: { name: 'p1' }, spec: { nodeName: `${namespace}-n1`, serviceAccountName: 'robot', containers, volumes } })
  await make('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: `${namespace}-high` }, value: 1000, preemptionPolicy: 'Never' })
  await inside('limitranges', {
    metadata: { name: 'bounds' },
    spec: {
      limits: [
        { type: 'Container', max: { cpu: '2' }, min: { cpu: '100m' }, defaultRequest: { cpu: '500m' }, default: { cpu: '1', memory: '1Gi' } },
        { type: 'Pod', max: { memory: '3Gi' } },
        { type: 'PersistentVolumeClaim', max: { storage: '2Gi' }, min: { storage: '1Gi' } },
      ],
    },
  })
}

/** Who is asking. */
export function authenticationCases(namespace: string): Case[] {
  const review = (spec: object): Case => ({
    name: `TokenReview ${JSON.stringify(spec)}`,
    path: `${AUTHENTICATION}/tokenreviews`,
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec },
  })
  const token = (account: string, spec: object): Case => ({
    name: `token of ${account} ${JSON.stringify(spec)}`,
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
  })
  const bound = (kind: string): object => ({ boundObjectRef: { kind, apiVersion: 'v1', name: 'nope' } })
  const credentials: Headers[] = [
    {},
    { authorization: 'Bearer nope' },
    { authorization: 'Bearer ' },
    { authorization: 'Bearer a b' },
    { authorization: 'Basic YTpi' },
    as('u'),
    { 'impersonate-group': 'g' },
    { 'impersonate-extra-a%2fb': ['x', 'y'] },
    { 'impersonate-uid': 'u' },
  ]
  return [
    ...credentials.map((headers): Case => ({ name: `nobody with ${JSON.stringify(headers)}`, path: '/api/v1/nodes?limit=1', headers, certificate: null })),
    ...['/version', '/healthz', '/livez/ping', '/metrics', '/openid/v1/jwks', `/api/v1/namespaces/${namespace}/pods/x`].map((path): Case => ({
      name: `anonymous ${path}`,
      path,
      certificate: null,
    })),
    ...[as('bob'), as('bob', 'a,b'), as('system:anonymous'), as(`system:serviceaccount:${namespace}:robot`)].map((headers): Case => ({
      name: `admin as ${JSON.stringify(headers)}`,
      path: '/api/v1/nodes',
      headers,
    })),
    review({ token: 'bad' }),
    review({ token: '' }),
    ...[{ expirationSeconds: 10 }, { expirationSeconds: 4_294_967_297 }, bound('Pod'), bound('Secret'), bound('ConfigMap')].map((spec) => token('robot', spec)),
    token('nope', {}),
  ]
}

/** What they may do. */
export function authorizationCases(namespace: string): Case[] {
  const [n1, n2] = [`${namespace}-n1`, `${namespace}-n2`]
  const inside = `/api/v1/namespaces/${namespace}`
  const paths = [
    ...['s1', 's2', 's3'].map((name) => `${inside}/secrets/${name}`),
    `${inside}/secrets`,
    '/api/v1/secrets',
    `${inside}/configmaps/m1`,
    `${inside}/persistentvolumeclaims`,
    `${inside}/serviceaccounts/robot`,
    '/apis/storage.k8s.io/v1/csinodes',
    '/apis/storage.k8s.io/v1/volumeattachments/x',
    '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases',
    '/apis/coordination.k8s.io/v1/namespaces/default/leases/x',
    `${inside}/events`,
  ]
  const nodes = paths.flatMap((path) => [n1, n2].map((name): Case => ({ name: `${name} reads ${path}`, path, headers: node(name) })))
  const access = (kind: string, spec: object, more: object = {}): Case => {
    const local = kind === 'LocalSubjectAccessReview' ? `/namespaces/${namespace}` : ''
    return {
      name: `${kind} ${JSON.stringify(spec)}`,
      path: `${AUTHORIZATION}${local}/${kind.toLowerCase()}s`,
      body: { apiVersion: 'authorization.k8s.io/v1', kind, spec, ...more },
    }
  }
  const anna = `${namespace}-anna`
  const pods = { verb: 'get', resource: 'pods', namespace }
  const write = (what: string, plural: string, body: object, headers: Headers): Case => ({
    name: `${what} ${JSON.stringify(body)}`,
    path: `${RBAC}/${plural}?dryRun=All`,
    body,
    headers,
  })
  const roleBody = (rules: object[]): object => ({ metadata: { name: `${namespace}-new` }, rules })
  const bindingBody = (role: string): object => ({ metadata: { name: `${namespace}-new` }, roleRef: ref('ClusterRole', role), subjects: [] })
  return [
    ...nodes,
    { name: 'a node without a name', path: `${inside}/secrets/s1`, headers: as('system:node:', 'system:nodes') },
    { name: 'a node without its group', path: `${inside}/secrets/s1`, headers: as(`system:node:${n1}`) },
    { name: 'a user whose role is missing', path: '/api/v1/nodes', headers: as(`${namespace}-carl`) },
    access('SubjectAccessReview', {}),
    access('SubjectAccessReview', { user: anna }),
    access('SubjectAccessReview', { user: anna, resourceAttributes: pods }),
    access('SubjectAccessReview', { user: anna, resourceAttributes: pods, nonResourceAttributes: { path: '/x', verb: 'get' } }),
    access('SubjectAccessReview', { user: `${namespace}-carl`, resourceAttributes: pods }),
    access('SubjectAccessReview', { groups: ['system:masters'], nonResourceAttributes: { path: '/x', verb: 'get' } }),
    access('LocalSubjectAccessReview', { user: anna, resourceAttributes: pods }, { metadata: { namespace } }),
    access('LocalSubjectAccessReview', { user: anna, resourceAttributes: { ...pods, namespace: 'default' } }, { metadata: { namespace } }),
    access('LocalSubjectAccessReview', { user: anna, nonResourceAttributes: { path: '/', verb: 'get' } }, { metadata: { namespace } }),
    write(
      'escalation',
      'clusterroles',
      roleBody([rule('', ['pods', 'secrets'], ['get', 'delete']), { nonResourceURLs: ['/logs/*'], verbs: ['get'] }]),
      as(anna, 'g 1'),
    ),
    write('no escalation', 'clusterroles', roleBody([rule('', ['pods'], ['get'])]), as(anna)),
    write('aggregation', 'clusterroles', { ...roleBody([]), aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } }, as(anna)),
    write('escalate', 'clusterroles', roleBody([rule('*', ['*'], ['*'])]), as(`${namespace}-bert`)),
    write('binding', 'clusterrolebindings', bindingBody('cluster-admin'), as(anna)),
    write('binding nothing', 'clusterrolebindings', bindingBody('nope'), as(anna)),
    write('bind', 'clusterrolebindings', bindingBody('cluster-admin'), as(`${namespace}-bert`)),
  ]
}

/** What is let in. */
export function admissionCases(namespace: string): Case[] {
  const [n1, n2] = [`${namespace}-n1`, `${namespace}-n2`]
  const inside = `/api/v1/namespaces/${namespace}`
  const pod = (what: string, spec: object, container: object = {}, more: { metadata?: object; headers?: Headers } = {}): Case => ({
    name: what,
    path: `${inside}/pods?dryRun=All`,
    headers: more.headers ?? {},
    body: { metadata: { name: 'new', ...more.metadata }, spec: { containers: [{ name: 'c', image: 'x', ...container }], ...spec } },
  })
  const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } }
  const owner = { apiVersion: 'v1', kind: 'Node', name: n1, uid: 'wrong', controller: true }
  const high = `${namespace}-high`
  const claim = (storage: string): Case => ({
    name: `a claim of ${storage}`,
    path: `${inside}/persistentvolumeclaims?dryRun=All`,
    body: { metadata: { name: 'c' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } } },
  })
  const patchNode = (name: string, body: object): Case => ({
    name: `${n1} patches ${name} ${JSON.stringify(body)}`,
    method: 'PATCH',
    path: `/api/v1/nodes/${name}?dryRun=All`,
    headers: { ...node(n1), ...MERGE },
    body: JSON.stringify(body),
  })
  return [
    pod('more than the most', {}, { resources: { limits: { cpu: '3' } } }),
    pod('less than the least', {}, { resources: { requests: { cpu: '50m' } } }),
    pod('a pod of more than the most', {}, { resources: { limits: { memory: '4Gi' } } }),
    claim('500Mi'),
    claim('3Gi'),
    pod('an unknown priority class', { priorityClassName: 'nope' }),
    pod('another priority than the class', { priorityClassName: high, priority: 5 }),
    pod('another preemption than the class', { priorityClassName: high, preemptionPolicy: 'PreemptLowerPriority' }),
    pod('an unknown runtime class', { runtimeClassName: 'nope' }),
    pod('an unknown service account', { serviceAccountName: 'nope' }),
    pod('overhead without a class', { overhead: { cpu: '1' } }),
    { name: 'a namespace that is not there', path: '/api/v1/namespaces/nope/configmaps', body: { metadata: { name: 'x' } } },
    { name: 'the default namespace', method: 'DELETE', path: '/api/v1/namespaces/default' },
    { name: 'a node makes another', path: '/api/v1/nodes', headers: node(n1), body: { metadata: { name: 'other' } } },
    {
      name: 'a node labels itself',
      path: '/api/v1/nodes',
      headers: node('new'),
      body: {
        metadata: {
          name: 'new',
          labels: { 'node-restriction.kubernetes.io/x': 'y', 'kubernetes.io/os': 'linux', 'a.k8s.io/b': 'c', 'node.kubernetes.io/q': 'x' },
        },
      },
    },
    patchNode(n1, { metadata: { labels: { 'node-role.kubernetes.io/master': '' } } }),
    patchNode(n2, { metadata: { labels: { free: 'x' } } }),
    patchNode(n1, { spec: { taints: [] } }),
    pod('a node makes a pod', {}, {}, { headers: node(n1) }),
    pod('a mirror pod elsewhere', { nodeName: n2 }, {}, { headers: node(n1), metadata: mirror }),
    pod('a mirror pod of nobody', { nodeName: n1 }, {}, { headers: node(n1), metadata: mirror }),
    pod(
      'a mirror pod that blocks',
      { nodeName: n1 },
      {},
      { headers: node(n1), metadata: { ...mirror, ownerReferences: [{ ...owner, blockOwnerDeletion: true }] } },
    ),
    pod(
      'a mirror pod with an account',
      { nodeName: n1, serviceAccountName: 'default' },
      {},
      { headers: node(n1), metadata: { ...mirror, ownerReferences: [owner] } },
    ),
    { name: 'a node deletes another one’s pod', method: 'DELETE', path: `${inside}/pods/p1`, headers: node(n2) },
    {
      name: 'a node tells of another one’s pod',
      method: 'PATCH',
      path: `${inside}/pods/p1/status`,
      headers: { ...node(n2), ...MERGE },
      body: '{"status":{"message":"x"}}',
    },
    { name: 'a token for no pod', path: `${inside}/serviceaccounts/robot/token`, headers: node(n1), body: { spec: {} } },
    {
      name: 'a token for a pod without uid',
      path: `${inside}/serviceaccounts/robot/token`,
      headers: node(n1),
      body: { spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p1' } } },
    },
    { name: 'a lease of another', path: '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', headers: node(n1), body: { metadata: { name: n2 } } },
    { name: 'a CSINode of another', path: '/apis/storage.k8s.io/v1/csinodes', headers: node(n1), body: { metadata: { name: n2 }, spec: { drivers: [] } } },
  ]
}
