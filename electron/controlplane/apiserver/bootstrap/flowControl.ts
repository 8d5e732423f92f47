import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

// Source of the tables: what kube-apiserver 1.20 makes, and the names and shares its later releases document
// (staging/src/k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap/default.go).

const GROUP = 'flowcontrol.apiserver.k8s.io'

/** Releases since which the levels lend, nodes have a level of their own, and probes are exempt. */
const NODE_LEVEL_SINCE = 24
const LENDING_SINCE = 26
const AUTOUPDATE_SINCE = 22

interface Level {
  name: string
  shares: number
  /** Percent that other levels may borrow. */
  lendable: number
  /** Null answers 429 at once; others wait in queues. */
  queues: number | null
  handSize?: number
  since?: number
}

const LEVELS: readonly Level[] = [
  { name: 'catch-all', shares: 5, lendable: 0, queues: null },
  { name: 'global-default', shares: 20, lendable: 50, queues: 128 },
  { name: 'leader-election', shares: 10, lendable: 0, queues: 16, handSize: 4 },
  { name: 'node-high', shares: 40, lendable: 25, queues: 64, since: NODE_LEVEL_SINCE },
  { name: 'system', shares: 30, lendable: 33, queues: 64 },
  { name: 'workload-high', shares: 40, lendable: 50, queues: 128 },
  { name: 'workload-low', shares: 100, lendable: 90, queues: 128 },
]

const group = (name: string): JsonObject => ({ kind: 'Group', group: { name } })
const user = (name: string): JsonObject => ({ kind: 'User', user: { name } })
const systemAccounts: JsonObject = { kind: 'ServiceAccount', serviceAccount: { namespace: 'kube-system', name: '*' } }
const EVERYBODY = [group('system:unauthenticated'), group('system:authenticated')]
const EVERYTHING: JsonObject = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
}
const LOCK_VERBS = ['get', 'create', 'update']
const locks = (namespaces: string[]): JsonObject => ({
  resourceRules: [
    { verbs: LOCK_VERBS, apiGroups: [''], resources: ['endpoints', 'configmaps'], namespaces },
    { verbs: LOCK_VERBS, apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] },
  ],
})
const NODE_HEARTBEATS: JsonObject = {
  resourceRules: [
    { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true, namespaces: ['*'] },
    { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], clusterScope: false, namespaces: ['*'] },
  ],
}
const PROBES: JsonObject = { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] }

interface Schema {
  name: string
  precedence: number
  level: string
  by?: 'ByUser' | 'ByNamespace'
  subjects: JsonObject[]
  what: JsonObject
  since?: number
}

const SCHEMAS: readonly Schema[] = [
  { name: 'exempt', precedence: 1, level: 'exempt', subjects: [group('system:masters')], what: EVERYTHING },
  { name: 'probes', precedence: 2, level: 'exempt', subjects: EVERYBODY, what: PROBES, since: 22 },
  {
    name: 'system-leader-election',
    precedence: 100,
    level: 'leader-election',
    by: 'ByUser',
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), systemAccounts],
    what: locks(['kube-system']),
  },
  { name: 'workload-leader-election', precedence: 200, level: 'leader-election', by: 'ByUser', subjects: [systemAccounts], what: locks(['*']) },
  {
    name: 'system-node-high',
    precedence: 400,
    level: 'node-high',
    by: 'ByUser',
    subjects: [group('system:nodes')],
    what: NODE_HEARTBEATS,
    since: NODE_LEVEL_SINCE,
  },
  { name: 'system-nodes', precedence: 500, level: 'system', by: 'ByUser', subjects: [group('system:nodes')], what: EVERYTHING },
  {
    name: 'kube-controller-manager',
    precedence: 800,
    level: 'workload-high',
    by: 'ByNamespace',
    subjects: [user('system:kube-controller-manager')],
    what: EVERYTHING,
  },
  { name: 'kube-scheduler', precedence: 800, level: 'workload-high', by: 'ByNamespace', subjects: [user('system:kube-scheduler')], what: EVERYTHING },
  { name: 'kube-system-service-accounts', precedence: 900, level: 'workload-high', by: 'ByNamespace', subjects: [systemAccounts], what: EVERYTHING },
  { name: 'service-accounts', precedence: 9000, level: 'workload-low', by: 'ByUser', subjects: [group('system:serviceaccounts')], what: EVERYTHING },
  { name: 'global-default', precedence: 9900, level: 'global-default', by: 'ByUser', subjects: EVERYBODY, what: EVERYTHING },
  { name: 'catch-all', precedence: 10_000, level: 'catch-all', by: 'ByUser', subjects: EVERYBODY, what: EVERYTHING },
]

/** Which version a release stores, and what it calls a level's share. */
function versionOf(minor: number): string {
  if (minor >= 29) return 'v1'
  if (minor >= 26) return 'v1beta3'
  return minor >= 23 ? 'v1beta2' : 'v1beta1'
}

function levelSpec({ shares, lendable, queues, handSize = 6 }: Level, minor: number): JsonObject {
  const share = minor >= 26 ? 'nominalConcurrencyShares' : 'assuredConcurrencyShares'
  const limitResponse = queues === null ? { type: 'Reject' } : { type: 'Queue', queuing: { queues, handSize, queueLengthLimit: 50 } }
  return { type: 'Limited', limited: { [share]: shares, limitResponse, ...(minor >= LENDING_SINCE ? { lendablePercent: lendable } : {}) } }
}

/** The priority levels and flow schemas every cluster has: the mandatory ones (exempt, catch-all) and those upstream suggests. */
export function flowControlObjects(minor: number): KubeObject[] {
  const apiVersion = `${GROUP}/${versionOf(minor)}`
  const metadata = (name: string): KubeObject['metadata'] => ({
    name,
    ...(minor >= AUTOUPDATE_SINCE ? { annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' } } : {}),
  })
  const exempt = { type: 'Exempt', ...(minor >= LENDING_SINCE ? { exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } } : {}) }
  const here = ({ since = 0 }: { since?: number }): boolean => minor >= since
  return [
    { apiVersion, kind: 'PriorityLevelConfiguration', metadata: metadata('exempt'), spec: exempt },
    ...LEVELS.filter(here).map((level): KubeObject => ({
      apiVersion,
      kind: 'PriorityLevelConfiguration',
      metadata: metadata(level.name),
      spec: levelSpec(level, minor),
    })),
    ...SCHEMAS.filter(here).map(({ name, precedence, level, by, subjects, what }): KubeObject => ({
      apiVersion,
      kind: 'FlowSchema',
      metadata: metadata(name),
      spec: {
        matchingPrecedence: precedence,
        priorityLevelConfiguration: { name: level },
        ...(by === undefined ? {} : { distinguisherMethod: { type: by } }),
        rules: [{ subjects, ...what }],
      },
    })),
  ]
}
