import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { shownForm, storedForm } from '#electron/controlplane/apiserver/storage/storedForm.ts'

const named = (apiVersion: string, kind: string, rest: object): KubeObject => ({ apiVersion, kind, metadata: { name: 'x' }, ...rest })

describe('storedForm', () => {
  it('gives each version of a definition what v1beta1 had once for all', () => {
    const schema = { openAPIV3Schema: { type: 'object' } }
    const read = storedForm(
      named('apiextensions.k8s.io/v1beta1', 'CustomResourceDefinition', {
        spec: {
          group: 'example.org',
          version: 'v1',
          versions: [
            { name: 'v1', served: true, storage: true },
            { name: 'v2', served: true, storage: false, subresources: { status: {} } },
          ],
          validation: schema,
          additionalPrinterColumns: [{ name: 'Size', type: 'integer', JSONPath: '.spec.size' }],
          preserveUnknownFields: false,
          conversion: { strategy: 'Webhook', webhookClientConfig: { url: 'https://127.0.0.1/' }, conversionReviewVersions: ['v1'] },
        },
      }),
    )
    const columns = [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }]
    expect(read).toEqual(
      named('apiextensions.k8s.io/v1', 'CustomResourceDefinition', {
        spec: {
          group: 'example.org',
          versions: [
            { name: 'v1', served: true, storage: true, schema, additionalPrinterColumns: columns },
            { name: 'v2', served: true, storage: false, schema, subresources: { status: {} }, additionalPrinterColumns: columns },
          ],
          conversion: { strategy: 'Webhook', webhook: { clientConfig: { url: 'https://127.0.0.1/' }, conversionReviewVersions: ['v1'] } },
        },
      }),
    )
  })

  it('keeps unknown fields where v1beta1 did not say that they go', () => {
    expect(storedForm(named('apiextensions.k8s.io/v1beta1', 'CustomResourceDefinition', { spec: { version: 'v1' } }))['spec']).toEqual({
      conversion: { strategy: 'None' },
      preserveUnknownFields: true,
      versions: [{ name: 'v1', served: true, storage: true }],
    })
  })

  it.each([
    ['a volume that has no phase', named('v1', 'PersistentVolume', {}), named('v1', 'PersistentVolume', { status: { phase: 'Pending' } })],
    [
      'a bound claim',
      named('v1', 'PersistentVolumeClaim', { status: { phase: 'Bound' } }),
      named('v1', 'PersistentVolumeClaim', { status: { phase: 'Bound' } }),
    ],
    [
      "a job's labels",
      named('batch/v1', 'Job', { spec: { template: { metadata: { labels: { a: 'b' } } } } }),
      { ...named('batch/v1', 'Job', { spec: { template: { metadata: { labels: { a: 'b' } } } } }), metadata: { name: 'x', labels: { a: 'b' } } },
    ],
  ])('sets by default what upstream sets on reading: %s', (_, stored, read) => {
    expect(storedForm(stored)).toEqual(read)
  })
})

describe('shownForm', () => {
  const set = (): KubeObject =>
    named('apps/v1', 'StatefulSet', { spec: { template: { metadata: { labels: {} } } }, status: { replicas: 0, availableReplicas: 0 } })
  it('writes the unset times and leaves out the fields that the release does', () => {
    expect(shownForm(set(), 20)).toEqual(
      named('apps/v1', 'StatefulSet', { spec: { template: { metadata: { labels: {}, creationTimestamp: null } } }, status: { replicas: 0 } }),
    )
  })
  it('changes nothing for the newest', () => {
    expect(shownForm(set(), 36)).toEqual(set())
  })
})
