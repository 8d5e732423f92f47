/** Rules in the form of rbacPolicy.json. */
export interface CompactRule {
  g?: string[]
  r?: string[]
  v?: string[]
  n?: string[]
  u?: string[]
}

/** What a release changed in the default policy of 1.20. */
export interface PolicyChange {
  /** The minor release. */
  since: number
  role: string
  add?: CompactRule[]
  /** Resources of which a role lost its rules' writing verbs. */
  withoutWrites?: string[]
  /** A role that is new, bound to the controller's account of the same name. */
  controller?: string
}

const READ = ['get', 'list', 'watch']
const CONTROLLER_EVENTS: CompactRule = { g: ['', 'events.k8s.io'], r: ['events'], v: ['create', 'patch', 'update'] }

/**
 * Changes of kube-apiserver's default policy after 1.20 that clients notice. From the release notes and the bootstrap policy's
 * documentation; controllers that Drydock does not have (device taints, storage migration) have no role here.
 */
export const POLICY_CHANGES: readonly PolicyChange[] = [
  // With storage capacity tracking.
  { since: 21, role: 'system:kube-scheduler', add: [{ g: ['storage.k8s.io'], r: ['csidrivers', 'csistoragecapacities'], v: READ }] },
  // Affinity terms may select namespaces by label.
  { since: 22, role: 'system:kube-scheduler', add: [{ g: [''], r: ['namespaces'], v: READ }] },
  { since: 21, role: 'system:aggregate-to-view', add: [{ g: ['discovery.k8s.io'], r: ['endpointslices'], v: READ }] },
  // CVE-2021-25740: who may write endpoints can reach what network policies keep apart.
  { since: 22, role: 'system:aggregate-to-edit', withoutWrites: ['endpoints'] },
  { since: 21, role: 'system:node-proxier', add: [{ g: ['discovery.k8s.io'], r: ['endpointslices'], v: ['list', 'watch'] }] },
  {
    since: 21,
    role: 'system:controller:ttl-after-finished-controller',
    controller: 'ttl-after-finished-controller',
    add: [{ g: ['batch'], r: ['jobs'], v: ['delete', 'get', 'list', 'watch'] }, CONTROLLER_EVENTS],
  },
  {
    since: 21,
    role: 'system:controller:ephemeral-volume-controller',
    controller: 'ephemeral-volume-controller',
    add: [
      { g: [''], r: ['pods'], v: READ },
      { g: [''], r: ['pods/finalizers'], v: ['update'] },
      { g: [''], r: ['persistentvolumeclaims'], v: ['create', 'get', 'list', 'watch'] },
      CONTROLLER_EVENTS,
    ],
  },
  { since: 26, role: 'system:monitoring', add: [{ u: ['/metrics/slis'], v: ['get'] }] },
  // `kubectl auth whoami`.
  { since: 28, role: 'system:basic-user', add: [{ g: ['authentication.k8s.io'], r: ['selfsubjectreviews'], v: ['create'] }] },
  {
    since: 28,
    role: 'system:controller:legacy-service-account-token-cleaner',
    controller: 'legacy-service-account-token-cleaner',
    add: [
      { g: [''], r: ['configmaps'], v: ['get'], n: ['kube-apiserver-legacy-service-account-token-tracking'] },
      { g: [''], r: ['secrets'], v: ['delete', 'patch'] },
    ],
  },
  {
    since: 30,
    role: 'system:controller:validatingadmissionpolicy-status-controller',
    controller: 'validatingadmissionpolicy-status-controller',
    add: [
      { g: ['admissionregistration.k8s.io'], r: ['validatingadmissionpolicies'], v: READ },
      { g: ['admissionregistration.k8s.io'], r: ['validatingadmissionpolicies/status'], v: ['get', 'patch', 'update'] },
      CONTROLLER_EVENTS,
    ],
  },
]
