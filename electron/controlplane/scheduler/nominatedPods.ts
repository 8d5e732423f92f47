import type { KubeObject } from '#shared/kubernetes/object.ts'
import { priorityOf } from '#shared/planning/scheduling/pod.ts'

/** Pods for which others were asked to leave, by the node they are to come to. */
export class NominatedPods {
  readonly #nodes = new Map<string, string>()
  readonly #byNode = new Map<string, Map<string, KubeObject>>()

  /** @param node '' when the pod is to come nowhere any more */
  set(pod: KubeObject, node: string): void {
    const uid = pod.metadata.uid ?? ''
    const before = this.#nodes.get(uid)
    if (before !== undefined) {
      this.#byNode.get(before)?.delete(uid)
      this.#nodes.delete(uid)
    }
    if (node === '') return
    this.#nodes.set(uid, node)
    const pods = this.#byNode.get(node)
    if (pods === undefined) this.#byNode.set(node, new Map([[uid, pod]]))
    else pods.set(uid, pod)
  }

  /** Others of at least the pod's priority that are to come to the node: their room is theirs. */
  on(node: string, pod: KubeObject): KubeObject[] {
    const pods = this.#byNode.get(node)
    if (pods === undefined || pods.size === 0) return []
    return [...pods.values()].filter((other) => other.metadata.uid !== pod.metadata.uid && priorityOf(other) >= priorityOf(pod))
  }

  /** Those of less priority that are to come to the node. */
  below(node: string, pod: KubeObject): KubeObject[] {
    return [...(this.#byNode.get(node)?.values() ?? [])].filter((other) => priorityOf(other) < priorityOf(pod))
  }
}
