import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Scenario } from './scenario.ts'
import type { Side } from './side.ts'

/** What a scenario leaves behind, with everything replaced that two clusters never have alike: names drawn by chance, hashes, addresses, times. */
export interface Snapshot {
  objects: Record<string, unknown[]>
  /** Per object, its events in order: `Normal ScalingReplicaSet: Scaled up …`. Objects with drawn names stand together. */
  events: Record<string, string[][]>
  refusals?: string[]
}

const USUAL = [
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'controllerrevisions.apps',
  'jobs.batch',
  'cronjobs.v1beta1.batch',
  'replicationcontrollers',
  'pods',
  'services',
  'endpoints',
  'endpointslices.discovery.k8s.io',
  'poddisruptionbudgets.policy',
  'persistentvolumeclaims',
  'resourcequotas',
  'horizontalpodautoscalers.v2beta2.autoscaling',
]

/** Labels that hold a hash or what is named after one. */
const HASHES = ['pod-template-hash', 'controller-revision-hash', 'controller.kubernetes.io/hash']

/** Differences of what is served, not of what controllers do; docs/conformance.md explains each. */
const SERVED_DIFFERENTLY = [
  'statefulsets.apps:status.availableReplicas',
  'statefulsets.apps:spec.volumeClaimTemplates.*.apiVersion',
  'statefulsets.apps:spec.volumeClaimTemplates.*.kind',
  'jobs.batch:spec.completionMode',
  'jobs.batch:spec.podReplacementPolicy',
  'jobs.batch:spec.suspend',
  'jobs.batch:metadata.labels',
]

/** How often a slice was written on the way, and whether its last write followed a change of pods, is timing on either side. */
const TIMING = ['endpointslices.discovery.k8s.io:metadata.generation', 'endpointslices.discovery.k8s.io:metadata.annotations', 'endpoints:metadata.annotations']

/** How often a ReplicaSet was scaled on the way depends on which pod is ready first. */
const STEPS = ['replicasets.apps:metadata.generation', 'replicasets.apps:status.observedGeneration']

/** Told of tries that met another write or an object that was still going, and were repeated: on either side, as it happens. */
const RACES = ['the object has been modified; please apply your changes to the latest version', 'could not be completed at this time, please try again']

/** Told by the node, which is another program on each side. */
const NODE_COMPONENTS = new Set(['kubelet', 'kubemark', 'kube-proxy'])

export async function snapshot(scenario: Scenario, side: Side, namespace: string): Promise<Snapshot> {
  const resources = [...USUAL, ...(scenario.compare ?? [])]
  const lists = await Promise.all(resources.map((resource) => side.list(resource, namespace)))
  const own = (resource: string, object: KubeObject): boolean => side.resource(resource).namespaced || (object.metadata.name ?? '').includes(namespace)
  const all = resources.map((resource, index) => ({ resource, objects: (lists[index] ?? []).filter((object) => own(resource, object)) }))
  const events = await side.list('events', namespace)
  const normal = new Normalizer(
    side,
    namespace,
    all.flatMap(({ objects }) => objects),
    events,
  )
  const objects: Snapshot['objects'] = {}
  for (const { resource, objects: found } of all)
    if (found.length > 0)
      objects[resource] = found.map((object) => normal.object(resource, object, scenario)).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return { objects, events: normal.events(events, scenario) }
}

class Normalizer {
  readonly #namespace: string
  readonly #replacements: [string, string][] = []

  constructor(side: Side, namespace: string, objects: readonly KubeObject[], events: readonly KubeObject[]) {
    this.#namespace = namespace
    const byAge = [...objects].sort(
      (a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? '') || revisionOf(a) - revisionOf(b),
    )
    const hashes = new Set<string>()
    const names = new Set<string>()
    // Who carries a revision first: a pod of the next one may be as old as the object it was made from.
    for (const { metadata } of byAge.toSorted((a, b) => Number(revisionOf(a) === 0) - Number(revisionOf(b) === 0))) {
      for (const label of HASHES) {
        const value = metadata.labels?.[label]
        if (value !== undefined) hashes.add(value.slice(value.lastIndexOf('-') + 1))
      }
      if (metadata.generateName !== undefined) names.add(metadata.name ?? '')
    }
    // Pods that are gone are known from their events alone.
    for (const event of events) {
      const name = involved(event)
      if (/-[bcdfghjklmnpqrstvwxz2456789]{5}$/.test(name)) names.add(name)
      for (const [, pod = ''] of String(event['message']).matchAll(/(?:Created|Deleted) pod: (\S+)/g))
        if (/-[bcdfghjklmnpqrstvwxz2456789]{5}$/.test(pod)) names.add(pod)
      for (const [, pod = ''] of String(event['message']).matchAll(/pods "(\S+-[bcdfghjklmnpqrstvwxz2456789]{5})" is forbidden/g)) names.add(pod)
      for (const [, hash = ''] of String(event['message']).matchAll(/replica set \S+-([bcdfghjklmnpqrstvwxz2456789]{6,10}) /g)) hashes.add(hash)
    }
    for (const name of names) this.#replacements.push([name, `${name.slice(0, -5)}*`])
    for (const [index, hash] of [...hashes].entries()) this.#replacements.push([hash, `HASH${String(index + 1)}`])
    for (const [index, node] of side.nodes.entries()) this.#replacements.push([node, `NODE${String(index + 1)}`])
    this.#replacements.sort((a, b) => b[0].length - a[0].length)
  }

  text(value: string): string {
    let text = value
    for (const [from, to] of this.#replacements) text = text.replaceAll(from, to)
    return text
      .replaceAll(this.#namespace, 'NS')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
      .replace(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, 'IP')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, 'TIME')
      .replace(/-(?:\d{8}|\d{10})\b/g, '-RUN')
      .replace(/"resourceVersion":"\d+"/g, '"resourceVersion":""')
      .replace(/"nodePort":\d+/g, '"nodePort":0')
  }

  object(resource: string, object: KubeObject, scenario: Scenario): unknown {
    const { uid: _uid, resourceVersion: _version, creationTimestamp: _created, managedFields: _fields, selfLink: _link, ...metadata } = object.metadata
    const { apiVersion: _api, kind: _kind, ...rest } = object
    const kept = resource === 'pods' ? podFacts({ ...rest, metadata }, scenario.places === true) : { ...rest, metadata }
    const text = this.text(JSON.stringify(kept))
    // Which of equal nodes a pod got is chance, where a scenario does not say that places count.
    const plain = JSON.parse(
      scenario.places === true || resource === 'daemonsets.apps' || resource === 'pods' ? text : text.replace(/"NODE\d"/g, '"NODE"'),
    ) as JsonObject
    for (const path of [...SERVED_DIFFERENTLY, ...TIMING, ...(scenario.repeats === true ? STEPS : []), ...Object.keys(scenario.ignore ?? {})])
      remove(plain, path.startsWith(`${resource}:`) ? path.slice(resource.length + 1) : path.includes(':') ? '' : path)
    return tidy(plain)
  }

  events(events: readonly KubeObject[], scenario: Scenario): Snapshot['events'] {
    const perObject = new Map<string, { group: string; texts: string[] }>()
    const ordered = events.toSorted((a, b) => revisionOf(a) - revisionOf(b) || Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion))
    ordered.sort((a, b) => madeAt(a) - madeAt(b))
    for (const event of ordered) {
      const source = isObject(event['source']) ? String(event['source']['component'] ?? '') : ''
      if (NODE_COMPONENTS.has(source) || NODE_COMPONENTS.has(String(event['reportingComponent'] ?? ''))) continue
      if (RACES.some((race) => String(event['message']).includes(race))) continue
      const object = isObject(event['involvedObject']) ? event['involvedObject'] : {}
      const key = `${String(object['kind'])}/${String(object['name'])}/${String(object['uid'])}`
      const group = `${String(object['kind'])}/${this.text(String(object['name']))}`
      const known = perObject.get(key) ?? { group, texts: [] }
      perObject.set(key, known)
      const text = this.text(`${String(event['type'])} ${String(event['reason'])}: ${String(event['message'])}`).replace(
        /^(Normal Scheduled: .*) to NODE\d$/,
        scenario.places === true ? '$&' : '$1 to NODE',
      )
      const steps = scenario.repeats === true ? text.replace(/^(Normal ScalingReplicaSet: .*) to [1-9]\d*$/, '$1') : text
      if (scenario.repeats !== true || !known.texts.includes(steps)) known.texts.push(steps)
    }
    const result: Snapshot['events'] = {}
    for (const { group, texts } of perObject.values()) (result[group] ??= []).push(texts)
    for (const list of Object.values(result)) list.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    return result
  }
}

/** Of a ControllerRevision or a Deployment's ReplicaSet; orders what was made within one second. */
const revisionOf = (object: KubeObject): number =>
  typeof object['revision'] === 'number' ? object['revision'] : Number(object.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0)
const involved = (event: KubeObject): string => (isObject(event['involvedObject']) ? String(event['involvedObject']['name']) : '')

/** The order of events is the order in which they were first told; their names end in that moment. */
function madeAt(event: KubeObject): number {
  const suffix = (event.metadata.name ?? '').split('.').at(-1) ?? ''
  return /^[0-9a-f]{16}$/.test(suffix) ? Number(BigInt(`0x${suffix}`)) : 0
}

/** What controllers and the scheduler decide of a pod; the rest is the node's. */
function podFacts(pod: KubeObject, places: boolean): JsonObject {
  const spec = isObject(pod['spec']) ? pod['spec'] : {}
  const status = isObject(pod['status']) ? pod['status'] : {}
  const containers = Array.isArray(spec['containers']) ? (spec['containers'] as JsonObject[]).map(({ name, image, env }) => ({ name, image, env })) : []
  const { hostname, subdomain, priority, priorityClassName, tolerations, affinity, restartPolicy, preemptionPolicy, nodeName } = spec
  const conditions = Array.isArray(status['conditions'])
    ? (status['conditions'] as JsonObject[]).filter(({ type }) => type === 'PodScheduled' || type === 'Ready')
    : []
  return {
    metadata: pod.metadata,
    spec: {
      hostname,
      subdomain,
      priority,
      priorityClassName,
      tolerations,
      affinity,
      restartPolicy,
      preemptionPolicy,
      containers,
      nodeName: places ? nodeName : nodeName !== undefined,
    },
    status: {
      phase: status['phase'],
      conditions: conditions
        .map(({ type, status: value, reason, message }) => ({ type, status: value, reason, message }))
        .sort((a, b) => (String(a.type) < String(b.type) ? -1 : 1)),
    },
  }
}

function remove(object: unknown, path: string): void {
  const [field = '', ...rest] = path.split('.')
  if (field === '' || typeof object !== 'object' || object === null) return
  const names = field === '*' ? Object.keys(object) : [field]
  for (const name of names) {
    if (rest.length === 0) Reflect.deleteProperty(object, name)
    else remove((object as JsonObject)[name], rest.join('.'))
  }
}

/** Addresses and conditions in one order; empty maps and lists are as good as none. */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) {
    const list = (value as unknown[]).map(tidy)
    const unordered = list.every(
      (each) => isObject(each) && (each['ip'] !== undefined || each['addresses'] !== undefined || (each['type'] !== undefined && each['status'] !== undefined)),
    )
    return unordered ? list.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : list
  }
  if (!isObject(value)) return value
  const entries = Object.entries(value)
    .map(([key, each]) => [key, tidy(each)] as const)
    .filter(
      ([, each]) => each !== null && each !== undefined && !(Array.isArray(each) && each.length === 0) && !(isObject(each) && Object.keys(each).length === 0),
    )
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries)
}
