import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { countAt, isDeleting, isPodReady, newControllerRef, objectsAt, podFromTemplate, specOf, statusOf, textAt } from '../../controller.ts'

export const POD_NAME = 'statefulset.kubernetes.io/pod-name'
export const POD_INDEX = 'apps.kubernetes.io/pod-index'
export const REVISION = 'controller-revision-hash'
/** Release that labels pods with their index by default (feature PodIndexLabel). */
const POD_INDEX_SINCE = 28

/** The ordinal in a pod's name, -1 when it is not of the set. */
export function ordinalOf(set: KubeObject, pod: KubeObject): number {
  const prefix = `${set.metadata.name ?? ''}-`
  const name = pod.metadata.name ?? ''
  const rest = name.slice(prefix.length)
  return name.startsWith(prefix) && /^\d{1,9}$/.test(rest) ? Number(rest) : -1
}

export const revisionOf = (pod: KubeObject): string => pod.metadata.labels?.[REVISION] ?? ''
export const isCreated = (pod: KubeObject): boolean => textAt(statusOf(pod)['phase']) !== ''
export const isRunningAndReady = (pod: KubeObject): boolean => textAt(statusOf(pod)['phase']) === 'Running' && isPodReady(pod)
export const isHealthy = (pod: KubeObject): boolean => isCreated(pod) && isRunningAndReady(pod) && !isDeleting(pod)

const claimName = (template: JsonObject, set: KubeObject, ordinal: number): string =>
  `${textAt(objectAt(template['metadata'])['name'])}-${set.metadata.name ?? ''}-${String(ordinal)}`

/** The volumes of the pod, those of the set's claims in place of equally named ones. */
function volumesFor(set: KubeObject, volumes: readonly JsonObject[], ordinal: number): JsonObject[] {
  const templates = objectsAt(specOf(set)['volumeClaimTemplates'])
  const own = templates.map((template) => ({
    name: textAt(objectAt(template['metadata'])['name']),
    persistentVolumeClaim: { claimName: claimName(template, set, ordinal) },
  }))
  return [...own, ...volumes.filter((volume) => !own.some(({ name }) => name === volume['name']))]
}

/** The claims a pod needs, as the set's templates make them. */
export function claimsFor(set: KubeObject, ordinal: number): KubeObject[] {
  const matchLabels = objectAt(objectAt(specOf(set)['selector'])['matchLabels']) as Record<string, string>
  return objectsAt(specOf(set)['volumeClaimTemplates']).map((template) => {
    const { labels, annotations } = objectAt(template['metadata']) as KubeObject['metadata']
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: claimName(template, set, ordinal),
        namespace: set.metadata.namespace ?? '',
        labels: { ...labels, ...matchLabels },
        ...(annotations === undefined ? {} : { annotations }),
      },
      spec: structuredClone(objectAt(template['spec'])),
    }
  })
}

/** A pod with the set's identity: its name, host name, labels and claims follow from the ordinal. */
export function newStatefulPod(set: KubeObject, options: { template: JsonObject; revision: string; ordinal: number; minor: number }): KubeObject {
  const { template, revision, ordinal, minor } = options
  const name = `${set.metadata.name ?? ''}-${String(ordinal)}`
  const labels = { [REVISION]: revision, ...identityLabels(name, ordinal, minor) }
  const pod = podFromTemplate(template, set, { name, labels })
  pod.metadata.generateName = `${set.metadata.name ?? ''}-`
  pod.metadata.ownerReferences = [newControllerRef(set)]
  const spec = specOf(pod)
  const volumes = volumesFor(set, objectsAt(spec['volumes']), ordinal)
  pod['spec'] = { ...spec, hostname: name, subdomain: textAt(specOf(set)['serviceName']), ...(volumes.length === 0 ? {} : { volumes }) }
  return pod
}

const identityLabels = (name: string, ordinal: number, minor: number): Record<string, string> => ({
  [POD_NAME]: name,
  ...(minor >= POD_INDEX_SINCE ? { [POD_INDEX]: String(ordinal) } : {}),
})

/** The pod with what an outsider took from its identity, null when nothing is missing. */
export function withIdentity(set: KubeObject, pod: KubeObject, minor: number): KubeObject | null {
  const ordinal = ordinalOf(set, pod)
  const labels = identityLabels(pod.metadata.name ?? '', ordinal, minor)
  if (Object.entries(labels).every(([key, value]) => pod.metadata.labels?.[key] === value)) return null
  return { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...labels } } }
}

export const startOrdinal = (set: KubeObject): number => countAt(objectAt(specOf(set)['ordinals'])['start'])
