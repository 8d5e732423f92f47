import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ApiAnswer } from '#test/support/apiConnection.ts'
import { startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

const NODE = { 'impersonate-user': 'system:node:one', 'impersonate-group': ['system:nodes'] }

describe('admission', { timeout: 30_000 }, () => {
  let server: TestApiServer
  const call = (path: string, body?: object, more: { method?: string; headers?: Record<string, string | string[]> } = {}): Promise<ApiAnswer> =>
    server.connection.call({ path, body, ...more })
  const create = async (path: string, body: object): Promise<ApiAnswer> => {
    const answer = await call(path, body)
    expect(answer.status, answer.text).toBe(201)
    return answer
  }
  /** A namespace with its service account, as the controller would make it. */
  const namespace = async (name: string, labels: Record<string, string> = {}): Promise<void> => {
    await create('/api/v1/namespaces', { metadata: { name, labels } })
    await create(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } })
  }
  const pod = (name: string, container: object = {}, spec: object = {}): object => ({
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'i', ...container }], ...spec },
  })
  const message = ({ status, json }: ApiAnswer): unknown => [status, json?.['message']]

  beforeAll(async () => {
    server = await startTestApiServer('admission')
  })
  afterAll(() => server.close())

  it('sets what a LimitRange defaults, says so, and holds containers and pods to its bounds', async () => {
    await namespace('limits')
    await create('/api/v1/namespaces/limits/limitranges', {
      metadata: { name: 'bounds' },
      spec: {
        limits: [
          { type: 'Container', max: { cpu: '2' }, default: { cpu: '1', memory: '1Gi' }, defaultRequest: { cpu: '500m' }, maxLimitRequestRatio: { cpu: '4' } },
          { type: 'Pod', max: { memory: '3Gi' } },
        ],
      },
    })
    const pods = '/api/v1/namespaces/limits/pods'
    const made = await create(pods, pod('plain'))
    expect(made.json?.['spec']).toMatchObject({ containers: [{ resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } } }] })
    expect(made.json?.['metadata']).toMatchObject({
      annotations: { 'kubernetes.io/limit-ranger': 'LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c' },
    })
    expect(message(await call(pods, pod('big', { resources: { limits: { cpu: '3' }, requests: { cpu: '500m' } } })))).toEqual([
      403,
      'pods "big" is forbidden: [maximum cpu usage per Container is 2, but limit is 3, cpu max limit to request ratio per Container is 4, but provided ratio is 6.000000]',
    ])
    expect(message(await call(pods, pod('fat', { resources: { limits: { memory: '4Gi' } } })))).toEqual([
      403,
      'pods "fat" is forbidden: maximum memory usage per Pod is 3Gi, but limit is 4294967296',
    ])
  })

  it('counts what quotas limit exactly, however many ask at once', async () => {
    await namespace('quota')
    const quotas = '/api/v1/namespaces/quota/resourcequotas'
    await create(quotas, { metadata: { name: 'few' }, spec: { hard: { pods: '10', 'requests.cpu': '1', configmaps: '2' } } })
    await create(quotas, { metadata: { name: 'none' }, spec: { hard: { pods: '0' }, scopes: ['BestEffort'] } })
    // The controller writes the first usage.
    for (const [name, hard, used] of [
      ['few', { pods: '10', 'requests.cpu': '1', configmaps: '2' }, { pods: '0', 'requests.cpu': '0', configmaps: '0' }],
      ['none', { pods: '0' }, { pods: '0' }],
    ] as const) {
      const live = (await call(`${quotas}/${name}`)).json
      const answer = await call(`${quotas}/${name}/status`, { ...live, status: { hard, used } }, { method: 'PUT' })
      expect(answer.status, answer.text).toBe(200)
    }
    const pods = '/api/v1/namespaces/quota/pods'
    const cpu = { resources: { requests: { cpu: '60m' } } }
    const answers = await Promise.all(Array.from({ length: 25 }, (_, index) => call(pods, pod(`p${String(index)}`, cpu))))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(15)
    expect((await call(`${quotas}/few`)).json?.['status']).toMatchObject({ used: { pods: '10', 'requests.cpu': '600m' } })
    expect(message(answers.find(({ status }) => status === 403) as ApiAnswer)).toEqual([
      403,
      expect.stringMatching(/^pods "p\d+" is forbidden: exceeded quota: few, requested: pods=1, used: pods=10, limited: pods=10$/),
    ])
    expect(message(await call(pods, pod('nameless')))).toEqual([403, 'pods "nameless" is forbidden: failed quota: few: must specify requests.cpu'])
    expect((await call(`${pods}?dryRun=All`, pod('dry', cpu))).status).toBe(403)
    const map = (name: string): Promise<ApiAnswer> => call('/api/v1/namespaces/quota/configmaps', { metadata: { name } })
    expect((await Promise.all(['a', 'b', 'c', 'd'].map(map))).map(({ status }) => status).sort()).toEqual([201, 201, 403, 403])
  })

  it('holds pods to the standard of their namespace, and warns for templates', async () => {
    await namespace('safe', { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'baseline' })
    const loose = pod('loose', { securityContext: { privileged: true } }, { hostNetwork: true, volumes: [{ name: 'v', hostPath: { path: '/' } }] })
    expect(message(await call('/api/v1/namespaces/safe/pods', loose))).toEqual([
      403,
      'pods "loose" is forbidden: violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true), privileged (container "c" must not set securityContext.privileged=true), allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), restricted volume types (volume "v" uses restricted volume type "hostPath"), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    ])
    const security = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }
    await create('/api/v1/namespaces/safe/pods', pod('tight', { securityContext: security }))
    const template = { metadata: { labels: { a: 'b' } }, spec: { hostPID: true, containers: [{ name: 'c', image: 'i' }] } }
    const deployment = await create('/apis/apps/v1/namespaces/safe/deployments', {
      metadata: { name: 'd' },
      spec: { selector: { matchLabels: { a: 'b' } }, template },
    })
    expect(deployment.headers['warning']).toBe('299 - "would violate PodSecurity \\"baseline:latest\\": host namespaces (hostPID=true)"')
    await namespace('later')
    for (const name of ['one', 'two']) await create('/api/v1/namespaces/later/pods', pod(name, { securityContext: { privileged: true } }))
    const patch = (labels: object): Promise<ApiAnswer> =>
      server.connection.call({
        method: 'PATCH',
        path: '/api/v1/namespaces/later',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: JSON.stringify({ metadata: { labels } }),
      })
    expect((await patch({ 'pod-security.kubernetes.io/enforce': 'baseline' })).headers['warning']).toBe(
      '299 - "existing pods in namespace \\"later\\" violate the new PodSecurity enforce level \\"baseline:latest\\"", 299 - "one (and 1 other pod): privileged"',
    )
    expect(message(await patch({ 'pod-security.kubernetes.io/enforce': 'strict' }))).toEqual([
      422,
      'Namespace "later" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
    ])
  })

  it('lets a node write itself, its mirror pods and its lease alone', async () => {
    const refused = async (path: string, body: object): Promise<unknown> => message(await call(path, body, { headers: NODE }))
    expect(await refused('/api/v1/nodes', { metadata: { name: 'three' } })).toEqual([
      403,
      'nodes "three" is forbidden: node "one" is not allowed to modify node "three"',
    ])
    const labelled = { metadata: { name: 'one', labels: { 'node-restriction.kubernetes.io/pci': 'yes', 'kubernetes.io/os': 'linux' } } }
    expect(await refused('/api/v1/nodes', labelled)).toEqual([
      403,
      'nodes "one" is forbidden: node "one" is not allowed to set the following labels: node-restriction.kubernetes.io/pci',
    ])
    await namespace('nodes')
    expect(await refused('/api/v1/namespaces/nodes/pods', pod('free', {}, { nodeName: 'one' }))).toEqual([
      403,
      'pods "free" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "one" can only create mirror pods',
    ])
    expect(await refused('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', { metadata: { name: 'two' }, spec: {} })).toEqual([
      403,
      'leases.coordination.k8s.io "two" is forbidden: can only access node lease with the same name as the requesting node',
    ])
  })

  it('gives claims the default class, and protects them', async () => {
    const mark = { 'storageclass.kubernetes.io/is-default-class': 'true' }
    await create('/apis/storage.k8s.io/v1/storageclasses', { metadata: { name: 'fast', annotations: mark }, provisioner: 'x/y' })
    await namespace('storage')
    const claim = await create('/api/v1/namespaces/storage/persistentvolumeclaims', {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    expect(claim.json).toMatchObject({ metadata: { finalizers: ['kubernetes.io/pvc-protection'] }, spec: { storageClassName: 'fast' } })
  })

  it('refuses plugins that it does not have', async () => {
    const start = (enable: string[], disable: string[] = []): Promise<TestApiServer> =>
      startTestApiServer('plugins', { settings: { admission: { enable, disable } } })
    await expect(start(['Nonsense'])).rejects.toThrow('--enable-admission-plugins: unknown plugin "Nonsense"')
    await expect(start(['AlwaysPullImages'])).rejects.toThrow('AlwaysPullImages is not built')
    await expect(start(['NodeRestriction'], ['NodeRestriction'])).rejects.toThrow('overlapped')
  })
})
