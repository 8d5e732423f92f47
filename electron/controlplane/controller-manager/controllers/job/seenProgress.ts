import type { KubeObject } from '#shared/kubernetes/object.ts'
import { hasTracking } from './jobPods.ts'

interface Progress {
  /** Resource versions of the job that this controller has written over. */
  superseded: Set<string>
  /** uids of pods whose tracking finalizer was removed, until a copy without it is seen. */
  released: Set<string>
}

/**
 * What the controller has written and its informers have not told yet. Watches of jobs and pods are not in step: a pod still
 * with its finalizer beside a job that has counted it would count twice, and a pod without it beside a job that has not would
 * not count at all (upstream's uidTrackingExpectations and its batching of pod events).
 */
export class SeenProgress {
  readonly #ofJobs = new Map<string, Progress>()

  /** The job's version that was just replaced; a write that went through proves that nothing came between. */
  supersede(job: KubeObject): void {
    this.#of(job).superseded.add(job.metadata.resourceVersion ?? '')
  }

  /** Whether the informer still holds a version that was replaced. A version of its own clears what is remembered. */
  isSuperseded(job: KubeObject): boolean {
    const { superseded } = this.#of(job)
    if (superseded.has(job.metadata.resourceVersion ?? '')) return true
    superseded.clear()
    return false
  }

  release(job: KubeObject, pods: readonly KubeObject[]): void {
    const { released } = this.#of(job)
    for (const pod of pods) released.add(pod.metadata.uid ?? '')
  }

  /** Pods that are shown with a finalizer they do not have any more. */
  released(job: KubeObject, pods: readonly KubeObject[]): ReadonlySet<string> {
    const { released } = this.#of(job)
    const stale = new Set(pods.filter(hasTracking).map(({ metadata }) => metadata.uid ?? ''))
    for (const uid of released) if (!stale.has(uid)) released.delete(uid)
    return released
  }

  forget(job: KubeObject): void {
    this.#ofJobs.delete(job.metadata.uid ?? '')
  }

  #of(job: KubeObject): Progress {
    const uid = job.metadata.uid ?? ''
    let progress = this.#ofJobs.get(uid)
    if (progress === undefined) {
      progress = { superseded: new Set(), released: new Set() }
      this.#ofJobs.set(uid, progress)
    }
    return progress
  }
}
