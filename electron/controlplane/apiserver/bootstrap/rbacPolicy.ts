import type { KubeObject } from '#shared/kubernetes/object.ts'
import policy from './rbacPolicy.json' with { type: 'json' }

// Source of the table: what kube-apiserver 1.20 bootstraps, with the scheduler's later right to see namespaces (pkg: plugin/pkg/auth/authorizer/rbac/bootstrappolicy).

interface CompactRule {
  g?: string[]
  r?: string[]
  v?: string[]
  n?: string[]
  u?: string[]
}
interface CompactRole {
  labels?: Record<string, string>
  aggregate?: Record<string, string>[]
  rules?: CompactRule[]
}
interface CompactBinding {
  labels?: Record<string, string>
  /** `ClusterRole/name` */
  role: string
  /** kind, name, namespace of service accounts */
  subjects: string[][]
}
interface CompactPolicy {
  clusterRoles: Record<string, CompactRole>
  roles: Record<string, CompactRole>
  clusterRoleBindings: Record<string, CompactBinding>
  roleBindings: Record<string, CompactBinding>
}

const GROUP = 'rbac.authorization.k8s.io'

function metadata(key: string, labels: Record<string, string> | undefined): KubeObject['metadata'] {
  const [first = '', second] = key.split('/')
  return {
    name: second ?? first,
    ...(second === undefined ? {} : { namespace: first }),
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
    labels: { ...labels, 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  }
}

function rule({ g, r, v, n, u }: CompactRule): object {
  return {
    ...(g === undefined ? {} : { apiGroups: g }),
    ...(r === undefined ? {} : { resources: r }),
    ...(n === undefined ? {} : { resourceNames: n }),
    ...(u === undefined ? {} : { nonResourceURLs: u }),
    verbs: v ?? [],
  }
}

function role(kind: string, key: string, compact: CompactRole): KubeObject {
  const aggregation =
    compact.aggregate === undefined ? {} : { aggregationRule: { clusterRoleSelectors: compact.aggregate.map((matchLabels) => ({ matchLabels })) } }
  return { apiVersion: `${GROUP}/v1`, kind, metadata: metadata(key, compact.labels), ...aggregation, rules: (compact.rules ?? []).map(rule) }
}

function binding(kind: string, key: string, compact: CompactBinding): KubeObject {
  const [refKind = '', name = ''] = compact.role.split('/')
  const subjects = compact.subjects.map(([subjectKind = '', subject = '', namespace]) => ({
    ...(subjectKind === 'ServiceAccount' ? {} : { apiGroup: GROUP }),
    kind: subjectKind,
    name: subject,
    ...(namespace === undefined ? {} : { namespace }),
  }))
  return { apiVersion: `${GROUP}/v1`, kind, metadata: metadata(key, compact.labels), roleRef: { apiGroup: GROUP, kind: refKind, name }, subjects }
}

/** The default roles and bindings, roles first. */
export function rbacObjects(): KubeObject[] {
  const table = policy as unknown as CompactPolicy
  return [
    ...Object.entries(table.clusterRoles).map(([key, each]) => role('ClusterRole', key, each)),
    ...Object.entries(table.roles).map(([key, each]) => role('Role', key, each)),
    ...Object.entries(table.clusterRoleBindings).map(([key, each]) => binding('ClusterRoleBinding', key, each)),
    ...Object.entries(table.roleBindings).map(([key, each]) => binding('RoleBinding', key, each)),
  ]
}
