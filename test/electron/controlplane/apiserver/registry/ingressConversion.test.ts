import { describe, expect, it } from 'vitest'
import { convertIngress } from '#electron/controlplane/apiserver/registry/ingressConversion.ts'

const metadata = { name: 'web', namespace: 'default' }
const beta = {
  apiVersion: 'networking.k8s.io/v1beta1',
  kind: 'Ingress',
  metadata,
  spec: {
    backend: { serviceName: 'fallback', servicePort: 80 },
    tls: [{ hosts: ['a.example'] }],
    rules: [
      {
        host: 'a.example',
        http: {
          paths: [
            { path: '/', pathType: 'Prefix', backend: { serviceName: 'web', servicePort: 'http' } },
            { path: '/files', pathType: 'Exact', backend: { resource: { apiGroup: 'x.example', kind: 'Bucket', name: 'files' } } },
          ],
        },
      },
      { host: 'b.example' },
    ],
  },
}
const stable = {
  ...beta,
  spec: {
    defaultBackend: { service: { name: 'fallback', port: { number: 80 } } },
    tls: [{ hosts: ['a.example'] }],
    rules: [
      {
        host: 'a.example',
        http: {
          paths: [
            { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { name: 'http' } } } },
            { path: '/files', pathType: 'Exact', backend: { resource: { apiGroup: 'x.example', kind: 'Bucket', name: 'files' } } },
          ],
        },
      },
      { host: 'b.example' },
    ],
  },
}

describe('convertIngress', () => {
  it('keeps backends on the way to v1 and back', () => {
    expect(convertIngress(beta, 'v1')).toEqual(stable)
    expect(convertIngress(stable, 'v1beta1')).toEqual(beta)
  })
})
