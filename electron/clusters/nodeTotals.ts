import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { NodeTotals } from '#shared/resources/columns.ts'
import { textAt } from '#shared/resources/fields.ts'
import { podResource } from '#shared/resources/pods.ts'

const FIELDS = ['pods', 'cpuRequestCores', 'memoryRequestBytes', 'cpuLimitCores', 'memoryLimitBytes'] as const

const nothing = (): NodeTotals => ({ pods: 0, cpuRequestCores: 0, memoryRequestBytes: 0, cpuLimitCores: 0, memoryLimitBytes: 0 })
const known = (value: number): number => (Number.isNaN(value) ? 0 : value)

/** Per node, the sums over the pods bound there that have not ended, kept as pods come, change and go. */
export class NodeTotalsIndex {
  readonly #pods = new Map<string, { node: string; share: NodeTotals }>()
  readonly #nodes = new Map<string, NodeTotals>()

  clear(): void {
    this.#pods.clear()
    this.#nodes.clear()
  }

  /** Null while no pod has been seen at all: then nothing is known, not even zero. */
  of(node: string): NodeTotals | null {
    return this.#pods.size === 0 ? null : (this.#nodes.get(node) ?? nothing())
  }

  /** Takes a pod as it is now (null: gone); returns the nodes whose sums have changed. */
  set(key: string, pod: KubeObject | null): string[] {
    const before = this.#pods.get(key)
    const node = pod === null ? '' : textAt(pod, 'spec', 'nodeName')
    const ended = pod !== null && ['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase'))
    const after = pod === null || node === '' || ended ? undefined : { node, share: share(pod) }
    if (before !== undefined && after !== undefined && before.node === after.node && FIELDS.every((field) => before.share[field] === after.share[field]))
      return []
    if (before !== undefined) this.#add(before.node, before.share, -1)
    if (after === undefined) this.#pods.delete(key)
    else {
      this.#pods.set(key, after)
      this.#add(after.node, after.share, 1)
    }
    return [...new Set([before?.node, after?.node].filter((each) => each !== undefined))]
  }

  #add(node: string, part: NodeTotals, sign: 1 | -1): void {
    const totals = this.#nodes.get(node) ?? nothing()
    for (const field of FIELDS) totals[field] += sign * part[field]
    this.#nodes.set(node, totals)
  }
}

function share(pod: KubeObject): NodeTotals {
  return {
    pods: 1,
    cpuRequestCores: known(podResource(pod, 'requests', 'cpu')),
    memoryRequestBytes: known(podResource(pod, 'requests', 'memory')),
    cpuLimitCores: known(podResource(pod, 'limits', 'cpu')),
    memoryLimitBytes: known(podResource(pod, 'limits', 'memory')),
  }
}
