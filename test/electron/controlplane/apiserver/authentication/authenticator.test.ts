import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock, type Clock } from '#shared/base/clock.ts'
import type { ApiAnswer, ApiCall } from '#test/support/apiConnection.ts'
import { newAuthority, rsaKeys, startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

const WHO = { path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' } }
const TOKENS = 'secret-1,anna,u-1,"ops,dev"\r\n\nsecret-2,bert,u-2\n"quo""ted",carl,u-3,""\n'

/** A clock that tests put forward; timers run on the real one. */
class ShiftedClock extends SystemClock implements Clock {
  shiftMs = 0

  override now(): number {
    return super.now() + this.shiftMs
  }
}

describe('authentication', { timeout: 30_000 }, () => {
  const frontProxyCa = newAuthority('front-proxy-ca', Date.now())
  const otherCa = newAuthority('somebody else', Date.now())
  const clock = new ShiftedClock()
  const [oldKeys, newKeys] = [rsaKeys(), rsaKeys()]
  let server: TestApiServer

  const call = (options: Partial<ApiCall>): Promise<ApiAnswer> => server.connection.call({ ...WHO, certificate: null, ...options })
  const bearer = (token: string): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${token}` } })
  /** user, then groups; or the code. */
  const who = async (options: Partial<ApiCall>): Promise<unknown> => {
    const { status, json } = await call(options)
    const info = (json?.['status'] as { userInfo?: { username: string; groups: string[] } } | undefined)?.userInfo
    return info === undefined ? status : [info.username, ...info.groups]
  }
  const create = (path: string, body: object): Promise<ApiAnswer> => server.connection.call({ path, body })
  const token = async (account: string, spec: object = {}): Promise<string> => {
    const answer = await create(`/api/v1/namespaces/default/serviceaccounts/${account}/token`, { spec })
    expect(answer.status, answer.text).toBe(201)
    return String((answer.json?.['status'] as { token: string }).token)
  }

  beforeAll(async () => {
    server = await startTestApiServer('authenticator', {
      clock,
      frontProxyCa,
      serviceAccountKeys: newKeys,
      authentication: {
        tokenFile: { path: 'tokens.csv', text: TOKENS },
        basicAuthFile: { path: 'passwords.csv', text: 'pass:word,dora,u-4,"ops"\n' },
        serviceAccountKeys: [
          { path: 'old.pub', text: oldKeys.publicKey },
          { path: 'new.pub', text: newKeys.publicKey },
        ],
      },
    })
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    await create(`${rbac}/clusterroles`, {
      metadata: { name: 'whoami' },
      rules: [{ apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'], verbs: ['create'] }],
    })
    await create(`${rbac}/clusterrolebindings`, {
      metadata: { name: 'whoami' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'whoami' },
      subjects: ['system:authenticated', 'system:unauthenticated'].map((name) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name })),
    })
    await create('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'robot' } })
  })
  afterAll(() => server.close())

  it('knows users by the token file, with the groups it names', async () => {
    expect(await who(bearer('secret-1'))).toEqual(['anna', 'ops', 'dev', 'system:authenticated'])
    expect(await who(bearer('secret-2'))).toEqual(['bert', 'system:authenticated'])
    expect(await who(bearer('quo"ted'))).toEqual(['carl', '', 'system:authenticated'])
  })

  it('answers 401 to a token nobody has, and takes a request without one for anonymous', async () => {
    const refused = await call(bearer('nobody'))
    expect([refused.status, refused.json]).toEqual([
      401,
      { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: 'Unauthorized', reason: 'Unauthorized', code: 401 },
    ])
    const anonymous = ['system:anonymous', 'system:unauthenticated']
    for (const headers of [{}, { authorization: 'Bearer ' }, { authorization: 'Digest x' }]) expect(await who({ headers })).toEqual(anonymous)
  })

  it('knows users by the legacy password file', async () => {
    const basic = (pair: string): { headers: Record<string, string> } => ({ headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } })
    expect(await who(basic('dora:pass:word'))).toEqual(['dora', 'ops', 'system:authenticated'])
    expect(await who(basic('dora:pass'))).toBe(401)
    expect(await who(basic('emil:pass:word'))).toBe(401)
  })

  it.each([
    ['a good one', {}, ['frieda', 'ops', 'system:authenticated']],
    ['an expired one', { notBeforeMs: Date.now() - 4000, notAfterMs: Date.now() - 2000 }, 401],
    ['one that is not valid yet', { notBeforeMs: Date.now() + 60_000 }, 401],
    ['one of another authority', { authority: otherCa }, 401],
    ['one for servers only', { usages: ['serverAuth' as const] }, 401],
    ['one of the front proxy authority', { authority: frontProxyCa }, 401],
  ])('judges client certificates: %s', async (_, options, expected) => {
    expect(await who({ certificate: server.issue('frieda', ['ops'], options) })).toEqual(expected)
  })

  it('lets a good token count beside a bad certificate, and a good certificate beside a bad token', async () => {
    const expired = server.issue('frieda', [], { notBeforeMs: Date.now() - 4000, notAfterMs: Date.now() - 2000 })
    expect(await who({ certificate: expired, ...bearer('secret-2') })).toEqual(['bert', 'system:authenticated'])
    expect(await who({ certificate: server.issue('frieda', []), ...bearer('nobody') })).toEqual(['frieda', 'system:authenticated'])
  })

  it('refuses a certificate that expires while its connection stays open', async () => {
    const certificate = server.issue('gustav', [])
    expect(await who({ certificate })).toEqual(['gustav', 'system:authenticated'])
    clock.shiftMs = 2 * 24 * 3600 * 1000
    expect(await who({ certificate })).toBe(401)
    clock.shiftMs = 0
  })

  it('believes the headers of the front proxy, and of nobody else', async () => {
    const headers = { 'X-Remote-User': 'hanna', 'X-Remote-Group': ['a,b', 'c'] }
    expect(await who({ certificate: server.issue('front-proxy-client', [], { authority: frontProxyCa }), headers })).toEqual([
      'hanna',
      'a,b',
      'c',
      'system:authenticated',
    ])
    expect(await who({ certificate: server.issue('another-client', [], { authority: frontProxyCa }), headers })).toBe(401)
    expect(await who({ certificate: server.issue('frieda', []), headers })).toEqual(['frieda', 'system:authenticated'])
  })

  it('signs service account tokens, and checks that what they are bound to still exists', async () => {
    const robot = ['system:serviceaccount:default:robot', 'system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated']
    await create('/api/v1/namespaces/default/secrets', { metadata: { name: 'anchor' } })
    const [free, bound] = [await token('robot'), await token('robot', { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'anchor' } })]
    expect(await who(bearer(free))).toEqual(robot)
    expect(await who(bearer(bound))).toEqual(robot)
    await server.connection.call({ method: 'DELETE', path: '/api/v1/namespaces/default/secrets/anchor' })
    expect(await who(bearer(bound))).toBe(401)
    await create('/api/v1/namespaces/default/secrets', { metadata: { name: 'anchor' } })
    expect(await who(bearer(bound)), 'a new object of the same name').toBe(401)
    clock.shiftMs = 3_650_000
    expect(await who(bearer(free)), 'within the leeway of a minute').toEqual(robot)
    clock.shiftMs = 3_670_000
    expect(await who(bearer(free))).toBe(401)
    clock.shiftMs = 0
    const other = await token('robot', { audiences: ['vault'] })
    expect(await who(bearer(other)), 'a token for somebody else').toBe(401)
    await server.connection.call({ method: 'DELETE', path: '/api/v1/namespaces/default/serviceaccounts/robot' })
    expect(await who(bearer(free))).toBe(401)
  })

  it('accepts tokens of a key that was replaced, and publishes every key', async () => {
    const before = await startTestApiServer('authenticator-before', { serviceAccountKeys: oldKeys })
    await before.connection.call({ path: '/api/v1/namespaces/default/serviceaccounts', body: { metadata: { name: 'old' } } })
    const issued = await before.connection.call({ path: '/api/v1/namespaces/default/serviceaccounts/old/token', body: { spec: {} } })
    const oldToken = String((issued.json?.['status'] as { token: string }).token)
    await before.close()
    const review = await server.connection.call({
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: oldToken } },
    })
    // The signature is good; the account is another cluster's.
    expect(review.json?.['status']).toEqual({ user: {}, error: 'serviceaccounts "old" not found' })
    const keys = (await server.connection.call({ path: '/openid/v1/jwks' })).json?.['keys'] as { kid: string; alg: string }[]
    expect(keys.map(({ alg }) => alg)).toEqual(['RS256', 'RS256'])
    const [head = ''] = oldToken.split('.')
    expect(keys[0]?.kid).toBe((JSON.parse(Buffer.from(head, 'base64url').toString('utf8')) as { kid: string }).kid)
  })

  it('lets bootstrap tokens in while they may', async () => {
    const bootstrap = (id: string, more: Record<string, string> = {}): Promise<ApiAnswer> =>
      create('/api/v1/namespaces/kube-system/secrets', {
        metadata: { name: `bootstrap-token-${id}` },
        type: 'bootstrap.kubernetes.io/token',
        stringData: { 'token-id': id, 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', ...more },
      })
    await bootstrap('aaaaaa', { 'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token' })
    await bootstrap('bbbbbb', { expiration: '2020-01-01T00:00:00Z' })
    await bootstrap('cccccc', { 'usage-bootstrap-authentication': 'false' })
    await bootstrap('dddddd', { 'auth-extra-groups': 'system:masters' })
    expect(await who(bearer('aaaaaa.0123456789abcdef'))).toEqual([
      'system:bootstrap:aaaaaa',
      'system:bootstrappers',
      'system:bootstrappers:kubeadm:default-node-token',
      'system:authenticated',
    ])
    for (const wrong of ['aaaaaa.0123456789abcdee', 'bbbbbb.0123456789abcdef', 'cccccc.0123456789abcdef', 'dddddd.0123456789abcdef', 'eeeeee.0123456789abcdef'])
      expect(await who(bearer(wrong)), wrong).toBe(401)
  })

  it('impersonates whom the asker may, and says whom it may not', async () => {
    const certificate = server.issue('kubernetes-admin', ['system:masters'])
    expect(await who({ certificate, headers: { 'impersonate-user': 'ines', 'impersonate-group': ['a,b', 'c'] } })).toEqual([
      'ines',
      'a,b',
      'c',
      'system:authenticated',
    ])
    expect(await who({ certificate, headers: { 'impersonate-user': 'system:serviceaccount:x:y' } })).toEqual([
      'system:serviceaccount:x:y',
      'system:serviceaccounts',
      'system:serviceaccounts:x',
      'system:authenticated',
    ])
    const review = await call({
      certificate,
      headers: { 'impersonate-user': 'ines', 'impersonate-uid': '7', 'impersonate-extra-acme.com%2fproject': ['p', 'q'] },
    })
    expect(review.json?.['status']).toEqual({
      userInfo: { username: 'ines', uid: '7', groups: ['system:authenticated'], extra: { 'acme.com/project': ['p', 'q'] } },
    })
    const refused = await call({ certificate: server.issue('frieda', []), headers: { 'impersonate-user': 'ines' } })
    expect(refused.json?.['message']).toBe('users "ines" is forbidden: User "frieda" cannot impersonate resource "users" in API group "" at the cluster scope')
    const nobody = await call({ certificate, headers: { 'impersonate-group': 'c' } })
    expect([nobody.status, nobody.text]).toEqual([500, `Internal Server Error: "${WHO.path}": requested [{Group  c    }] without impersonating a user\n`])
  })

  it('turns anonymous requests away when they are off', async () => {
    const strict = await startTestApiServer('authenticator-strict', { authentication: { anonymous: false, bootstrapTokens: false } })
    expect((await strict.connection.call({ path: '/healthz', certificate: null })).status).toBe(401)
    expect((await strict.connection.call({ path: '/healthz' })).text).toBe('ok')
    await strict.close()
  })
})
