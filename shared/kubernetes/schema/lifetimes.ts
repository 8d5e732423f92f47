/** Minor releases `[first, last]` that serve something by default; last is null while current. */
export type Lifetime = readonly [first: number, last: number | null]

/** Never served by default: alpha, beta since 1.24 (KEP-3136), or gone before 1.20. */
export const OFF: Lifetime = [Number.POSITIVE_INFINITY, null]

const ALWAYS: Lifetime = [0, null]

/**
 * When a group version is served by default, and the resources that differ from their group version. Absent = never. From the
 * API's deprecation guide and the release notes; releases before 1.20 are not told apart.
 *
 * @see https://kubernetes.io/docs/reference/using-api/deprecation-guide/
 */
export const LIFETIMES: Readonly<Record<string, { all: Lifetime; resources?: Readonly<Record<string, Lifetime>> }>> = {
  '/v1': { all: ALWAYS },
  'admissionregistration.k8s.io/v1': {
    all: ALWAYS,
    resources: {
      validatingadmissionpolicies: [30, null], validatingadmissionpolicybindings: [30, null],
      mutatingadmissionpolicies: [36, null], mutatingadmissionpolicybindings: [36, null],
    },
  },
  'admissionregistration.k8s.io/v1beta1': { all: OFF, resources: { mutatingwebhookconfigurations: [0, 21], validatingwebhookconfigurations: [0, 21] } },
  'apiextensions.k8s.io/v1': { all: ALWAYS },
  'apiextensions.k8s.io/v1beta1': { all: [0, 21] },
  'apiregistration.k8s.io/v1': { all: ALWAYS },
  'apiregistration.k8s.io/v1beta1': { all: [0, 21] },
  'apps/v1': { all: ALWAYS },
  'authentication.k8s.io/v1': { all: ALWAYS, resources: { selfsubjectreviews: [28, null] } },
  'authentication.k8s.io/v1beta1': { all: [0, 21], resources: { selfsubjectreviews: OFF } },
  'authorization.k8s.io/v1': { all: ALWAYS },
  'authorization.k8s.io/v1beta1': { all: [0, 21] },
  'autoscaling/v1': { all: ALWAYS },
  'autoscaling/v2': { all: [23, null] },
  'autoscaling/v2beta1': { all: [0, 24] },
  'autoscaling/v2beta2': { all: [0, 25] },
  'batch/v1': { all: ALWAYS, resources: { cronjobs: [21, null] } },
  'batch/v1beta1': { all: [0, 24] },
  'certificates.k8s.io/v1': { all: ALWAYS },
  'certificates.k8s.io/v1beta1': { all: OFF, resources: { certificatesigningrequests: [0, 21] } },
  'coordination.k8s.io/v1': { all: ALWAYS },
  'coordination.k8s.io/v1beta1': { all: OFF, resources: { leases: [0, 21] } },
  'discovery.k8s.io/v1': { all: [21, null] },
  'discovery.k8s.io/v1beta1': { all: [0, 24] },
  'events.k8s.io/v1': { all: ALWAYS },
  'events.k8s.io/v1beta1': { all: [0, 24] },
  'extensions/v1beta1': { all: OFF, resources: { ingresses: [0, 21] } },
  'flowcontrol.apiserver.k8s.io/v1': { all: [29, null] },
  'flowcontrol.apiserver.k8s.io/v1beta1': { all: [20, 25] },
  'flowcontrol.apiserver.k8s.io/v1beta2': { all: [23, 28] },
  'flowcontrol.apiserver.k8s.io/v1beta3': { all: [26, 31] },
  'metrics.k8s.io/v1beta1': { all: ALWAYS },
  'networking.k8s.io/v1': { all: ALWAYS, resources: { ipaddresses: [33, null], servicecidrs: [33, null] } },
  'networking.k8s.io/v1beta1': { all: OFF, resources: { ingresses: [0, 21], ingressclasses: [0, 21] } },
  'node.k8s.io/v1': { all: ALWAYS },
  'node.k8s.io/v1beta1': { all: [0, 24] },
  'policy/v1': { all: [21, null] },
  // Pod security policies are known for what stored objects hold, and not served: nothing here enforces them.
  'policy/v1beta1': { all: [0, 24], resources: { podsecuritypolicies: OFF } },
  'rbac.authorization.k8s.io/v1': { all: ALWAYS },
  'rbac.authorization.k8s.io/v1beta1': { all: [0, 21] },
  'resource.k8s.io/v1': { all: [34, null] },
  'scheduling.k8s.io/v1': { all: ALWAYS },
  'scheduling.k8s.io/v1beta1': { all: [0, 21] },
  'storage.k8s.io/v1': { all: ALWAYS, resources: { csistoragecapacities: [24, null], volumeattributesclasses: [34, null] } },
  'storage.k8s.io/v1beta1': { all: [0, 21], resources: { csistoragecapacities: [21, 26], volumeattributesclasses: OFF } },
}

/** Subresources that came later than their resource: minor release that serves them first. */
export const SUBRESOURCE_SINCE: Readonly<Record<string, number>> = { 'pods/ephemeralcontainers': 23, 'pods/resize': 33 }

/** Verbs that came later than their resource: minor release that serves them first. */
export const VERB_SINCE: Readonly<Record<string, number>> = { 'services/deletecollection': 23 }
