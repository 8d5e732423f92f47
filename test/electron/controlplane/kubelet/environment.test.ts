import { describe, expect, it } from 'vitest'
import { ApiClient } from '#electron/controlplane/kubelet/apiClient.ts'
import { containerEnvironment } from '#electron/controlplane/kubelet/environment.ts'
import type { Container } from '#electron/controlplane/kubelet/types.ts'
import { failure } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'

/** Answers GETs from a table of paths. */
const objects: Record<string, object> = {
  '/api/v1/namespaces/shop/configmaps/settings': { metadata: { name: 'settings' }, data: { color: 'red', 'bad key': 'x' } },
  '/api/v1/namespaces/shop/secrets/keys': { metadata: { name: 'keys' }, data: { token: Buffer.from('s3cret').toString('base64') } },
}
const transport = {
  request: ({ path }: { path: string }) => {
    const found = objects[path]
    const body = found ?? failure(404, 'NotFound', `${path} not found`)
    return Promise.resolve({ status: found === undefined ? 404 : 200, headers: {}, body: Buffer.from(JSON.stringify(body)) })
  },
} as unknown as Transport

const signal = new AbortController().signal
const environment = (container: Partial<Container>, links = true) =>
  containerEnvironment(
    { name: 'main', image: 'x', ...container },
    {
      api: new ApiClient(transport),
      facts: {
        pod: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop' }, spec: { containers: [], enableServiceLinks: links } },
        nodeName: 'node01',
        hostIP: '172.30.2.2',
        podIP: '10.244.1.7',
        nodeAllocatable: {},
      },
      services: [
        { name: 'kubernetes', namespace: 'default', clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] },
        { name: 'my-db', namespace: 'shop', clusterIP: '10.96.7.7', ports: [{ port: 53, protocol: 'UDP' }] },
        { name: 'headless', namespace: 'shop', clusterIP: 'None', ports: [{ port: 1 }] },
        { name: 'other', namespace: 'elsewhere', clusterIP: '10.96.7.8', ports: [{ port: 1 }] },
      ],
    },
    signal,
  )

describe('containerEnvironment', () => {
  it('takes envFrom first, lets env override it and refers to what came before', async () => {
    const { env, skipped } = await environment({
      envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'S_', secretRef: { name: 'keys' } }],
      env: [
        { name: 'mix', value: '$(color)-$(S_token)-$(MY_DB_SERVICE_HOST)-$(later)' },
        { name: 'color', value: 'blue' },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } },
        { name: 'later', value: 'x' },
      ],
    })
    expect([...env].slice(0, 2)).toEqual([
      ['color', 'blue'],
      ['S_token', 's3cret'],
    ])
    expect(env.get('mix')).toBe('red-s3cret-10.96.7.7-$(later)')
    expect([env.get('IP'), env.get('KEY')]).toEqual(['10.244.1.7', 's3cret'])
    expect(skipped).toEqual([
      'Keys [bad key] from the EnvFrom configMap shop/settings were skipped since they are considered invalid environment variable names.',
    ])
  })

  it("tells Services of the pod's namespace and the API server's, without links only the latter", async () => {
    const { env } = await environment({})
    expect(Object.fromEntries([...env].filter(([name]) => name.startsWith('MY_DB')))).toEqual({
      MY_DB_SERVICE_HOST: '10.96.7.7',
      MY_DB_SERVICE_PORT: '53',
      MY_DB_PORT: 'udp://10.96.7.7:53',
      MY_DB_PORT_53_UDP: 'udp://10.96.7.7:53',
      MY_DB_PORT_53_UDP_PROTO: 'udp',
      MY_DB_PORT_53_UDP_PORT: '53',
      MY_DB_PORT_53_UDP_ADDR: '10.96.7.7',
    })
    expect(env.get('KUBERNETES_SERVICE_PORT_HTTPS')).toBe('443')
    expect([...env.keys()].some((name) => /^(OTHER|HEADLESS)/.test(name))).toBe(false)
    const { env: unlinked } = await environment({}, false)
    expect([unlinked.has('MY_DB_SERVICE_HOST'), unlinked.has('KUBERNETES_SERVICE_HOST')]).toEqual([false, true])
  })

  it.each([
    ['a missing object', { configMapKeyRef: { name: 'none', key: 'a' } }, 'configmap "none" not found'],
    ['a missing key', { configMapKeyRef: { name: 'settings', key: 'a' } }, "couldn't find key a in ConfigMap shop/settings"],
    ['a missing secret key', { secretKeyRef: { name: 'keys', key: 'a' } }, "couldn't find key a in Secret shop/keys"],
  ])('fails for %s in the words of the kubelet', async (_, valueFrom, message) => {
    await expect(environment({ env: [{ name: 'A', valueFrom }] })).rejects.toThrow(message)
  })

  it('leaves out what is optional and not there', async () => {
    const { env } = await environment({
      envFrom: [{ secretRef: { name: 'none', optional: true } }],
      env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'none', optional: true } } }],
    })
    expect(env.has('A')).toBe(false)
  })
})
