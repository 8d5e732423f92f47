import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import { PODS, type ApiClient } from './apiClient.ts'
import { isRunByShell } from './containerProcess.ts'
import { Deadline } from './deadline.ts'
import { canBeDeferred, ROOT_CA, runsUnseen, showsRootCa } from './deferredSetup.ts'
import { ContainerManager, type ContainerHost } from './containerManager.ts'
import type { EventRecorder } from './eventRecorder.ts'
import type { ImageStore } from './imageStore.ts'
import { runLifecycleHandler } from './lifecycleHandler.ts'
import { hostnameOf } from './podIdentity.ts'
import type { Refusal } from './nodeAdmission.ts'
import type { NetworkPeer, PodNetwork } from './podNetwork.ts'
import { PodSetup } from './podSetup.ts'
import { podStatus } from './podStatus.ts'
import { isTold } from './toldStatus.ts'
import { parseQuantity } from './quantity.ts'
import type { Network } from './shell/process.ts'
import { timestamp, type Container, type ContainerStatus, type Pod, type PodStatus } from './types.ts'

export interface PodWorkerOptions {
  api: ApiClient
  clock: Clock
  random: Random
  logger: Logger
  events: EventRecorder
  images: ImageStore
  node: string
  hostIP: string
  /** The node's `/` on this machine's disk. */
  nodeRoot: string
  /** Minor release of the kubelet. */
  minor(): number
  /** PEM of a certificate for `localhost`, for images that carry one. */
  localhost?: () => { certificate: string; key: string }
  /** By resource name, as the node's status tells it. */
  nodeAllocatable(): Record<string, string>
  /** The node's `/var/lib/kubelet/pods` on this machine's disk. */
  podsDir: string
  /** The node's `/var/log/pods`. */
  logsDir: string
  /** Whether a ConfigMap is there, as far as this node knows. */
  hasConfigMap(namespace: string, name: string, signal: AbortSignal): Promise<boolean>
  /** Resolves once the node has a pod range. */
  allocateIP(uid: string, wanted: string | undefined, signal: AbortSignal): Promise<string>
  releaseIP(uid: string): void
  /** What its containers reach; null for nothing. */
  network: PodNetwork | null
  /** All containers are ready for the first time. */
  onReady?(): void
}

/** The API server may be away (it can be a static pod of this very node): statuses are sent again after this. */
const STATUS_RETRY_MS = 500
/** The status manager's period of looking at every pod anew. */
const REMOVE_RETRY_MS = 10_000
/** First wait before volumes that could not be set up are tried again; doubles to the maximum. */
const VOLUME_RETRY_MS = 500
const MAX_VOLUME_RETRY_MS = 122_000
/** Objects that volumes show are looked at this often, and when the pod changes. */
const VOLUME_REFRESH_MS = 20_000

/** Who asks when the kubelet itself does. */
function nodePeer({ node, hostIP }: PodWorkerOptions): NetworkPeer {
  return { namespace: '', hostname: node, node, podIP: hostIP, connectLocal: () => null, exchangeLocal: () => undefined }
}

/** One pod on this node, from admission to the end of its last container. */
export class PodWorker {
  pod: Pod
  /** The API object the status goes to; for a static pod its mirror, once it is there. */
  statusTarget: { namespace: string; name: string; uid: string } | null
  readonly #options: PodWorkerOptions
  readonly #life = new AbortController()
  /** The kubelet stopped; a pod's life ends before its object is removed, and that goes on. */
  readonly #abandoned = new AbortController()
  readonly #containers: ContainerManager[]
  readonly #initContainers: ContainerManager[]
  /** Added by `kubectl debug` while the pod runs; their ends mean nothing to the pod. */
  readonly #ephemeral: ContainerManager[] = []
  readonly #setup: PodSetup
  readonly #startTime: string
  readonly #deadline = new Deadline()
  /** Its containers ran when it was taken over. */
  readonly #isAdopted: boolean
  /** Volumes and variables are made when somebody looks for them. */
  #isDeferred = false
  #failure: { reason: string; message: string } | null = null
  #podIP: string
  #initialized = false
  #finished = false
  #terminating: Promise<void> | null = null
  /** Made before the first container that was not running when the pod was taken over, or when somebody looks into one that was. */
  #volumes: Promise<void> | null = null
  #dirty = false
  #wasReady = false
  #flushing = false
  #sent = ''
  #idle: (() => void)[] = []

  constructor(pod: Pod, options: PodWorkerOptions & { static: boolean }) {
    this.pod = pod
    this.#options = options
    const { namespace = 'default', name = '', uid = '' } = pod.metadata
    this.statusTarget = options.static ? null : { namespace, name, uid }
    this.#startTime = pod.status?.startTime ?? timestamp(options.clock.now())
    this.#isAdopted = pod.status?.containerStatuses?.some(({ state }) => 'running' in state) === true
    this.#podIP = pod.spec.hostNetwork === true ? options.hostIP : (pod.status?.podIP ?? '')
    this.#setup = new PodSetup({
      api: options.api,
      clock: options.clock,
      facts: () => ({ pod: this.pod, nodeName: options.node, hostIP: options.hostIP, podIP: this.#podIP, nodeAllocatable: options.nodeAllocatable() }),
      services: (signal) => options.network?.services(signal) ?? Promise.resolve([]),
      podDir: join(options.podsDir, uid),
      nodeRoot: options.nodeRoot,
    })
    const manager = (container: Container, init: boolean, statuses: ContainerStatus[] | undefined): ContainerManager =>
      new ContainerManager(
        container,
        this.#host(container, init ? 'initContainers' : 'containers'),
        statuses?.find((status) => status.name === container.name && ('running' in status.state || 'terminated' in status.state)),
      )
    this.#initContainers = (pod.spec.initContainers ?? []).map((container) => manager(container, true, pod.status?.initContainerStatuses))
    this.#containers = pod.spec.containers.map((container) => manager(container, false, pod.status?.containerStatuses))
  }

  /** Starts the pod's life; returns at once. */
  start(): void {
    this.#life.signal.addEventListener('abort', () => {
      for (const container of this.#all()) container.current?.abandon()
    })
    this.#run().catch((error: unknown) => {
      if (!this.#life.signal.aborted && this.#terminating === null)
        this.#options.logger.error('pod worker failed', { pod: this.pod.metadata.name, error: String(error) })
    })
  }

  /** The node does not take the pod: nothing of it is started. */
  refuse(refusal: Refusal): void {
    this.#failure = refusal
    this.#options.events.record(this.#involved(), { type: 'Warning', ...refusal })
    this.#end()
  }

  /** Every container ended for good. */
  get isOver(): boolean {
    return this.#finished
  }

  /** The API's newer state of the pod: debug containers may have been added, labels changed. */
  update(pod: Pod): void {
    const { labels, annotations } = this.pod.metadata
    const told = JSON.stringify([labels, annotations]) !== JSON.stringify([pod.metadata.labels, pod.metadata.annotations])
    this.pod = pod
    if (told && this.#initialized && this.#volumes !== null) void this.#refreshVolumes()
    this.#watchDeadline()
    if (this.#initialized && !this.#finished && this.#terminating === null) this.#startEphemeral()
  }

  #startEphemeral(): void {
    for (const container of this.pod.spec.ephemeralContainers ?? []) {
      if (this.#ephemeral.some((one) => one.container.name === container.name)) continue
      const adopted = this.pod.status?.ephemeralContainerStatuses?.find(({ name, state }) => name === container.name && !('waiting' in state))
      const manager = new ContainerManager(container, this.#host(container, 'ephemeralContainers'), adopted)
      this.#ephemeral.push(manager)
      manager.run('Never').catch((error: unknown) => {
        if (!this.#life.signal.aborted && this.#terminating === null)
          this.#options.logger.error('debug container failed', { pod: this.pod.metadata.name, error: String(error) })
      })
    }
  }

  container(name: string): ContainerManager | undefined {
    return this.#all().find(({ container }) => container.name === name)
  }

  get podIP(): string {
    return this.#podIP
  }

  /** Until containers that were taken over can be looked into and connected to. */
  async prepare(): Promise<void> {
    await Promise.all(this.#all().map((container) => container.prepare()))
  }

  /** A connection to the container that listens on the port; null when none does. */
  connect(port: number, from?: string): Duplex | null {
    for (const { current } of this.#all()) {
      const connection = current?.connect(port, from) ?? null
      if (connection !== null) return connection
    }
    return null
  }

  /** What a container answers a datagram; undefined when none receives on the port. */
  exchange(port: number, message: Buffer, from: string): Buffer | null | undefined {
    for (const { current } of this.#all()) {
      const answer = current?.exchange(port, message, from)
      if (answer !== undefined) return answer
    }
    return undefined
  }

  /** The container's port behind a port of one of the node's addresses (`hostPort`); null for none. */
  containerPort(hostPort: number, protocol: string, address: string): number | null {
    const ports = this.pod.spec.containers.flatMap((container) => container.ports ?? [])
    const bound = ports.filter(({ hostIP = '' }) => hostIP === '' || hostIP === '0.0.0.0' || hostIP === address)
    return bound.find((port) => port.hostPort === hostPort && (port.protocol ?? 'TCP') === protocol)?.containerPort ?? null
  }

  /** As `connect`. @throws Error in the words of a port-forward to a port on which nobody listens */
  forward(port: number): Duplex {
    const connection = this.connect(port)
    if (connection !== null) return connection
    throw new Error(
      `failed to connect to localhost:${String(port)} inside the pod's network namespace: dial tcp4 127.0.0.1:${String(port)}: connect: connection refused`,
    )
  }

  get containers(): readonly ContainerManager[] {
    return this.#containers
  }

  get isReady(): boolean {
    return this.#containers.every(({ status }) => status.ready)
  }

  /** Sends the status again, as after a mirror pod was made or the object changed. */
  refresh(): void {
    this.#sent = ''
    this.#changed()
  }

  /** Ends all containers gracefully and, for a pod of the API, removes the object. Idempotent. */
  terminate(graceMs: number, { remove }: { remove: boolean }): Promise<void> {
    this.#terminating ??= this.#terminate(graceMs, remove)
    return this.#terminating
  }

  /** The kubelet stops: nothing is told to anybody, the pod goes on in another life. */
  abandon(): void {
    this.#life.abort(new Error('the kubelet stopped'))
    this.#abandoned.abort(new Error('the kubelet stopped'))
  }

  async #run(): Promise<void> {
    const signal = this.#life.signal
    this.#changed()
    const { uid = '' } = this.pod.metadata
    if (this.pod.spec.hostNetwork !== true) this.#podIP = await this.#options.allocateIP(uid, this.#podIP === '' ? undefined : this.#podIP, signal)
    this.#watchDeadline()
    this.#isDeferred = !this.#isAdopted && (await this.#mayWait(signal))
    if (!this.#isAdopted && !this.#isDeferred) await this.#volumesReady()
    else if (this.#all().some(({ container }) => isRunByShell(container)))
      // What a shell runs may ask its neighbours at once.
      this.prepare().catch(() => undefined)
    const policy = (this.pod.spec.restartPolicy ?? 'Always') as 'Always' | 'OnFailure' | 'Never'
    for (const container of this.#initContainers) {
      // A sidecar runs beside the pod; the next container waits only for its start.
      if (container.container.restartPolicy === 'Always') void container.run('Always').catch(() => undefined)
      else {
        const exit = await container.run(policy === 'Never' ? 'Never' : 'OnFailure')
        if (exit.exitCode !== 0) {
          this.#end()
          return
        }
      }
    }
    this.#initialized = true
    this.#startEphemeral()
    await Promise.all(this.#containers.map((container) => container.run(policy)))
    this.#end()
  }

  /** Whether nothing it refers to can be missing. */
  async #mayWait(signal: AbortSignal): Promise<boolean> {
    if (!canBeDeferred(this.pod)) return false
    if (!showsRootCa(this.pod)) return true
    return this.#options.hasConfigMap(this.pod.metadata.namespace ?? 'default', ROOT_CA, signal)
  }

  #volumesReady(): Promise<void> {
    this.#volumes ??= this.#makeVolumes()
    return this.#volumes
  }

  async #makeVolumes(): Promise<void> {
    const { signal } = this.#life
    await this.#setUpVolumes(signal)
    if (this.#setup.volumes.changes) void this.#keepVolumes(signal)
  }

  async #setUpVolumes(signal: AbortSignal): Promise<void> {
    for (let waitMs = VOLUME_RETRY_MS; ; waitMs = Math.min(2 * waitMs, MAX_VOLUME_RETRY_MS)) {
      try {
        await this.#setup.volumes.setUp(signal)
        return
      } catch (error) {
        signal.throwIfAborted()
        const message = error instanceof Error ? error.message : String(error)
        this.#options.events.record(this.#involved(), { type: 'Warning', reason: 'FailedMount', message })
        await this.#options.clock.sleep(waitMs, { signal })
      }
    }
  }

  async #keepVolumes(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    while (!signal.aborted) {
      await clock.sleep(VOLUME_REFRESH_MS * (0.75 + random.next() / 2), { signal }).catch(() => undefined)
      await this.#refreshVolumes()
    }
  }

  /** What is gone or cannot be read leaves the volume as it was. */
  async #refreshVolumes(): Promise<void> {
    if (this.#life.signal.aborted || this.#finished || this.#terminating !== null) return
    try {
      await this.#setup.volumes.setUp(this.#life.signal)
    } catch (error) {
      if (!this.#life.signal.aborted) this.#options.logger.debug('volumes not renewed', { pod: this.pod.metadata.name, error: String(error) })
    }
  }

  /** Ends the pod when `activeDeadlineSeconds` are over. */
  #watchDeadline(): void {
    const { clock, events } = this.#options
    this.#deadline.set(clock, Date.parse(this.#startTime), this.pod.spec.activeDeadlineSeconds, () => {
      if (this.#finished || this.#terminating !== null || this.#life.signal.aborted) return
      this.#failure = { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' }
      events.record(this.#involved(), { type: 'Normal', reason: 'DeadlineExceeded', message: this.#failure.message })
      this.#changed()
      void this.#stopContainers((this.pod.spec.terminationGracePeriodSeconds ?? 30) * 1000)
    })
  }

  async #stopContainers(graceMs: number): Promise<void> {
    await Promise.all(this.#all().map((container) => container.stop(graceMs)))
    this.#end()
  }

  #end(): void {
    this.#deadline.cancel()
    this.#finished = true
    this.#changed()
  }

  async #terminate(graceMs: number, remove: boolean): Promise<void> {
    this.#deadline.cancel()
    await Promise.all(this.#all().map((container) => container.stop(graceMs)))
    this.#finished = true
    this.#changed()
    await this.#flushed()
    this.#life.abort(new Error('the pod was terminated'))
    this.#options.releaseIP(this.pod.metadata.uid ?? '')
    await this.#removeFiles()
    const target = this.statusTarget
    if (!remove || target === null) return
    await this.#remove(target)
  }

  /** Until the API server took it: a pod that only its kubelet can remove would stay for ever. */
  async #remove({ namespace, name, uid }: { namespace: string; name: string; uid: string }): Promise<void> {
    const { signal } = this.#abandoned
    const { api, clock, logger } = this.#options
    while (!signal.aborted) {
      try {
        await api.remove({ gvr: PODS, namespace, name }, uid, signal)
        return
      } catch (error) {
        if (signal.aborted || isNotFound(error)) return
        // Another pod has this name by now.
        if (error instanceof StatusError && error.code === 409) return
        logger.warn('terminated pod not removed, trying again', { pod: name, error: String(error) })
        await clock.sleep(REMOVE_RETRY_MS, { signal }).catch(() => undefined)
      }
    }
  }

  /** The network as the pod sees it: under its own name and address. */
  #network(hostname: string): Network | null {
    const { network, node } = this.#options
    if (network === null) return null
    const self = (): NetworkPeer => ({
      namespace: this.pod.metadata.namespace ?? 'default',
      hostname,
      node,
      podIP: this.#podIP,
      connectLocal: (port) => this.connect(port, this.#podIP),
      exchangeLocal: (port, message) => this.exchange(port, message, this.#podIP),
    })
    return {
      exchange: (to, message, signal) => network.exchange(to, message, self(), signal),
      lookup: (name, type, signal) => network.lookup(name, type, signal),
      resolve: (name, signal) => network.resolve(name, self(), signal),
      connect: (to, signal) => network.connect(to, self(), signal),
    }
  }

  #logsDir(): string {
    const { namespace = 'default', name = '', uid = '' } = this.pod.metadata
    return join(this.#options.logsDir, `${namespace}_${name}_${uid}`)
  }

  /** What the pod left on the node's disk. */
  async #removeFiles(): Promise<void> {
    // Most pods leave nothing, and looking is a tenth of what removing nothing takes.
    for (const directory of [join(this.#options.podsDir, this.pod.metadata.uid ?? ''), this.#logsDir()].filter((each) => existsSync(each)))
      await rm(directory, { recursive: true, force: true }).catch((error: unknown) => {
        this.#options.logger.warn('pod files not removed', { directory, error: String(error) })
      })
  }

  #all(): ContainerManager[] {
    return [...this.#initContainers, ...this.#containers, ...this.#ephemeral]
  }

  #host(container: Container, list: 'initContainers' | 'containers' | 'ephemeralContainers'): ContainerHost {
    const { options, fieldPath } = { options: this.#options, fieldPath: `spec.${list}{${container.name}}` }
    const { uid = '' } = this.pod.metadata
    const limits = container.resources?.limits ?? {}
    const hostname = hostnameOf(this.pod, options.node)
    return {
      clock: options.clock,
      random: options.random.fork(`${uid}/${container.name}`),
      images: options.images,
      signal: this.#life.signal,
      node: options.node,
      hostIP: options.hostIP,
      podIP: () => this.#podIP,
      hostname,
      network: this.#network(hostname),
      logDir: join(this.#logsDir(), container.name),
      rootDir: join(options.podsDir, uid, 'containers', container.name, 'rootfs'),
      limits: {
        cpuCores: limits['cpu'] === undefined ? Infinity : parseQuantity(limits['cpu']),
        memoryBytes: limits['memory'] === undefined ? Infinity : parseQuantity(limits['memory']),
      },
      runsToCompletion: (list === 'initContainers' && container.restartPolicy !== 'Always') || (this.pod.spec.restartPolicy ?? 'Always') !== 'Always',
      minor: options.minor,
      ...(options.localhost === undefined ? {} : { localhost: options.localhost }),
      isInit: list === 'initContainers' && container.restartPolicy !== 'Always',
      waitingReason: (this.pod.spec.initContainers ?? []).length > 0 && list !== 'ephemeralContainers' ? 'PodInitializing' : 'ContainerCreating',
      configure: async (signal) => {
        await this.#volumesReady()
        const { config, skipped } = await this.#setup.configure(container, signal)
        for (const message of skipped) options.events.record(this.#involved(), { type: 'Warning', reason: 'InvalidEnvironmentVariableNames', message })
        return config
      },
      isDeferred: () => this.#isDeferred && list !== 'ephemeralContainers' && runsUnseen(container),
      terminationMessage: () => this.#setup.terminationLog(container),
      runHandler: (handler, process, signal) =>
        runLifecycleHandler(
          handler,
          {
            container,
            process,
            podIP: this.#podIP,
            clock: options.clock,
            connect: (to, within) => options.network?.connect(to, nodePeer(options), within) ?? Promise.reject(new Error('Network is unreachable')),
          },
          signal,
        ),
      changed: () => {
        this.#changed()
      },
      event: (type, reason, message) => {
        options.events.record(this.#involved(), { type, reason, message, fieldPath })
      },
    }
  }

  /** The pod as events name it. */
  #involved(): Pod {
    const uid = this.statusTarget === null ? {} : { uid: this.statusTarget.uid }
    return { ...this.pod, apiVersion: 'v1', kind: 'Pod', metadata: { ...this.pod.metadata, ...uid } }
  }

  #changed(): void {
    this.#dirty = true
    if (!this.#wasReady && this.isReady) {
      this.#wasReady = true
      this.#options.onReady?.()
    }
    if (!this.#flushing) void this.#flush()
  }

  #status(): PodStatus {
    return podStatus(this.pod, {
      nowMs: this.#options.clock.now(),
      minor: this.#options.minor(),
      failure: this.#failure,
      startTime: this.#startTime,
      hostIP: this.#options.hostIP,
      podIP: this.#podIP,
      initialized: this.#initialized || this.#isAdopted || this.#initContainers.length === 0,
      finished: this.#finished,
      terminating: this.#terminating !== null,
      initStatuses: this.#initContainers.map(({ status }) => status),
      statuses: this.#containers.map(({ status }) => status),
      ephemeralStatuses: this.#ephemeral.map(({ status }) => status),
    })
  }

  /** One patch at a time; changes meanwhile go with the next. */
  async #flush(): Promise<void> {
    this.#flushing = true
    // Changes of the same turn (Created, Started, Running) go together.
    await Promise.resolve()
    while (this.#dirty && !this.#life.signal.aborted) {
      this.#dirty = false
      const target = this.statusTarget
      if (target === null) break
      const status = this.#status()
      const text = JSON.stringify(status)
      if (text === this.#sent) continue
      // A pod that was taken over as it stands needs no word; the mirror of a static pod is another object than the one looked at here.
      if (this.#sent === '' && target.uid === this.pod.metadata.uid && isTold(status, this.pod.status)) {
        this.#sent = text
        continue
      }
      try {
        const updated = await this.#options.api.patch(
          { gvr: PODS, namespace: target.namespace, name: target.name, subresource: 'status' },
          { metadata: { uid: target.uid }, status },
          this.#life.signal,
        )
        this.pod = { ...this.pod, status: (updated as Pod).status ?? status }
        this.#sent = text
      } catch (error) {
        if (this.#life.signal.aborted || isNotFound(error)) break
        this.#options.logger.debug('pod status not told', { pod: target.name, error: String(error) })
        this.#dirty = true
        if (this.#terminating !== null && this.#finished) break
        await this.#options.clock.sleep(STATUS_RETRY_MS, { signal: this.#life.signal }).catch(() => undefined)
      }
    }
    this.#flushing = false
    for (const wake of this.#idle.splice(0)) wake()
  }

  #flushed(): Promise<void> {
    return this.#flushing ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }
}
