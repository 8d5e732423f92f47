import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod'
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/'
/** From here on the annotations mean nothing. */
const SECCOMP_ANNOTATIONS_UNTIL = 27

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** A new pod's status, and the fields that stand for what annotations say, or the other way round. */
export function preparePod(pod: KubeObject, minor: number): void {
  pod['status'] = { phase: 'Pending', qosClass: qosClass(pod) }
  if (minor < SECCOMP_ANNOTATIONS_UNTIL && isObject(pod['spec'])) syncSeccomp(pod, pod['spec'])
}

/**
 * Seccomp profiles stand in a field and in annotations; what one of them leaves out, the other tells.
 *
 * @see pkg/registry/core/pod/strategy.go applySeccompVersionSkew
 */
function syncSeccomp(pod: KubeObject, spec: JsonObject): void {
  syncProfile(pod, spec, SECCOMP_POD)
  for (const container of [...objects(spec['initContainers']), ...objects(spec['containers']), ...objects(spec['ephemeralContainers'])])
    syncProfile(pod, container, `${SECCOMP_CONTAINER}${String(container['name'] ?? '')}`)
}

function syncProfile(pod: KubeObject, holder: JsonObject, key: string): void {
  const context = isObject(holder['securityContext']) ? holder['securityContext'] : undefined
  const profile = context?.['seccompProfile']
  const annotation = pod.metadata.annotations?.[key]
  if (isObject(profile) && annotation === undefined) {
    const text = annotationOf(profile)
    if (text !== '') pod.metadata.annotations = { ...pod.metadata.annotations, [key]: text }
  } else if (!isObject(profile) && annotation !== undefined) {
    const field = profileOf(annotation)
    if (field !== null) holder['securityContext'] = { ...context, seccompProfile: field }
  }
}

function annotationOf(profile: JsonObject): string {
  const { type, localhostProfile } = profile
  if (type === 'RuntimeDefault') return 'runtime/default'
  if (type === 'Unconfined') return 'unconfined'
  return type === 'Localhost' && typeof localhostProfile === 'string' ? `localhost/${localhostProfile}` : ''
}

function profileOf(annotation: string): JsonObject | null {
  if (annotation === 'unconfined') return { type: 'Unconfined' }
  if (annotation === 'runtime/default' || annotation === 'docker/default') return { type: 'RuntimeDefault' }
  const local = /^localhost\/(?<profile>.+)$/s.exec(annotation)?.groups?.['profile']
  return local === undefined ? null : { type: 'Localhost', localhostProfile: local }
}

/** Guaranteed, Burstable or BestEffort, by requests and limits of cpu and memory in every container. */
export function qosClass(pod: KubeObject): string {
  const spec = isObject(pod['spec']) ? pod['spec'] : {}
  const containers = [...objects(spec['containers']), ...objects(spec['initContainers'])]
  let any = false
  let guaranteed = containers.length > 0
  for (const container of containers) {
    const resources = isObject(container['resources']) ? container['resources'] : {}
    const requests = isObject(resources['requests']) ? resources['requests'] : {}
    const limits = isObject(resources['limits']) ? resources['limits'] : {}
    for (const name of ['cpu', 'memory']) {
      const [request, limit] = [requests[name], limits[name]]
      if (request !== undefined || limit !== undefined) any = true
      if (limit === undefined || (request !== undefined && request !== limit)) guaranteed = false
    }
  }
  return guaranteed ? 'Guaranteed' : any ? 'Burstable' : 'BestEffort'
}

/** What the Priority admission set on creation stays when a replacement does not name it (plugin/pkg/admission/priority). */
export function keepPriority(after: KubeObject, before: KubeObject): void {
  const [now, was] = [after['spec'], before['spec']]
  if (!isObject(now) || !isObject(was)) return
  for (const name of ['priority', 'preemptionPolicy']) if (was[name] !== undefined) now[name] ??= was[name]
}
