import type { KubeObject } from '../../kubernetes/object.ts'
import { addResources, hostPorts, nonZeroRequests, objectAt, podRequests, resourcesOf, type HostPort, type Resources } from './pod.ts'
import { taintsOf, type Taint } from './taints.ts'

const keyOf = ({ metadata }: KubeObject): string => metadata.uid ?? `${metadata.namespace ?? ''}/${metadata.name ?? ''}`

/** A node with what runs on it, in numbers that scheduling compares. */
export class NodeInfo {
  readonly name: string
  node: KubeObject
  allocatable: Resources
  taints: Taint[]
  readonly pods = new Map<string, KubeObject>()
  readonly requested: Resources = new Map()
  nonZeroCpu = 0
  nonZeroMemory = 0

  constructor(node: KubeObject) {
    this.name = node.metadata.name ?? ''
    this.node = node
    this.allocatable = resourcesOf(objectAt(node['status'])['allocatable'])
    this.taints = taintsOf(node)
  }

  update(node: KubeObject): void {
    this.node = node
    this.allocatable = resourcesOf(objectAt(node['status'])['allocatable'])
    this.taints = taintsOf(node)
  }

  add(pod: KubeObject): void {
    this.remove(pod)
    this.pods.set(keyOf(pod), pod)
    this.#count(pod, 1)
  }

  remove(pod: KubeObject): void {
    const known = this.pods.get(keyOf(pod))
    if (known === undefined) return
    this.pods.delete(keyOf(pod))
    this.#count(known, -1)
  }

  usedPorts(): HostPort[] {
    return [...this.pods.values()].flatMap(hostPorts)
  }

  /** A copy without some pods, for asking what would fit if they went. */
  without(pods: Iterable<KubeObject>): NodeInfo {
    const copy = new NodeInfo(this.node)
    for (const pod of this.pods.values()) copy.add(pod)
    for (const pod of pods) copy.remove(pod)
    return copy
  }

  #count(pod: KubeObject, sign: 1 | -1): void {
    const requests = podRequests(pod)
    addResources(this.requested, requests, sign)
    const { cpu, memory } = nonZeroRequests(requests)
    this.nonZeroCpu += sign * cpu
    this.nonZeroMemory += sign * memory
  }
}
