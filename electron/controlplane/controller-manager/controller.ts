import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { GroupVersionResource, KubeObject, OwnerReference } from '#shared/kubernetes/object.ts'
import { minorOf, servedResources } from '#shared/kubernetes/schema/served.ts'
import { EventRecorder } from '#electron/client/eventRecorder.ts'
import { Informer } from '#electron/client/informer.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { WorkQueue } from '#electron/client/workQueue.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'

/** What every controller works with. Informers are shared: one list and watch per resource. */
export class ControllerContext {
  readonly client: RestClient
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** The minor release that is served; what controllers do differs between releases. */
  readonly minor: number
  readonly #versions = new Map<string, string[]>()
  readonly #informers = new Map<string, Informer>()
  readonly #unserved = new Set<string>()
  readonly #recorders: EventRecorder[] = []

  constructor(options: { transport: Transport; clock: Clock; random: Random; logger: Logger; kubernetesVersion: string }) {
    this.minor = minorOf(options.kubernetesVersion)
    for (const { group, version, plural } of servedResources(options.kubernetesVersion))
      this.#versions.set(`${group}/${plural}`, [...(this.#versions.get(`${group}/${plural}`) ?? []), version])
    this.client = new RestClient(options.transport, { userAgent: 'kube-controller-manager', shares: true })
    this.clock = options.clock
    this.random = options.random
    this.logger = options.logger
  }

  /** The resource in the asked version, or in the one this release serves instead; null when it serves none. */
  served(gvr: GroupVersionResource): GroupVersionResource | null {
    const versions = this.#versions.get(`${gvr.group}/${gvr.resource}`) ?? []
    // v2beta2 stands for v2, v1beta1 for v1.
    const version = versions.includes(gvr.version) ? gvr.version : (versions.find((each) => each.startsWith(gvr.version)) ?? versions[0])
    return version === undefined ? null : { ...gvr, version }
  }

  /** Like `served`, for resources without which a controller is not started. */
  resource(gvr: GroupVersionResource): GroupVersionResource {
    return this.served(gvr) ?? gvr
  }

  /** The shared copy of a collection; one that this release does not serve stays empty. */
  informer(asked: GroupVersionResource): Informer {
    const gvr = this.served(asked) ?? asked
    const key = `${gvr.group}/${gvr.version}/${gvr.resource}`
    if (this.served(asked) === null) this.#unserved.add(key)
    let informer = this.#informers.get(key)
    if (informer === undefined) {
      informer = new Informer({
        client: this.client,
        gvr,
        clock: this.clock,
        random: this.random,
        logger: this.logger,
        indexers: {
          namespace: ({ metadata }) => [metadata.namespace ?? ''],
          controller: (object) => controllerUids(object),
          ...(gvr.group === '' && gvr.resource === 'pods' ? { node: (pod: KubeObject) => (nodeNameOf(pod) === '' ? [] : [nodeNameOf(pod)]) } : {}),
          orphaned: (object) => (controllerUids(object).length === 0 ? [object.metadata.namespace ?? ''] : []),
        },
      })
      this.#informers.set(key, informer)
    }
    return informer
  }

  /** Those to run: collections that are served. */
  get informers(): Informer[] {
    return [...this.#informers].flatMap(([key, informer]) => (this.#unserved.has(key) ? [] : [informer]))
  }

  recorder(component: string): EventRecorder {
    const recorder = new EventRecorder({ client: this.client, clock: this.clock, component, logger: this.logger })
    this.#recorders.push(recorder)
    return recorder
  }

  queue(name: string, handle: (key: string, signal: AbortSignal) => Promise<void>, workers = 5): WorkQueue {
    return new WorkQueue({ name, clock: this.clock, random: this.random, logger: this.logger, workers, handle })
  }

  /** metav1.Time of now. */
  now(): string {
    return `${new Date(this.clock.now()).toISOString().slice(0, 19)}Z`
  }

  stop(): void {
    for (const recorder of this.#recorders) recorder.stop()
  }
}

/** One control loop. `run` is called once all informers have synced. */
export interface Controller {
  readonly name: string
  run(signal: AbortSignal): Promise<void>
}

export type ControllerFactory = (context: ControllerContext) => Controller

export const objectsAt = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
export const textAt = (value: unknown): string => (typeof value === 'string' ? value : '')
export const countAt = (value: unknown): number => (typeof value === 'number' ? value : 0)
export const specOf = (object: KubeObject): JsonObject => objectAt(object['spec'])
export const statusOf = (object: KubeObject): JsonObject => objectAt(object['status'])

export const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

export function controllerRef(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((each) => each.controller === true)
}

function controllerUids(object: KubeObject): string[] {
  const ref = controllerRef(object)
  return ref === undefined ? [] : [ref.uid]
}

export function newControllerRef(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion ?? '',
    kind: owner.kind ?? '',
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}

export const isDeleting = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined

export function isPodReady(pod: KubeObject): boolean {
  return readyCondition(pod) !== undefined
}

/** The condition `Ready` where it is true. Asked of every pod of a workload for each of its changes, so nothing is copied. */
function readyCondition(pod: KubeObject): JsonObject | undefined {
  const { conditions } = statusOf(pod)
  if (!Array.isArray(conditions)) return undefined
  for (const each of conditions) if (isObject(each) && each['type'] === 'Ready') return each['status'] === 'True' ? each : undefined
  return undefined
}

/** Ready for at least `minReadySeconds`. */
export function isPodAvailable(pod: KubeObject, minReadySeconds: number, nowMs: number): boolean {
  const ready = readyCondition(pod)
  if (ready === undefined) return false
  return minReadySeconds === 0 || Date.parse(textAt(ready['lastTransitionTime'])) + minReadySeconds * 1000 <= nowMs
}

export function isPodActive(pod: KubeObject): boolean {
  const phase = textAt(statusOf(pod)['phase'])
  return phase !== 'Succeeded' && phase !== 'Failed' && !isDeleting(pod)
}

export const nodeNameOf = (pod: KubeObject): string => textAt(specOf(pod)['nodeName'])

/** An int-or-percent against a total. */
export function scaledValue(value: unknown, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(textAt(value))?.[1]
  if (percent === undefined) return 0
  const exact = (Number(percent) * total) / 100
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}

/** The pod a template makes, owned by its controller. */
export function podFromTemplate(
  template: unknown,
  owner: KubeObject,
  extra: { name?: string; labels?: Record<string, string>; annotations?: Record<string, string> } = {},
): KubeObject {
  const { metadata, spec } = objectAt(template)
  const { labels, annotations, finalizers } = objectAt(metadata) as KubeObject['metadata']
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(extra.name === undefined ? { generateName: `${owner.metadata.name ?? ''}-` } : { name: extra.name }),
      namespace: owner.metadata.namespace ?? '',
      labels: { ...labels, ...extra.labels },
      ...(annotations === undefined && extra.annotations === undefined ? {} : { annotations: { ...annotations, ...extra.annotations } }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [newControllerRef(owner)],
    },
    spec: structuredClone(objectAt(spec)),
  }
}
