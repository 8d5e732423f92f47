import type { KubeObject } from '#shared/kubernetes/object.ts'

/** Kinds in the order in which they are made, so that what refers comes after what it refers to. Others come before the last four. */
const ORDER = [
  'CustomResourceDefinition',
  'Namespace',
  'PriorityClass',
  'RuntimeClass',
  'StorageClass',
  'ResourceQuota',
  'LimitRange',
  'ServiceAccount',
  'Secret',
  'ConfigMap',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'ClusterRole',
  'Role',
  'ClusterRoleBinding',
  'RoleBinding',
  'NetworkPolicy',
  'Service',
  'PodDisruptionBudget',
  'DaemonSet',
  'Pod',
  'ReplicationController',
  'ReplicaSet',
  'Deployment',
  'StatefulSet',
  'Job',
  'CronJob',
  'HorizontalPodAutoscaler',
  'Ingress',
]
const LAST = ['APIService', 'ValidatingAdmissionPolicy', 'ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']

function rank(kind: string): number {
  const last = LAST.indexOf(kind)
  if (last >= 0) return 1000 + last
  const index = ORDER.indexOf(kind)
  return index < 0 ? 500 : index
}

/** Objects in the order to make them: by kind, then namespace and name. Webhooks come last, as they would judge the rest. */
export function inOrder<T extends KubeObject>(objects: readonly T[]): T[] {
  const key = ({ metadata }: T): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`
  return objects.toSorted((a, b) => rank(a.kind ?? '') - rank(b.kind ?? '') || (a.kind ?? '').localeCompare(b.kind ?? '') || key(a).localeCompare(key(b)))
}
