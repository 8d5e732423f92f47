import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isAlreadyExists, isNotFound } from '#shared/kubernetes/status.ts'
import { PODS } from './apiClient.ts'
import type { StaticPodChange } from './kubelet.ts'
import { refusalOf } from './nodeAdmission.ts'
import { PodWorker, type PodWorkerOptions } from './podWorker.ts'
import { CONFIG_MIRROR, mirrorOf, readManifests } from './staticPods.ts'
import type { Pod } from './types.ts'

const DEFAULT_GRACE_SECONDS = 30
const MIRROR_RETRY_MS = 500

/** The pods of one node: those bound to it in the API, and those its manifest directory describes. */
export class PodManager {
  readonly #options: { worker: PodWorkerOptions; nodeUid(): string; onStaticPod?(change: StaticPodChange): void }
  /** By uid of the API object, or by hash for static pods. */
  readonly #workers = new Map<string, PodWorker>()
  /** Static pods by their full name, `kube-apiserver-cp1`. */
  readonly #static = new Map<string, PodWorker>()
  /** Static pods whose manifest went; the same one may be back, under the same uid, before they have ended. */
  readonly #leaving = new Set<PodWorker>()
  #life = new AbortController()

  constructor(options: { worker: PodWorkerOptions; nodeUid(): string; onStaticPod?(change: StaticPodChange): void }) {
    this.#options = options
  }

  workers(): PodWorker[] {
    return [...this.#workers.values()]
  }

  /** By uid, or by name when the uid is a mirror's or not known. */
  find({ namespace, name, uid }: { namespace: string; name: string; uid: string }): PodWorker | undefined {
    return this.#workers.get(uid) ?? this.workers().find(({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name === name)
  }

  /** The API's whole list: pods that are not in it are ended. */
  replace(items: KubeObject[]): void {
    const uids = new Set(items.map(({ metadata }) => metadata.uid))
    for (const [uid, worker] of this.#workers) if (!uids.has(uid) && this.#static.get(worker.pod.metadata.name ?? '') !== worker) this.#drop(uid, worker)
    const mirrored = new Set(items.filter(({ metadata }) => metadata.annotations?.[CONFIG_MIRROR] !== undefined).map(({ metadata }) => metadata.name))
    for (const [name, worker] of this.#static) if (!mirrored.has(name)) worker.statusTarget = null
    for (const item of items) this.upsert(item)
    for (const worker of this.#static.values()) if (worker.statusTarget === null) void this.#createMirror(worker)
  }

  upsert(object: KubeObject): void {
    const pod = object as Pod
    const { uid = '', name = '', namespace = 'default', deletionTimestamp, deletionGracePeriodSeconds, annotations } = pod.metadata
    const mirrorHash = annotations?.[CONFIG_MIRROR]
    if (mirrorHash !== undefined) {
      const worker = this.#static.get(name)
      if (worker === undefined || worker.pod.metadata.uid !== mirrorHash || deletionTimestamp !== undefined) void this.#removeMirror({ namespace, name, uid })
      else if (worker.statusTarget?.uid !== uid) {
        worker.statusTarget = { namespace, name, uid }
        worker.refresh()
      }
      return
    }
    let worker = this.#workers.get(uid)
    const over = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
    if (worker === undefined) {
      // One that is over is kept for its logs; its containers must have ended with it.
      if (
        over &&
        deletionTimestamp === undefined &&
        [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].some(({ state }) => 'running' in state)
      )
        return
      const ran = (pod.status?.containerStatuses ?? []).length > 0
      const others = this.workers()
        .filter(({ isOver }) => !isOver)
        .map((each) => each.pod)
      const refusal = over || ran || deletionTimestamp !== undefined ? null : refusalOf(pod, others, this.#options.worker.nodeAllocatable())
      worker = new PodWorker(pod, { ...this.#options.worker, static: false })
      this.#workers.set(uid, worker)
      if (refusal !== null) worker.refuse(refusal)
      else if (!over) worker.start()
    } else worker.update({ ...pod, status: pod.status ?? worker.pod.status ?? { phase: 'Pending' } })
    if (deletionTimestamp !== undefined)
      void worker.terminate((deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000, { remove: true })
  }

  /** The API says the object is gone: whatever still runs ends now. */
  remove(object: KubeObject): void {
    const { uid = '', name = '', annotations } = object.metadata
    const worker = this.#workers.get(uid)
    if (worker !== undefined) {
      // There is nothing left that could be told of its end.
      worker.statusTarget = null
      this.#drop(uid, worker)
    }
    const fixed = this.#static.get(name)
    if (annotations?.[CONFIG_MIRROR] !== undefined && fixed?.statusTarget?.uid === uid) {
      fixed.statusTarget = null
      void this.#createMirror(fixed)
    }
  }

  /** Reads the manifest directory and makes the static pods be what it says. */
  readStatic(directory: string): void {
    const { clock, logger, node } = this.#options.worker
    const wanted = new Map(readManifests(directory, { node, nowMs: clock.now(), logger }).map((pod) => [pod.metadata.name ?? '', pod]))
    for (const [name, worker] of this.#static) {
      const pod = wanted.get(name)
      if (pod?.metadata.uid === worker.pod.metadata.uid) wanted.delete(name)
      else void this.#replaceStatic(name, worker, pod)
    }
    for (const [name, pod] of wanted) if (!this.#static.has(name)) this.#startStatic(pod)
  }

  /** Ends every container at once, as somebody who removes them behind the kubelet's back; nobody is told. */
  async removeAll(): Promise<void> {
    const all = [...this.workers(), ...this.#leaving]
    for (const { pod } of this.#static.values()) this.#tell(pod, false)
    this.#workers.clear()
    this.#static.clear()
    await Promise.all(
      all.map(async (worker) => {
        await worker.terminate(0, { remove: false })
        worker.abandon()
      }),
    )
  }

  /** Forgets everything without telling anybody. */
  abandon(): void {
    this.#life.abort(new Error('the kubelet stopped'))
    this.#life = new AbortController()
    for (const worker of [...this.#workers.values(), ...this.#leaving]) worker.abandon()
    this.#workers.clear()
    this.#static.clear()
    this.#leaving.clear()
  }

  async #replaceStatic(name: string, worker: PodWorker, pod: Pod | undefined): Promise<void> {
    const { signal } = this.#life
    this.#static.delete(name)
    this.#tell(worker.pod, false)
    const target = worker.statusTarget
    this.#leaving.add(worker)
    await worker.terminate(DEFAULT_GRACE_SECONDS * 1000, { remove: false })
    this.#leaving.delete(worker)
    const { uid = '' } = worker.pod.metadata
    if (this.#workers.get(uid) === worker) this.#workers.delete(uid)
    if (target !== null) await this.#removeMirror(target)
    if (pod !== undefined && !signal.aborted && !this.#static.has(name)) this.#startStatic(pod)
  }

  #startStatic(pod: Pod): void {
    const worker = new PodWorker(pod, { ...this.#options.worker, static: true, onReady: () => this.#tell(pod, true) })
    this.#static.set(pod.metadata.name ?? '', worker)
    this.#workers.set(pod.metadata.uid ?? '', worker)
    worker.start()
    void this.#createMirror(worker)
  }

  #tell(pod: Pod, running: boolean): void {
    const { node } = this.#options.worker
    this.#options.onStaticPod?.({ component: (pod.metadata.name ?? '').slice(0, -node.length - 1), image: pod.spec.containers[0]?.image ?? '', running })
  }

  /** Tries until the mirror is there, the static pod is another one, or the kubelet stops: the API server may itself be a static pod that starts. */
  async #createMirror(worker: PodWorker): Promise<void> {
    const { api, clock, logger } = this.#options.worker
    const { namespace = 'default', name = '' } = worker.pod.metadata
    const { signal } = this.#life
    while (!signal.aborted && this.#static.get(name) === worker && worker.statusTarget === null) {
      try {
        const nodeUid = this.#options.nodeUid()
        if (nodeUid !== '') {
          const created = await api.create({ gvr: PODS, namespace }, mirrorOf(worker.pod, nodeUid), signal)
          if (this.#static.get(name) !== worker) return
          worker.statusTarget = { namespace, name, uid: created.metadata.uid ?? '' }
          worker.refresh()
          return
        }
      } catch (error) {
        if (signal.aborted) return
        if (isAlreadyExists(error)) {
          const existing = await api.get({ gvr: PODS, namespace, name }, signal).catch(() => null)
          if (existing !== null) this.upsert(existing)
        } else logger.debug('mirror pod not made', { pod: name, error: String(error) })
      }
      await clock.sleep(MIRROR_RETRY_MS, { signal }).catch(() => undefined)
    }
  }

  async #removeMirror({ namespace, name, uid }: { namespace: string; name: string; uid: string }): Promise<void> {
    const { api, clock, logger } = this.#options.worker
    const { signal } = this.#life
    for (let attempt = 0; attempt < 20 && !signal.aborted; attempt++) {
      try {
        await api.remove({ gvr: PODS, namespace, name }, uid, signal)
        return
      } catch (error) {
        if (isNotFound(error) || signal.aborted) return
        logger.debug('mirror pod not removed', { pod: name, error: String(error) })
        await clock.sleep(MIRROR_RETRY_MS, { signal }).catch(() => undefined)
      }
    }
  }

  #drop(uid: string, worker: PodWorker): void {
    this.#workers.delete(uid)
    void worker.terminate(0, { remove: false })
  }
}
