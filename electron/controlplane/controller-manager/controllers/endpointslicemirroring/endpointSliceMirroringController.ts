import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '#electron/client/resources.ts'
import { keyOf, objectsAt, splitKey, textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { isNamespaceTerminating } from '../../podControl.ts'
import { selectorOf, TRIGGER_TIME } from '../endpoints/servicePods.ts'
import { MANAGED_BY, reconcileSlices, SERVICE_NAME, type SliceGroup } from '../endpointslice/sliceReconciler.ts'

const NAME = 'endpointslicemirroring-controller.k8s.io'
const SKIP = 'endpointslice.kubernetes.io/skip-mirror'
const LEADER = 'control-plane.alpha.kubernetes.io/leader'
const MOST_PER_SUBSET = 1_000
const V1_SINCE = 21

/** Shows Endpoints that somebody keeps by hand, of services without a selector, as EndpointSlices. */
export function endpointSliceMirroringController(context: ControllerContext): Controller {
  const { client, minor } = context
  const services = context.informer(SERVICES)
  const endpoints = context.informer(ENDPOINTS)
  const slices = context.informer(ENDPOINT_SLICES)
  const queue = context.queue('endpointslicemirroring', sync)
  for (const informer of [services, endpoints])
    informer.onEvent(({ object }) => {
      queue.add(keyOf(object))
    })

  const isMirrored = ({ metadata }: KubeObject): boolean => metadata.labels?.[SKIP] !== 'true' && metadata.annotations?.[LEADER] === undefined

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const service = services.get(namespace, name)
    const object = endpoints.get(namespace, name)
    const known = slices
      .byIndex('namespace', namespace)
      .filter(({ metadata }) => metadata.labels?.[SERVICE_NAME] === name && metadata.labels[MANAGED_BY] === NAME)
    const wanted = service !== undefined && selectorOf(service) === null && object !== undefined && isMirrored(object)
    if (!wanted) {
      for (const { metadata } of known) {
        try {
          await client.delete(context.resource(ENDPOINT_SLICES), { namespace, name: metadata.name ?? '' }, {}, signal)
        } catch (error) {
          if (!isNotFound(error)) throw error
        }
      }
      return
    }
    const { [TRIGGER_TIME]: _time, 'kubectl.kubernetes.io/last-applied-configuration': _applied, ...annotations } = object.metadata.annotations ?? {}
    try {
      await reconcileSlices(
        { client, served: (gvr) => context.served(gvr) },
        {
          owner: { apiVersion: 'v1', kind: 'Endpoints', ...object },
          known,
          groups: objectsAt(object['subsets']).flatMap((subset) => groupsOf(subset)),
          labels: { ...object.metadata.labels, [SERVICE_NAME]: name, [MANAGED_BY]: NAME },
          annotations,
          most: MOST_PER_SUBSET,
          keepEmpty: [],
        },
        signal,
      )
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error
    }
  }

  function groupsOf(subset: JsonObject): SliceGroup[] {
    const ports = objectsAt(subset['ports']).map((port) => ({ name: textAt(port['name']), ...port }))
    const all = [
      ...objectsAt(subset['addresses']).map((address) => ({ address, ready: true })),
      ...objectsAt(subset['notReadyAddresses']).map((address) => ({ address, ready: false })),
    ].slice(0, MOST_PER_SUBSET)
    return (['IPv4', 'IPv6'] as const).flatMap((addressType) => {
      const listed = all.filter(({ address }) => textAt(address['ip']).includes(':') === (addressType === 'IPv6'))
      return listed.length === 0 ? [] : [{ addressType, ports, endpoints: listed.map(({ address, ready }) => endpointOf(address, ready)) }]
    })
  }

  function endpointOf(address: JsonObject, ready: boolean): JsonObject {
    const { ip, hostname, nodeName, targetRef } = address
    const place = typeof nodeName !== 'string' ? {} : minor >= V1_SINCE ? { nodeName } : { topology: { 'kubernetes.io/hostname': nodeName } }
    return {
      addresses: [ip],
      conditions: { ready },
      ...(hostname === undefined ? {} : { hostname }),
      ...(targetRef === undefined ? {} : { targetRef: objectAt(targetRef) }),
      ...place,
    }
  }

  return { name: 'endpointslicemirroring', run: (signal) => queue.run(signal) }
}
