import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

/** An object another one needs, by plural and name; `namespace` is '' for cluster-scoped ones. */
export interface Reference {
  group: string
  resource: string
  namespace: string
  name: string
  /** Why: `volume`, `environment`, `service account` … */
  why: string
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const list = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isObject) : [])
const map = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {})

/** What an object refers to by name and does not work without: its namespace, and for pods and what makes them what they mount, read and run as. */
export function referencesOf(object: KubeObject): Reference[] {
  const namespace = object.metadata.namespace ?? ''
  const found = new Map<string, Reference>()
  const add = (resource: string, name: string, why: string, place: { group?: string; namespace?: string } = {}): void => {
    if (name === '') return
    const reference = { group: place.group ?? '', resource, namespace: place.namespace ?? namespace, name, why }
    found.set(`${reference.group}/${resource}/${reference.namespace}/${name}`, reference)
  }
  if (namespace !== '') add('namespaces', namespace, 'namespace', { namespace: '' })
  const podSpec = podSpecOf(object)
  if (podSpec !== null) fromPodSpec(podSpec, add)
  const spec = map(object['spec'])
  switch (object.kind) {
    case 'Ingress':
      for (const tls of list(spec['tls'])) add('secrets', text(tls['secretName']), 'TLS certificate')
      for (const rule of list(spec['rules']))
        for (const path of list(map(rule['http'])['paths'])) add('services', text(map(map(path['backend'])['service'])['name']), 'backend')
      break
    case 'RoleBinding':
    case 'ClusterRoleBinding': {
      const role = map(object['roleRef'])
      add(role['kind'] === 'Role' ? 'roles' : 'clusterroles', text(role['name']), 'role', {
        group: 'rbac.authorization.k8s.io',
        namespace: role['kind'] === 'Role' ? namespace : '',
      })
      for (const subject of list(object['subjects']))
        if (subject['kind'] === 'ServiceAccount')
          add('serviceaccounts', text(subject['name']), 'subject', { namespace: text(subject['namespace']) || namespace })
      break
    }
    case 'PersistentVolumeClaim':
      add('storageclasses', text(spec['storageClassName']), 'storage class', { group: 'storage.k8s.io', namespace: '' })
      break
    case 'HorizontalPodAutoscaler': {
      const target = map(spec['scaleTargetRef'])
      const resource = { Deployment: 'deployments', StatefulSet: 'statefulsets', ReplicaSet: 'replicasets' }[text(target['kind'])]
      if (resource !== undefined) add(resource, text(target['name']), 'scale target', { group: 'apps' })
      break
    }
    case 'StatefulSet':
      add('services', text(spec['serviceName']), 'governing service')
      break
    default:
  }
  return [...found.values()]
}

/** The pod spec of a pod or of what makes pods; null for other kinds. */
export function podSpecOf(object: KubeObject): Record<string, unknown> | null {
  const spec = map(object['spec'])
  if (object.kind === 'Pod') return spec
  const template = object.kind === 'CronJob' ? map(map(map(spec['jobTemplate'])['spec'])['template']) : map(spec['template'])
  return isObject(template['spec']) && Array.isArray(template['spec']['containers']) ? template['spec'] : null
}

function fromPodSpec(
  spec: Record<string, unknown>,
  add: (resource: string, name: string, why: string, place?: { group?: string; namespace?: string }) => void,
): void {
  add('serviceaccounts', text(spec['serviceAccountName']), 'service account')
  add('priorityclasses', text(spec['priorityClassName']), 'priority class', { group: 'scheduling.k8s.io', namespace: '' })
  for (const secret of list(spec['imagePullSecrets'])) add('secrets', text(secret['name']), 'image pull secret')
  for (const volume of list(spec['volumes'])) {
    add('configmaps', text(map(volume['configMap'])['name']), 'volume')
    add('secrets', text(map(volume['secret'])['secretName']), 'volume')
    add('persistentvolumeclaims', text(map(volume['persistentVolumeClaim'])['claimName']), 'volume')
    for (const source of list(map(volume['projected'])['sources'])) {
      add('configmaps', text(map(source['configMap'])['name']), 'volume')
      add('secrets', text(map(source['secret'])['name']), 'volume')
    }
  }
  for (const container of [...list(spec['initContainers']), ...list(spec['containers'])]) {
    for (const from of list(container['envFrom'])) {
      add('configmaps', text(map(from['configMapRef'])['name']), 'environment')
      add('secrets', text(map(from['secretRef'])['name']), 'environment')
    }
    for (const variable of list(container['env'])) {
      const from = map(variable['valueFrom'])
      add('configmaps', text(map(from['configMapKeyRef'])['name']), 'environment')
      add('secrets', text(map(from['secretKeyRef'])['name']), 'environment')
    }
  }
}
