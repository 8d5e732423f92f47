import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { matchesRequirements } from '#shared/kubernetes/labelSelector.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES } from '#electron/client/resources.ts'
import {
  isDeleting,
  isPodReady,
  keyOf,
  newControllerRef,
  nodeNameOf,
  objectsAt,
  specOf,
  splitKey,
  statusOf,
  textAt,
  type Controller,
  type ControllerContext,
} from '../../controller.ts'

/** Keeps Endpoints and EndpointSlices of services that have a selector. */
export function endpointsController(context: ControllerContext): Controller {
  const { client } = context
  const services = context.informer(SERVICES)
  const pods = context.informer(PODS)
  const endpoints = context.informer(ENDPOINTS)
  const slices = context.informer(ENDPOINT_SLICES)
  const queue = context.queue('endpoints', sync)
  services.onEvent(({ object }) => {
    queue.add(keyOf(object))
  })
  pods.onEvent(({ object, old }) => {
    for (const service of services.byIndex('namespace', object.metadata.namespace ?? ''))
      if (selects(service, object) || (old !== undefined && selects(service, old))) queue.add(keyOf(service))
  })

  function selects(service: KubeObject, pod: KubeObject): boolean {
    const selector = specOf(service)['selector']
    if (!isObject(selector) || Object.keys(selector).length === 0) return false
    return matchesRequirements(
      Object.entries(selector).map(([key, value]) => ({ key, operator: 'In' as const, values: [String(value)] })),
      pod.metadata.labels ?? {},
    )
  }

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const service = services.get(namespace, name)
    if (service === undefined || !isObject(specOf(service)['selector'])) {
      if (service === undefined) await remove(namespace, name, signal)
      return
    }
    const members = pods
      .byIndex('namespace', namespace)
      .filter((pod) => selects(service, pod) && textAt(statusOf(pod)['podIP']) !== '' && !['Succeeded', 'Failed'].includes(textAt(statusOf(pod)['phase'])))
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    await writeEndpoints(
      service,
      members.filter((pod) => !isDeleting(pod)),
      signal,
    )
    await writeSlice(service, members, signal)
  }

  async function remove(namespace: string, name: string, signal: AbortSignal): Promise<void> {
    if (endpoints.get(namespace, name) === undefined) return
    try {
      await client.delete(ENDPOINTS, { namespace, name }, {}, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  /** Ports of a service on one pod; a named target port is looked up in the pod's containers. */
  function portsFor(service: KubeObject, pod: KubeObject | undefined): JsonObject[] {
    return objectsAt(specOf(service)['ports']).flatMap((port) => {
      const target = port['targetPort'] ?? port['port']
      const number =
        typeof target === 'number'
          ? target
          : pod === undefined
            ? undefined
            : objectsAt(specOf(pod)['containers'])
                .flatMap((container) => objectsAt(container['ports']))
                .find((each) => each['name'] === target)?.['containerPort']
      if (typeof number !== 'number') return []
      return [
        {
          ...(port['name'] === undefined ? {} : { name: port['name'] }),
          port: number,
          protocol: port['protocol'] ?? 'TCP',
          ...(port['appProtocol'] === undefined ? {} : { appProtocol: port['appProtocol'] }),
        },
      ]
    })
  }

  async function writeEndpoints(service: KubeObject, members: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const { namespace, name = '' } = service.metadata
    const unready = specOf(service)['publishNotReadyAddresses'] === true
    const address = (pod: KubeObject): JsonObject => ({
      ip: textAt(statusOf(pod)['podIP']),
      nodeName: nodeNameOf(pod),
      targetRef: { kind: 'Pod', namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    })
    const ready = members.filter((pod) => unready || isPodReady(pod))
    const others = members.filter((pod) => !ready.includes(pod))
    const ports = portsFor(service, members[0])
    const subset = {
      ...(ready.length === 0 ? {} : { addresses: ready.map(address) }),
      ...(others.length === 0 ? {} : { notReadyAddresses: others.map(address) }),
      ...(ports.length === 0 ? {} : { ports }),
    }
    const subsets = members.length === 0 ? undefined : [subset]
    const known = endpoints.get(namespace ?? '', name)
    const labels = { ...service.metadata.labels, 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' }
    if (known !== undefined && deepEqual(known['subsets'], subsets) && deepEqual(known.metadata.labels, labels)) return
    const object = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { ...(known?.metadata ?? { name, namespace }), labels },
      ...(subsets === undefined ? {} : { subsets }),
    }
    if (known === undefined) await client.create(ENDPOINTS, { namespace }, object, signal)
    else await client.update(ENDPOINTS, { namespace, name }, object, signal)
  }

  async function writeSlice(service: KubeObject, members: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const { namespace, name = '' } = service.metadata
    const list = members.map((pod): JsonObject => {
      const serving = isPodReady(pod)
      const terminating = isDeleting(pod)
      return {
        addresses: [textAt(statusOf(pod)['podIP'])],
        conditions: { ready: serving && !terminating, serving, terminating },
        nodeName: nodeNameOf(pod),
        targetRef: { kind: 'Pod', namespace, name: pod.metadata.name, uid: pod.metadata.uid },
      }
    })
    const ports = portsFor(service, members[0]).map((port) => ({ name: '', ...port }))
    const known = slices
      .byIndex('namespace', namespace ?? '')
      .find((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name && !isDeleting(slice))
    const labels = {
      ...service.metadata.labels,
      'kubernetes.io/service-name': name,
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    }
    if (known !== undefined && deepEqual(objectsAt(known['endpoints']), list) && deepEqual(objectsAt(known['ports']), ports)) return
    const metadata = known?.metadata ?? { generateName: `${name}-`, namespace, ownerReferences: [newControllerRef(service)] }
    const object = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { ...metadata, labels }, addressType: 'IPv4', endpoints: list, ports }
    if (known === undefined) await client.create(ENDPOINT_SLICES, { namespace }, object, signal)
    else await client.update(ENDPOINT_SLICES, { namespace, name: known.metadata.name ?? '' }, object, signal)
  }

  return { name: 'endpoints', run: (signal) => queue.run(signal) }
}
