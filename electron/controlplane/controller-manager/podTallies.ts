import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Informer } from '#electron/client/informer.ts'
import { controllerRef, isPodActive, isPodReady, keyOf } from './controller.ts'

/** Pods of one controller that have the same labels. */
export interface PodTally {
  readonly labels: Readonly<Record<string, string>> | undefined
  pods: number
  /** Neither ended nor being deleted. */
  active: number
  /** Active and ready. */
  ready: number
}

interface Counted {
  uid: string
  tally: PodTally
  labelsText: string
  active: 0 | 1
  ready: 0 | 1
}

/**
 * Counts each controller's pods as they come, change and go: what a workload of thousands of pods has is known for each change
 * of one of them without going through the others.
 */
export class PodTallies {
  readonly #kind: string
  readonly #byController = new Map<string, Map<string, PodTally>>()
  readonly #byPod = new Map<string, Counted>()

  /** @param kind of the controllers. Who hears of the informer's events later than this hears of pods that are counted already. */
  constructor(pods: Informer, kind: string) {
    this.#kind = kind
    for (const pod of pods.list()) this.#count(pod)
    pods.onEvent(({ type, object }) => {
      this.#discount(object)
      if (type !== 'delete') this.#count(object)
    })
  }

  /** The pods of a controller, by their labels. */
  of(uid: string): readonly PodTally[] {
    return [...(this.#byController.get(uid)?.values() ?? [])]
  }

  #count(pod: KubeObject): void {
    const ref = controllerRef(pod)
    if (ref?.kind !== this.#kind) return
    const { labels } = pod.metadata
    const labelsText = JSON.stringify(labels ?? {})
    const active = isPodActive(pod) ? 1 : 0
    const ready = active === 1 && isPodReady(pod) ? 1 : 0
    let tallies = this.#byController.get(ref.uid)
    if (tallies === undefined) this.#byController.set(ref.uid, (tallies = new Map<string, PodTally>()))
    let tally = tallies.get(labelsText)
    if (tally === undefined) tallies.set(labelsText, (tally = { labels, pods: 0, active: 0, ready: 0 }))
    tally.pods += 1
    tally.active += active
    tally.ready += ready
    this.#byPod.set(keyOf(pod), { uid: ref.uid, tally, labelsText, active, ready })
  }

  #discount(pod: KubeObject): void {
    const key = keyOf(pod)
    const counted = this.#byPod.get(key)
    if (counted === undefined) return
    const { uid, tally, labelsText, active, ready } = counted
    this.#byPod.delete(key)
    tally.pods -= 1
    tally.active -= active
    tally.ready -= ready
    if (tally.pods > 0) return
    const tallies = this.#byController.get(uid)
    tallies?.delete(labelsText)
    if (tallies?.size === 0) this.#byController.delete(uid)
  }
}
