import type { KubeObject } from '#shared/kubernetes/object.ts'
import { SupersededVersions } from '../../supersededVersions.ts'
import { hasTracking } from './jobPods.ts'

/**
 * What the controller has written and its informers have not told yet. Watches of jobs and pods are not in step: a pod still
 * with its finalizer beside a job that has counted it would count twice, and a pod without it beside a job that has not would
 * not count at all (upstream's uidTrackingExpectations and its batching of pod events).
 */
export class SeenProgress {
  readonly jobs = new SupersededVersions()
  /** Job uid to the uids of pods whose tracking finalizer was removed, until a copy without it is seen. */
  readonly #released = new Map<string, Set<string>>()

  release(job: KubeObject, pods: readonly KubeObject[]): void {
    if (pods.length === 0) return
    const uid = job.metadata.uid ?? ''
    const released = this.#released.get(uid) ?? new Set()
    this.#released.set(uid, released)
    for (const pod of pods) released.add(pod.metadata.uid ?? '')
  }

  /** Pods that are shown with a finalizer they do not have any more. */
  released(job: KubeObject, pods: readonly KubeObject[]): ReadonlySet<string> {
    const released = this.#released.get(job.metadata.uid ?? '')
    if (released === undefined) return new Set()
    const stale = new Set(pods.filter(hasTracking).map(({ metadata }) => metadata.uid ?? ''))
    for (const uid of released) if (!stale.has(uid)) released.delete(uid)
    return released
  }

  forget(job: KubeObject): void {
    this.jobs.forget(job)
    this.#released.delete(job.metadata.uid ?? '')
  }
}
