import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { ENDPOINT_SLICES, NODES, PODS, SERVICES } from '#electron/client/resources.ts'
import { isDeleting, isPodReady, keyOf, nodeNameOf, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { goJson } from '../../generatedHash.ts'
import { errorText, isNamespaceTerminating } from '../../podControl.ts'
import {
  HEADLESS,
  hostnameOf,
  isHeadless,
  portsOn,
  publishesUnready,
  selectorOf,
  selects,
  servicePods,
  targetRef,
  TRIGGER_TIME,
} from '../endpoints/servicePods.ts'
import { TriggerTimes } from '../endpoints/triggerTimes.ts'
import { MANAGED_BY, reconcileSlices, SERVICE_NAME, type SliceGroup } from './sliceReconciler.ts'

const MOST_PER_SLICE = 100
const NAME = 'endpointslice-controller.k8s.io'
/** Releases that tell of terminating endpoints (EndpointSliceTerminatingCondition), and that serve v1. */
const TERMINATING_SINCE = 22
const V1_SINCE = 21

/** Keeps the EndpointSlices of services that have a selector. */
export function endpointSliceController(context: ControllerContext): Controller {
  const { client, minor } = context
  const services = context.informer(SERVICES)
  const pods = context.informer(PODS)
  const nodes = context.informer(NODES)
  const slices = context.informer(ENDPOINT_SLICES)
  const events = context.recorder('endpoint-slice-controller')
  const queue = context.queue('endpointslice', sync)
  const times = new TriggerTimes()
  services.onEvent(({ object }) => {
    queue.add(keyOf(object))
  })
  pods.onEvent(({ object, old }) => {
    for (const service of services.byIndex('namespace', object.metadata.namespace ?? ''))
      if (selects(service, object) || (old !== undefined && selects(service, old))) queue.add(keyOf(service))
  })
  slices.onEvent(({ type, object }) => {
    const service = object.metadata.labels?.[SERVICE_NAME]
    if (type !== 'add' && service !== undefined && object.metadata.labels?.[MANAGED_BY] === NAME) queue.add(`${object.metadata.namespace ?? ''}/${service}`)
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const service = services.get(namespace, name)
    if (service === undefined) times.forget(key)
    if (service === undefined || selectorOf(service) === null || specOf(service)['type'] === 'ExternalName') return
    const members = servicePods(service, pods.byIndex('namespace', namespace), { minor, includeTerminating: minor >= TERMINATING_SINCE })
    const groups = new Map<string, SliceGroup>()
    for (const pod of members) {
      const ports = portsOn(service, pod).map(({ name: port, ...rest }): JsonObject => ({ name: port, ...rest }))
      const group = groups.get(goJson(ports)) ?? { addressType: 'IPv4', ports, endpoints: [] }
      groups.set(goJson(ports), group)
      group.endpoints.push(endpointOf(service, pod))
    }
    const known = slices
      .byIndex('namespace', namespace)
      .filter(({ metadata }) => metadata.labels?.[SERVICE_NAME] === name && metadata.labels[MANAGED_BY] === NAME)
    const labels = { ...service.metadata.labels, [SERVICE_NAME]: name, [MANAGED_BY]: NAME, ...(isHeadless(service) ? { [HEADLESS]: '' } : {}) }
    const time = times.next(service, members)
    try {
      const homeless = minor < V1_SINCE ? members.find((pod) => nodes.get('', nodeNameOf(pod)) === undefined) : undefined
      if (homeless !== undefined) throw new Error(`node ${JSON.stringify(nodeNameOf(homeless))} not found`)
      await reconcileSlices(
        { client, served: (gvr) => context.served(gvr) },
        {
          owner: { apiVersion: 'v1', kind: 'Service', ...service },
          known,
          groups: [...groups.values()],
          labels,
          annotations: time === undefined ? {} : { [TRIGGER_TIME]: time },
          most: MOST_PER_SLICE,
          // A headless service of a release that does not say its families may have either.
          keepEmpty: isHeadless(service) && specOf(service)['ipFamilies'] === undefined ? ['IPv4', 'IPv6'] : ['IPv4'],
        },
        signal,
      )
    } catch (error) {
      if (signal.aborted || isNamespaceTerminating(error)) return
      events.event(service, 'Warning', 'FailedToUpdateEndpointSlices', `Error updating Endpoint Slices for Service ${key}: ${errorText(error)}`)
      throw error
    }
  }

  function endpointOf(service: KubeObject, pod: KubeObject): JsonObject {
    const serving = isPodReady(pod)
    const terminating = isDeleting(pod)
    const ready = publishesUnready(service) || (serving && !terminating)
    const hostname = hostnameOf(service, pod)
    const nodeName = nodeNameOf(pod)
    return {
      addresses: [textAt(statusOf(pod)['podIP'])],
      conditions: minor >= TERMINATING_SINCE ? { ready, serving, terminating } : { ready },
      ...(hostname === undefined ? {} : { hostname }),
      targetRef: targetRef(pod, minor),
      ...place(nodeName),
    }
  }

  /** v1 names node and zone, v1beta1 in 1.20 has them in a map of labels. */
  function place(nodeName: string): JsonObject {
    if (nodeName === '') return {}
    const labels = nodes.get('', nodeName)?.metadata.labels ?? {}
    const zone = labels['topology.kubernetes.io/zone']
    const region = labels['topology.kubernetes.io/region']
    if (minor >= V1_SINCE) return { nodeName, ...(zone === undefined ? {} : { zone }) }
    return {
      topology: {
        'kubernetes.io/hostname': labels['kubernetes.io/hostname'] ?? nodeName,
        ...(zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }),
        ...(region === undefined ? {} : { 'topology.kubernetes.io/region': region }),
      },
    }
  }

  return { name: 'endpointslice', run: (signal) => queue.run(signal) }
}
