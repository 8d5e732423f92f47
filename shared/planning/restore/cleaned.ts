import { deepCopy, isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject, ObjectMeta } from '#shared/kubernetes/object.ts'

/** Annotations that say what the server, a controller or a node did with the former object. */
const FORMER_ANNOTATIONS = [
  'deployment.kubernetes.io/revision',
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'volume.kubernetes.io/selected-node',
  'volume.beta.kubernetes.io/storage-provisioner',
  'volume.kubernetes.io/storage-provisioner',
  'kubernetes.io/config.hash',
  'kubernetes.io/config.mirror',
  'kubernetes.io/config.seen',
  'kubernetes.io/config.source',
]
const JOB_LABELS = ['controller-uid', 'batch.kubernetes.io/controller-uid']

/** Why an object is not to be made again from a copy; null when it may be. */
export function reasonToLeaveOut(object: KubeObject): string | null {
  const { ownerReferences = [], annotations = {} } = object.metadata
  const owner = ownerReferences.find(({ controller }) => controller === true)
  if (owner !== undefined) return `${owner.kind} ${owner.name} makes it`
  if (object.kind === 'Event') return 'an event tells of the past'
  if (object.kind === 'Lease') return 'a lease is held by who runs'
  if (object.kind === 'Secret' && object['type'] === 'kubernetes.io/service-account-token') return 'the cluster signs its own tokens'
  if (object.kind === 'ConfigMap' && object.metadata.name === 'kube-root-ca.crt') return 'the cluster publishes its own CA'
  if (object.kind === 'Endpoints' || object.kind === 'EndpointSlice') return 'the cluster keeps it for its Service'
  if (object.kind === 'Node') return 'a node registers itself'
  if (annotations['kubernetes.io/config.mirror'] !== undefined) return "it is the mirror of a node's static pod"
  return null
}

/**
 * An object as it can be made again, in this or another cluster: without what a server gave the former one (uid, revision,
 * status, addresses, bindings to nodes and volumes).
 */
export function cleaned(object: KubeObject): KubeObject {
  const { name, generateName, namespace, labels, annotations, finalizers } = object.metadata
  const keptAnnotations = without(annotations, FORMER_ANNOTATIONS)
  const keptLabels = object.kind === 'Job' ? without(labels, JOB_LABELS) : labels
  const metadata: ObjectMeta = {
    ...(name === undefined ? {} : { name }),
    ...(name === undefined && generateName !== undefined ? { generateName } : {}),
    ...(namespace === undefined ? {} : { namespace }),
    ...(keptLabels === undefined ? {} : { labels: keptLabels }),
    ...(keptAnnotations === undefined ? {} : { annotations: keptAnnotations }),
    // Finalizers that the server itself adds come back with the object.
    ...(finalizers === undefined || object.kind === 'Namespace' ? {} : keptFinalizers(finalizers)),
  }
  const copy: KubeObject = { ...deepCopy(object), metadata }
  delete copy['status']
  const { spec } = copy as { spec?: unknown }
  if (isObject(spec)) cleanSpec(copy, spec)
  if (copy.kind === 'ServiceAccount') delete copy['secrets']
  return copy
}

function cleanSpec(object: KubeObject, spec: Record<string, unknown>): void {
  switch (object.kind) {
    case 'Namespace':
      delete spec['finalizers']
      break
    case 'Pod':
      delete spec['nodeName']
      removeTokenVolumes(spec)
      break
    case 'Service':
      // 'None' is what makes a service headless; an address is the cluster's to give.
      if (spec['clusterIP'] !== 'None') {
        delete spec['clusterIP']
        delete spec['clusterIPs']
      }
      delete spec['healthCheckNodePort']
      break
    case 'PersistentVolumeClaim':
      delete spec['volumeName']
      break
    case 'PersistentVolume':
      delete spec['claimRef']
      break
    case 'Job':
      // The selector holds the former Job's uid unless somebody chose it.
      if (spec['manualSelector'] !== true) {
        delete spec['selector']
        const template = spec['template']
        if (isObject(template) && isObject(template['metadata'])) {
          const { labels } = template['metadata'] as { labels?: Record<string, string> }
          template['metadata']['labels'] = without(labels, JOB_LABELS)
        }
      }
      break
    default:
  }
}

/** The volume and mounts that admission gave the pod for its account's token. */
function removeTokenVolumes(spec: Record<string, unknown>): void {
  const isToken = (volume: unknown): boolean =>
    isObject(volume) && typeof volume['name'] === 'string' && /^(kube-api-access-|default-token-)/.test(volume['name'])
  const filter = (holder: Record<string, unknown>, field: string): void => {
    const entries = holder[field]
    if (!Array.isArray(entries)) return
    const kept = entries.filter((entry) => !isToken(entry))
    if (kept.length === 0) Reflect.deleteProperty(holder, field)
    else holder[field] = kept
  }
  filter(spec, 'volumes')
  for (const field of ['containers', 'initContainers']) {
    const containers = spec[field]
    if (Array.isArray(containers)) for (const container of containers) if (isObject(container)) filter(container, 'volumeMounts')
  }
}

function keptFinalizers(finalizers: string[]): { finalizers?: string[] } {
  const kept = finalizers.filter((name) => !/^kubernetes(\.io\/|$)|^batch\.kubernetes\.io\/|^(foregroundDeletion|orphan)$/.test(name))
  return kept.length === 0 ? {} : { finalizers: kept }
}

function without(map: Record<string, string> | undefined, names: readonly string[]): Record<string, string> | undefined {
  if (map === undefined) return undefined
  const kept = Object.entries(map).filter(([name]) => !names.includes(name))
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}
