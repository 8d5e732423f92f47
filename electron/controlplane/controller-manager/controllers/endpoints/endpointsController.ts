import { deepEqual, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isNotFound } from '#shared/kubernetes/status.ts'
import { ENDPOINTS, PODS, SERVICES } from '#electron/client/resources.ts'
import { isPodReady, keyOf, nodeNameOf, specOf, splitKey, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'
import { goJson } from '../../generatedHash.ts'
import { errorText, isNamespaceTerminating } from '../../podControl.ts'
import { HEADLESS, hostnameOf, isHeadless, portsOn, publishesUnready, selectorOf, selects, servicePods, targetRef, TRIGGER_TIME } from './servicePods.ts'
import { portHash } from './portHash.ts'
import { TriggerTimes } from './triggerTimes.ts'

/** More addresses than this do not fit into one object. */
const CAPACITY = 1_000
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity'
/** Since 1.33 the label tells who keeps the object. */
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by'
const MANAGED_BY_SINCE = 33

/** Keeps the Endpoints of services that have a selector. */
export function endpointsController(context: ControllerContext): Controller {
  const { client, minor } = context
  const services = context.informer(SERVICES)
  const pods = context.informer(PODS)
  const endpoints = context.informer(ENDPOINTS)
  const events = context.recorder('endpoint-controller')
  const queue = context.queue('endpoints', sync)
  const times = new TriggerTimes()
  services.onEvent(({ object }) => {
    queue.add(keyOf(object))
  })
  pods.onEvent(({ object, old }) => {
    for (const service of services.byIndex('namespace', object.metadata.namespace ?? ''))
      if (selects(service, object) || (old !== undefined && selects(service, old))) queue.add(keyOf(service))
  })
  endpoints.onEvent(({ type, object }) => {
    if (type === 'delete') queue.add(keyOf(object))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const { namespace, name } = splitKey(key)
    const service = services.get(namespace, name)
    if (service === undefined) {
      times.forget(key)
      // Only what this controller could have made goes with the service.
      if (endpoints.get(namespace, name) !== undefined) await remove(namespace, name, signal)
      return
    }
    if (selectorOf(service) === null) return
    const members = servicePods(service, pods.byIndex('namespace', namespace), { minor, includeTerminating: false })
    await write(service, members, signal)
  }

  async function remove(namespace: string, name: string, signal: AbortSignal): Promise<void> {
    try {
      await client.delete(ENDPOINTS, { namespace, name }, {}, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async function write(service: KubeObject, members: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const time = times.next(service, members)
    const { namespace = '', name = '' } = service.metadata
    const shown = members.slice(0, CAPACITY)
    const subsets = packed(service, shown)
    const known = endpoints.get(namespace, name)
    const labels = {
      ...service.metadata.labels,
      ...(isHeadless(service) ? { [HEADLESS]: '' } : {}),
      ...(minor >= MANAGED_BY_SINCE ? { [MANAGED_BY]: 'endpoint-controller' } : {}),
    }
    const truncated = members.length > CAPACITY ? { [OVER_CAPACITY]: minor >= 22 ? 'truncated' : 'warning' } : {}
    const { [TRIGGER_TIME]: _, [OVER_CAPACITY]: over, ...annotations } = known?.metadata.annotations ?? {}
    if (
      known !== undefined &&
      deepEqual(withoutVersions(known['subsets']), withoutVersions(subsets)) &&
      deepEqual(known.metadata.labels ?? {}, labels) &&
      (over ?? '') === (truncated[OVER_CAPACITY] ?? '')
    )
      return
    const metadata = {
      ...(known?.metadata ?? { name, namespace }),
      labels,
      annotations: { ...annotations, ...truncated, ...(time === undefined ? {} : { [TRIGGER_TIME]: time }) },
    }
    const object = { apiVersion: 'v1', kind: 'Endpoints', metadata, ...(subsets.length === 0 ? {} : { subsets }) }
    try {
      if (known === undefined) await client.create(ENDPOINTS, { namespace }, object, signal)
      else await client.update(ENDPOINTS, { namespace, name }, object, signal)
    } catch (error) {
      if (isAlreadyExists(error) && known === undefined) throw error
      if (!signal.aborted && !isNamespaceTerminating(error)) {
        const verb = known === undefined ? 'Create' : 'Update'
        events.event(
          known ?? service,
          'Warning',
          `FailedTo${verb}Endpoint`,
          `Failed to ${verb.toLowerCase()} endpoint${known === undefined ? ` for service ${keyOf(service)}` : ` ${keyOf(service)}`}: ${errorText(error)}`,
        )
      }
      if (!isNamespaceTerminating(error)) throw error
    }
  }

  /** Addresses with the same ports stand together. */
  function packed(service: KubeObject, members: readonly KubeObject[]): JsonObject[] {
    const groups = new Map<string, { ports: JsonObject[]; ready: JsonObject[]; unready: JsonObject[] }>()
    for (const pod of members) {
      const ports = portsOn(service, pod).map(({ name, ...port }): JsonObject => (name === '' ? port : { name, ...port }))
      if (ports.length === 0 && !(isHeadless(service) && specOf(service)['ports'] === undefined)) continue
      ports.sort((a, b) => Buffer.compare(portHash(a, minor), portHash(b, minor)))
      const key = goJson(ports)
      const group = groups.get(key) ?? { ports, ready: [], unready: [] }
      groups.set(key, group)
      const hostname = hostnameOf(service, pod)
      const address = {
        ip: textAt(statusOf(pod)['podIP']),
        ...(hostname === undefined ? {} : { hostname }),
        nodeName: nodeNameOf(pod),
        targetRef: targetRef(pod, minor),
      }
      ;(publishesUnready(service) || isPodReady(pod) ? group.ready : group.unready).push(address)
    }
    return [...groups.values()].map(({ ports, ready, unready }) => ({
      ...(ready.length === 0 ? {} : { addresses: ready }),
      ...(unready.length === 0 ? {} : { notReadyAddresses: unready }),
      ...(ports.length === 0 ? {} : { ports }),
    }))
  }

  return { name: 'endpoints', run: (signal) => queue.run(signal) }
}

/** A pod's new version alone is no change. */
function withoutVersions(subsets: unknown): unknown {
  if (!Array.isArray(subsets)) return []
  return JSON.parse(JSON.stringify(subsets, (key, value: unknown) => (key === 'resourceVersion' ? undefined : value))) as unknown
}
