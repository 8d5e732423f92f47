import type { KubeObject } from '#shared/kubernetes/object.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import { rulesIn, type PolicyRule } from '#shared/planning/rbac/evaluate.ts'
import { POLICY_CHANGES, type CompactRule, type PolicyChange } from './rbacChanges.ts'
import policy from './rbacPolicy.json' with { type: 'json' }

// Source of the table: what kube-apiserver 1.20 bootstraps (plugin/pkg/auth/authorizer/rbac/bootstrappolicy); rbacChanges.ts has what came after.

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

const WRITES = new Set(['create', 'delete', 'deletecollection', 'patch', 'update'])

/** A role without the right to write some resources. */
function withoutWrites(rules: readonly CompactRule[], resources: readonly string[]): CompactRule[] {
  return rules.map((each) =>
    each.v?.some((verb) => WRITES.has(verb)) === true ? { ...each, r: (each.r ?? []).filter((name) => !resources.includes(name)) } : each,
  )
}

function changed(table: CompactPolicy, { role: name, controller, add = [], withoutWrites: lost = [] }: PolicyChange): CompactPolicy {
  const known = table.clusterRoles[name]
  const rules = [...withoutWrites(known?.rules ?? [], lost), ...add]
  const clusterRoles = { ...table.clusterRoles, [name]: { ...known, rules } }
  if (controller === undefined) return { ...table, clusterRoles }
  const subjects = [['ServiceAccount', controller, 'kube-system']]
  return { ...table, clusterRoles, clusterRoleBindings: { ...table.clusterRoleBindings, [name]: { role: `ClusterRole/${name}`, subjects } } }
}

function policyOf(minor: number): CompactPolicy {
  return POLICY_CHANGES.filter(({ since }) => minor >= since).reduce(changed, policy as unknown as CompactPolicy)
}

/** The default roles and bindings of a release, roles first. */
export function rbacObjects(minor: number): KubeObject[] {
  const table = policyOf(minor)
  return [
    ...Object.entries(table.clusterRoles).map(([key, each]) => role('ClusterRole', key, each)),
    ...Object.entries(table.roles).map(([key, each]) => role('Role', key, each)),
    ...Object.entries(table.clusterRoleBindings).map(([key, each]) => binding('ClusterRoleBinding', key, each)),
    ...Object.entries(table.roleBindings).map(([key, each]) => binding('RoleBinding', key, each)),
  ]
}

/** What every kubelet may; the Node authorizer narrows it. Upstream keeps it as the role `system:node`, which nobody is bound to. */
export function nodeRules(kubernetesVersion: string): PolicyRule[] {
  const found = policyOf(minorOf(kubernetesVersion)).clusterRoles['system:node']
  return found === undefined ? [] : rulesIn(role('ClusterRole', 'system:node', found))
}
