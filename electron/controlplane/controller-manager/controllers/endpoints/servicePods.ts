import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isDeleting, isPodReady, objectsAt, specOf, statusOf, textAt } from '../../controller.ts'

export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time'
export const HEADLESS = 'service.kubernetes.io/headless'
const TOLERATE_UNREADY = 'service.alpha.kubernetes.io/tolerate-unready-endpoints'

/** The selector as an object, null for a service that selects nothing. */
export function selectorOf(service: KubeObject): JsonObject | null {
  const { selector } = specOf(service)
  return isObject(selector) && Object.keys(selector).length > 0 ? selector : null
}

export function selects(service: KubeObject, pod: KubeObject): boolean {
  const selector = selectorOf(service)
  return selector !== null && Object.entries(selector).every(([key, value]) => pod.metadata.labels?.[key] === value)
}

export const isHeadless = (service: KubeObject): boolean => specOf(service)['clusterIP'] === 'None'

export const publishesUnready = (service: KubeObject): boolean =>
  specOf(service)['publishNotReadyAddresses'] === true || service.metadata.annotations?.[TOLERATE_UNREADY] === 'true'

export interface ServicePort {
  name: string
  port: number
  protocol: string
  appProtocol?: string
}

/** A service's ports on one pod; a named target port is looked up in the pod's containers, and left out where it is not found. */
export function portsOn(service: KubeObject, pod: KubeObject): ServicePort[] {
  const containers = objectsAt(specOf(pod)['containers'])
  return objectsAt(specOf(service)['ports']).flatMap((port): ServicePort[] => {
    const protocol = textAt(port['protocol']) || 'TCP'
    const target = port['targetPort'] ?? port['port']
    const named = (): unknown =>
      containers
        .flatMap((container) => objectsAt(container['ports']))
        .find((each) => each['name'] === target && (textAt(each['protocol']) || 'TCP') === protocol)?.['containerPort']
    const number = typeof target === 'number' ? target : named()
    if (typeof number !== 'number') return []
    const appProtocol = textAt(port['appProtocol'])
    return [{ name: textAt(port['name']), port: number, protocol, ...(appProtocol === '' ? {} : { appProtocol }) }]
  })
}

/** A pod that ended can come back only when its containers restart. */
function isOver(pod: KubeObject, minor: number): boolean {
  const phase = textAt(statusOf(pod)['phase'])
  if (minor >= 22) return phase === 'Succeeded' || phase === 'Failed'
  const { restartPolicy } = specOf(pod)
  return restartPolicy === 'Never' ? phase === 'Succeeded' || phase === 'Failed' : restartPolicy === 'OnFailure' && phase === 'Succeeded'
}

/** Pods behind a service that have an address, sorted by it. */
export function servicePods(service: KubeObject, pods: readonly KubeObject[], options: { minor: number; includeTerminating: boolean }): KubeObject[] {
  return pods
    .filter(
      (pod) =>
        selects(service, pod) &&
        textAt(statusOf(pod)['podIP']) !== '' &&
        (options.includeTerminating || publishesUnready(service) || !isDeleting(pod)) &&
        (!isOver(pod, options.minor) || (options.minor < 22 && isPodReady(pod))),
    )
    .sort((a, b) => (textAt(statusOf(a)['podIP']) < textAt(statusOf(b)['podIP']) ? -1 : 1))
}

export function targetRef(pod: KubeObject, minor: number): JsonObject {
  const { namespace, name, uid, resourceVersion } = pod.metadata
  // Until 1.21 the reference tells which version of the pod was seen.
  return { kind: 'Pod', namespace, name, uid, ...(minor < 22 ? { resourceVersion } : {}) }
}

/** The host name by which a pod is found below its service. */
export function hostnameOf(service: KubeObject, pod: KubeObject): string | undefined {
  const { hostname, subdomain } = specOf(pod)
  return typeof hostname === 'string' && hostname !== '' && subdomain === service.metadata.name ? hostname : undefined
}
