import type { KubeObject } from '#shared/kubernetes/object.ts'
import { keyOf, objectsAt, statusOf, textAt } from '../../controller.ts'

interface Seen {
  service: string
  pods: Map<string, string>
}

const readySince = (pod: KubeObject): string => textAt(objectsAt(statusOf(pod)['conditions']).find((each) => each['type'] === 'Ready')?.['lastTransitionTime'])

/**
 * When what a service's endpoints depend on changed, for measuring how long they took: the earliest change since the last look, the
 * service's creation at the first.
 *
 * @see pkg/controller/util/endpoint/trigger_time_tracker.go
 */
export class TriggerTimes {
  readonly #seen = new Map<string, Seen>()

  /** @returns undefined when nothing has changed since the last look */
  next(service: KubeObject, members: readonly KubeObject[]): string | undefined {
    const key = keyOf(service)
    const known = this.#seen.get(key)
    const created = service.metadata.creationTimestamp ?? ''
    const pods = new Map(members.map((pod) => [pod.metadata.name ?? '', readySince(pod)]))
    this.#seen.set(key, { service: created, pods })
    if (known === undefined) return created === '' ? undefined : created
    const changed = [...pods].flatMap(([name, time]) => (time > (known.pods.get(name) ?? '') ? [time] : []))
    if (created > known.service) changed.push(created)
    return changed.sort()[0]
  }

  forget(key: string): void {
    this.#seen.delete(key)
  }
}
