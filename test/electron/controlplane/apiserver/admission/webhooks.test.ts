import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ApiAnswer } from '#test/support/apiConnection.ts'
import { newAuthority, startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

interface Review {
  apiVersion: string
  kind: string
  request: {
    uid: string
    name: string
    operation: string
    kind: { version: string; kind: string }
    requestKind: { version: string }
    object: { metadata: { labels?: Record<string, string> } } | null
    dryRun: boolean
  }
}

describe('admission webhooks', { timeout: 30_000 }, () => {
  const ca = newAuthority('webhooks', Date.now())
  let server: TestApiServer
  let hooks: Server
  let url = ''
  const seen: { path: string; review: Review }[] = []
  /** What each path answers; an exception ends the connection. */
  const answers = new Map<string, (review: Review) => object>()

  const call = (path: string, body?: object, more: { method?: string; headers?: Record<string, string> } = {}): Promise<ApiAnswer> =>
    server.connection.call({ path, body, ...more })
  const configure = async (kind: 'Mutating' | 'Validating', name: string, hook: object): Promise<void> => {
    const answer = await call(`/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}webhookconfigurations`, {
      metadata: { name },
      webhooks: [
        {
          name: `${name}.example.com`,
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'], scope: '*' }],
          clientConfig: { url: `${url}/${name}`, caBundle: Buffer.from(ca.certificate).toString('base64') },
          objectSelector: { matchLabels: { hook: name } },
          ...hook,
        },
      ],
    })
    expect(answer.status, answer.text).toBe(201)
  }
  const map = (name: string, hook: string, query = ''): Promise<ApiAnswer> =>
    call(`/api/v1/namespaces/default/configmaps${query}`, { metadata: { name, labels: { hook } } })
  const allowed = ({ request }: Review, more: object = {}): object => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: request.uid, allowed: true, ...more },
  })
  const patch = (operations: object[]): object => ({ patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') })

  beforeAll(async () => {
    server = await startTestApiServer('webhooks')
    const serving = server.issue('hooks', [], { authority: ca, usages: ['serverAuth'], ipAddresses: ['127.0.0.1'], dnsNames: ['hooks.default.svc'] })
    hooks = createServer({ cert: serving.certificate, key: serving.key }, (request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const review = JSON.parse(Buffer.concat(parts).toString('utf8')) as Review
        const path = new URL(request.url ?? '/', 'https://x').pathname
        seen.push({ path, review })
        const answer = answers.get(path)
        if (answer === undefined) request.socket.destroy()
        else response.setHeader('content-type', 'application/json').end(JSON.stringify(answer(review)))
      })
    })
    await new Promise<void>((resolve) => hooks.listen(0, '127.0.0.1', resolve))
    url = `https://127.0.0.1:${String((hooks.address() as AddressInfo).port)}`
  })
  afterAll(async () => {
    await server.close()
    hooks.closeAllConnections()
    hooks.close()
  })

  it('changes objects by the patches it is sent, warns, and notes it for the audit log', async () => {
    answers.set('/label', (review) =>
      allowed(review, { warnings: ['mind the label'], ...patch([{ op: 'add', path: '/metadata/labels/added', value: 'yes' }]) }),
    )
    await configure('Mutating', 'label', {})
    const made = await map('patched', 'label')
    expect(made.json?.['metadata']).toMatchObject({ labels: { hook: 'label', added: 'yes' } })
    expect(made.headers['warning']).toBe('299 - "mind the label"')
    expect(seen.at(-1)?.review).toMatchObject({
      apiVersion: 'admission.k8s.io/v1',
      request: {
        name: 'patched',
        operation: 'CREATE',
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        namespace: 'default',
        dryRun: false,
        oldObject: null,
        userInfo: { username: 'kubernetes-admin' },
      },
    })
    const before = seen.length
    expect((await map('other', 'nobody')).status).toBe(201)
    expect(seen).toHaveLength(before)
  })

  it('asks a hook once more when a later one changed the object, if it wants to be', async () => {
    answers.set('/first', (review) => allowed(review))
    answers.set('/second', (review) => allowed(review, patch([{ op: 'add', path: '/data', value: { a: 'b' } }])))
    await configure('Mutating', 'm1', {
      reinvocationPolicy: 'IfNeeded',
      clientConfig: { url: `${url}/first`, caBundle: Buffer.from(ca.certificate).toString('base64') },
      objectSelector: { matchLabels: { hook: 'twice' } },
    })
    await configure('Mutating', 'm2', {
      clientConfig: { url: `${url}/second`, caBundle: Buffer.from(ca.certificate).toString('base64') },
      objectSelector: { matchLabels: { hook: 'twice' } },
    })
    const before = seen.length
    expect((await map('twice', 'twice')).status).toBe(201)
    expect(seen.slice(before).map(({ path }) => path)).toEqual(['/first', '/second', '/first'])
  })

  it('refuses with the words, code and reason of a validating hook', async () => {
    answers.set('/deny', (review) => ({
      ...allowed(review),
      response: { uid: review.request.uid, allowed: false, status: { code: 418, reason: 'Teapot', message: 'no coffee' } },
    }))
    await configure('Validating', 'deny', {})
    const refused = await map('denied', 'deny')
    expect([refused.status, refused.json?.['message'], refused.json?.['reason']]).toEqual([
      418,
      'admission webhook "deny.example.com" denied the request: no coffee',
      'Teapot',
    ])
    expect((await call('/api/v1/namespaces/default/configmaps/denied')).status).toBe(404)
  })

  it('does with a hook that cannot be reached what its failurePolicy says', async () => {
    await configure('Validating', 'gone', { failurePolicy: 'Fail' })
    await configure('Validating', 'ignored', { failurePolicy: 'Ignore' })
    const refused = await map('a', 'gone')
    expect([refused.status, refused.json?.['message']]).toEqual([
      500,
      expect.stringMatching(
        /^Internal error occurred: failed calling webhook "gone\.example\.com": failed to call webhook: Post "https:\/\/127\.0\.0\.1:\d+\/gone\?timeout=10s": /,
      ),
    ])
    expect((await map('b', 'ignored')).status).toBe(201)
    await configure('Validating', 'untrusted', {
      clientConfig: { url: `${url}/deny`, caBundle: Buffer.from(newAuthority('another', Date.now()).certificate).toString('base64') },
    })
    expect((await map('c', 'untrusted')).status).toBe(500)
    answers.set('/wrong', () => ({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: 'other', allowed: true } }))
    await configure('Validating', 'wrong', {})
    expect((await map('d', 'wrong')).json?.['message']).toMatch(
      /failed calling webhook "wrong\.example\.com": expected response\.uid="[0-9a-f-]+", got "other"$/,
    )
  })

  it('reaches a service by its endpoints, under the name of the service', async () => {
    answers.set('/by-service', (review) => allowed(review))
    const service = (name: string): object => ({
      clientConfig: { service: { namespace: 'default', name, path: '/by-service' }, caBundle: Buffer.from(ca.certificate).toString('base64') },
    })
    await call('/api/v1/namespaces/default/services', { metadata: { name: 'hooks' }, spec: { ports: [{ port: 443, targetPort: 1 }] } })
    // No API server takes endpoints on loopback, and the test's hook has no other address.
    const endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'hooks', namespace: 'default' },
      subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ port: Number(new URL(url).port) }] }],
    }
    const key = Buffer.from('/registry/services/endpoints/default/hooks')
    await server.etcd.put({ key, value: Buffer.from(JSON.stringify(endpoints)) }, { signal: AbortSignal.timeout(5000) })
    await configure('Validating', 'service', service('hooks'))
    const made = await map('s', 'service')
    expect(made.status, made.text).toBe(201)
    expect(seen.at(-1)?.path).toBe('/by-service')
    await configure('Validating', 'nowhere', service('nowhere'))
    expect((await map('t', 'nowhere')).json?.['message']).toMatch(/service "nowhere" not found$/)
  })

  it('asks in the version a hook knows, and only for what its conditions mean', async () => {
    answers.set('/scale', (review) => allowed(review))
    await configure('Validating', 'hpa', {
      objectSelector: {},
      clientConfig: { url: `${url}/scale`, caBundle: Buffer.from(ca.certificate).toString('base64') },
      rules: [{ apiGroups: ['autoscaling'], apiVersions: ['v2'], operations: ['CREATE'], resources: ['horizontalpodautoscalers'] }],
      matchConditions: [{ name: 'large', expression: 'object.spec.maxReplicas > 5' }],
    })
    const hpa = (name: string, maxReplicas: number): Promise<ApiAnswer> =>
      call('/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers', {
        metadata: { name },
        spec: { maxReplicas, targetCPUUtilizationPercentage: 50, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' } },
      })
    const before = seen.length
    expect((await hpa('small', 3)).status).toBe(201)
    expect(seen).toHaveLength(before)
    expect((await hpa('large', 9)).status).toBe(201)
    expect(seen.at(-1)?.review.request).toMatchObject({
      kind: { version: 'v2' },
      requestKind: { version: 'v1' },
      object: { spec: { metrics: [{ type: 'Resource' }] } },
    })
  })

  it('tells a hook of a dry run', async () => {
    answers.set('/effects', (review) => allowed(review))
    await configure('Validating', 'effects', { sideEffects: 'NoneOnDryRun' })
    expect((await map('dry', 'effects', '?dryRun=All')).status).toBe(201)
    expect(seen.at(-1)?.review.request).toMatchObject({ dryRun: true, options: { kind: 'CreateOptions', dryRun: ['All'] } })
  })

  it('holds objects to policies in CEL, with parameters and messages', async () => {
    const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies'
    const bindings = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings'
    await call('/api/v1/namespaces/default/configmaps', { metadata: { name: 'limits' }, data: { max: '3' } })
    const policy = await call(policies, {
      metadata: { name: 'few' },
      spec: {
        failurePolicy: 'Fail',
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: { resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] }] },
        variables: [{ name: 'max', expression: 'int(params.data.max)' }],
        validations: [
          { expression: 'object.spec.replicas <= variables.max', messageExpression: "'at most ' + string(variables.max) + ' replicas'" },
          { expression: "authorizer.group('apps').resource('deployments').check('delete').allowed()", reason: 'Forbidden' },
        ],
      },
    })
    expect(policy.status, policy.text).toBe(201)
    const binding = await call(bindings, {
      metadata: { name: 'everywhere' },
      spec: { policyName: 'few', validationActions: ['Deny'], paramRef: { namespace: 'default', name: 'limits', parameterNotFoundAction: 'Deny' } },
    })
    expect(binding.status, binding.text).toBe(201)
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
    const deployment = (name: string, replicas: number): Promise<ApiAnswer> =>
      call('/apis/apps/v1/namespaces/default/deployments', { metadata: { name }, spec: { replicas, selector: { matchLabels: { a: 'b' } }, template } })
    const refused = await deployment('many', 4)
    expect([refused.status, refused.json?.['reason'], refused.json?.['message']]).toEqual([
      422,
      'Invalid',
      `deployments.apps "many" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'everywhere' denied request: at most 3 replicas`,
    ])
    expect((await deployment('three', 3)).status).toBe(201)
    await call('/api/v1/namespaces/default/configmaps/limits', undefined, { method: 'DELETE' })
    expect((await deployment('one', 1)).json?.['message']).toContain('no params found for policy binding with `Deny` parameterNotFoundAction')
  })
})
