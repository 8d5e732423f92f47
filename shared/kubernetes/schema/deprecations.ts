/** From which minor release on a version is deprecated, which one serves it no more, and what stands in its place. */
interface Deprecation {
  since: number
  removed?: number
  use?: { groupVersion: string; kind?: string }
}

const beta = (since: number, removed: number, groupVersion: string): Deprecation => ({ since, removed, use: { groupVersion } })

/**
 * By group version, or group version and kind where only that is deprecated.
 *
 * @see https://kubernetes.io/docs/reference/using-api/deprecation-guide/
 */
const DEPRECATIONS: Readonly<Record<string, Deprecation>> = {
  'v1 ComponentStatus': { since: 19 },
  'v1 Endpoints': { since: 33, use: { groupVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' } },
  'admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration': beta(16, 22, 'admissionregistration.k8s.io/v1'),
  'admissionregistration.k8s.io/v1beta1 ValidatingWebhookConfiguration': beta(16, 22, 'admissionregistration.k8s.io/v1'),
  'apiextensions.k8s.io/v1beta1': beta(16, 22, 'apiextensions.k8s.io/v1'),
  'apiregistration.k8s.io/v1beta1': beta(19, 22, 'apiregistration.k8s.io/v1'),
  'authentication.k8s.io/v1beta1 TokenReview': beta(19, 22, 'authentication.k8s.io/v1'),
  'authorization.k8s.io/v1beta1': beta(19, 22, 'authorization.k8s.io/v1'),
  'autoscaling/v2beta1': beta(22, 25, 'autoscaling/v2'),
  'autoscaling/v2beta2': beta(23, 26, 'autoscaling/v2'),
  'batch/v1beta1': beta(21, 25, 'batch/v1'),
  'certificates.k8s.io/v1beta1 CertificateSigningRequest': beta(19, 22, 'certificates.k8s.io/v1'),
  'coordination.k8s.io/v1beta1 Lease': beta(19, 22, 'coordination.k8s.io/v1'),
  'discovery.k8s.io/v1beta1': beta(21, 25, 'discovery.k8s.io/v1'),
  'events.k8s.io/v1beta1': beta(22, 25, 'events.k8s.io/v1'),
  'extensions/v1beta1 Ingress': beta(14, 22, 'networking.k8s.io/v1'),
  'flowcontrol.apiserver.k8s.io/v1beta1': beta(23, 26, 'flowcontrol.apiserver.k8s.io/v1beta3'),
  'flowcontrol.apiserver.k8s.io/v1beta2': beta(26, 29, 'flowcontrol.apiserver.k8s.io/v1beta3'),
  'flowcontrol.apiserver.k8s.io/v1beta3': beta(29, 32, 'flowcontrol.apiserver.k8s.io/v1'),
  'networking.k8s.io/v1beta1 Ingress': beta(19, 22, 'networking.k8s.io/v1'),
  'networking.k8s.io/v1beta1 IngressClass': beta(19, 22, 'networking.k8s.io/v1'),
  'node.k8s.io/v1beta1': beta(22, 25, 'node.k8s.io/v1'),
  'policy/v1beta1': beta(21, 25, 'policy/v1'),
  'rbac.authorization.k8s.io/v1beta1': beta(17, 22, 'rbac.authorization.k8s.io/v1'),
  'scheduling.k8s.io/v1beta1': beta(14, 22, 'scheduling.k8s.io/v1'),
  'storage.k8s.io/v1beta1 CSIStorageCapacity': beta(24, 27, 'storage.k8s.io/v1'),
  'storage.k8s.io/v1beta1': beta(19, 22, 'storage.k8s.io/v1'),
}

/** What a server of the release warns of on every request for the kind; null when the version is not deprecated in it. */
export function deprecationOf({ group, version, kind }: { group: string; version: string; kind: string }, minor: number): string | null {
  const groupVersion = group === '' ? version : `${group}/${version}`
  const found = DEPRECATIONS[`${groupVersion} ${kind}`] ?? DEPRECATIONS[groupVersion]
  if (found === undefined || minor < found.since) return null
  const gone = found.removed === undefined ? '' : `, unavailable in v1.${String(found.removed)}+`
  const instead = found.use === undefined ? '' : `; use ${found.use.groupVersion} ${found.use.kind ?? kind}`
  return `${groupVersion} ${kind} is deprecated in v1.${String(found.since)}+${gone}${instead}`
}
