import { describe, expect, it } from 'vitest'
import { deprecationOf } from '#shared/kubernetes/schema/deprecations.ts'

describe('deprecationOf', () => {
  it.each([
    ['extensions', 'v1beta1', 'Ingress', 20, 'extensions/v1beta1 Ingress is deprecated in v1.14+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress'],
    ['policy', 'v1beta1', 'PodDisruptionBudget', 20, null],
    [
      'policy',
      'v1beta1',
      'PodDisruptionBudget',
      21,
      'policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+; use policy/v1 PodDisruptionBudget',
    ],
    ['', 'v1', 'ComponentStatus', 36, 'v1 ComponentStatus is deprecated in v1.19+'],
    ['', 'v1', 'Endpoints', 36, 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
    ['', 'v1', 'Pod', 36, null],
  ])('of %s/%s %s in 1.%i', (group, version, kind, minor, expected) => {
    expect(deprecationOf({ group, version, kind }, minor)).toBe(expected)
  })
})
