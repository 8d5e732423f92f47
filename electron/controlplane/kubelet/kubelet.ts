import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { ApiClient, CONFIG_MAPS, NODES, PODS } from './apiClient.ts'
import { EventRecorder } from './eventRecorder.ts'
import { ImageStore } from './imageStore.ts'
import { NodeLease } from './nodeLease.ts'
import { newNode, nodeStatus, type NodeCapacity } from './nodeStatus.ts'
import { OwnNode } from './ownNode.ts'
import { PodAddresses } from './podAddresses.ts'
import type { PodNetwork } from './podNetwork.ts'
import { PodManager } from './podManager.ts'
import type { PodWorker } from './podWorker.ts'
import { watchManifests } from './staticPods.ts'

export interface KubeletOptions {
  transport: Transport
  clock: Clock
  random: Random
  logger: Logger
  name: string
  internalIP: string
  capacity: NodeCapacity
  labels: Record<string, string>
  taints(): { key: string; effect: string }[]
  /** Whether the service finds what it needs to run. @default it does */
  isConfigured?(): boolean
  /** The node's `/` on this machine's disk. */
  rootDir: string
  /** The installed kubelet's version, read at each start of the service. */
  readVersion(): string
  /** Images that are on the node from the beginning. */
  images: readonly string[]
  /** PEM of a certificate for `localhost`, for images that carry one. */
  localhost?: () => { certificate: string; key: string }
  /** What containers reach beyond their pod; none without. */
  network?: PodNetwork
  /** A static pod's containers started, or it went away. */
  onStaticPod?(change: StaticPodChange): void
}

export interface StaticPodChange {
  /** `kube-apiserver`, without the node's name. */
  component: string
  image: string
  running: boolean
}

/** Upstream's nodeStatusUpdateFrequency, and how often the Lease is renewed. */
const STATUS_EVERY_MS = 10_000
/** A status without news is told this seldom. */
const STATUS_QUIET_MS = 300_000
const RETRY_MS = 250
/** How long a restarted kubelet is not ready: until its first look at the runtime. */
const WARM_UP_MS = 1_000
/** Memory and CPU of a node's own services, in the usage of the node. */
const SYSTEM_MEMORY_BYTES = 380 * 2 ** 20
const SYSTEM_CPU_CORES = 0.05

/** A simulated node agent: registers its node, beats, and runs the pods bound to it. */
export class Kubelet {
  readonly #options: KubeletOptions
  readonly #api: ApiClient
  readonly #images: ImageStore
  readonly pods: PodManager
  readonly #life = new AbortController()
  #session: { controller: AbortController; done: Promise<void> } | null = null
  readonly #node: OwnNode
  readonly #lease: NodeLease
  #version = ''
  #warmUntilMs = 0
  #statusToldMs = 0
  #lastStatus = ''
  /** What the status is made of that had no news. */
  #lastFacts = ''
  #addresses: PodAddresses | null = null
  #onRange: ((cidr: string) => void)[] = []
  /** ConfigMaps that were seen, as `namespace/name`. */
  readonly #configMaps = new Set<string>()

  constructor(options: KubeletOptions) {
    this.#options = options
    const { clock, random, logger, name, internalIP, rootDir } = options
    this.#api = new ApiClient(options.transport)
    this.#images = new ImageStore({ clock, random: random.fork('images'), present: options.images })
    this.#node = new OwnNode({
      api: this.#api,
      clock,
      logger,
      name,
      make: () => {
        this.#statusToldMs = 0
        return newNode(name, { labels: options.labels, taints: options.taints() })
      },
      onChange: (node) => this.#learnRange(node),
    })
    this.#lease = new NodeLease({ api: this.#api, clock, name, nodeUid: () => this.#node.current?.metadata.uid ?? '' })
    const events = new EventRecorder({ api: this.#api, clock, logger, component: 'kubelet', host: name, signal: this.#life.signal })
    this.pods = new PodManager({
      ...(options.onStaticPod === undefined ? {} : { onStaticPod: options.onStaticPod }),
      nodeUid: () => this.#node.current?.metadata.uid ?? '',
      worker: {
        network: options.network ?? null,
        api: this.#api,
        clock,
        random,
        logger,
        events,
        images: this.#images,
        node: name,
        hostIP: internalIP,
        nodeRoot: rootDir,
        ...(options.localhost === undefined ? {} : { localhost: options.localhost }),
        minor: () => minorOf(this.#version),
        nodeAllocatable: () => (this.#node.current?.['status'] as { allocatable?: Record<string, string> } | undefined)?.allocatable ?? {},
        podsDir: join(rootDir, 'var/lib/kubelet/pods'),
        logsDir: join(rootDir, 'var/log/pods'),
        hasConfigMap: (namespace, mapName, signal) => this.#hasConfigMap(namespace, mapName, signal),
        allocateIP: (uid, wanted, signal) => this.#allocate(uid, wanted, signal),
        releaseIP: (uid) => this.#addresses?.release(uid),
      },
    })
  }

  get name(): string {
    return this.#options.name
  }

  /** The node's internal address. */
  get address(): string {
    return this.#options.internalIP
  }

  get isRunning(): boolean {
    return this.#session !== null
  }

  /** Images on the node, as crictl lists them. */
  /** As `ctr images tag`. */
  tagImage(image: string, name: string): boolean {
    return this.#images.tag(image, name)
  }

  images(): ReturnType<ImageStore['list']> {
    return this.#images.list()
  }

  /** Starts the service and runs until the signal aborts; settles after everything ended. Pods are left as they are, and taken over by the next run. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    await this.startService()
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await this.stopService()
    this.pods.abandon()
  }

  /** After the last run: what is still being told is dropped. */
  close(): void {
    this.#life.abort(new Error('the kubelet stopped'))
  }

  /** `systemctl start kubelet`. */
  startService(): Promise<void> {
    if (this.#session !== null || this.#options.isConfigured?.() === false) return Promise.resolve()
    const before = this.#version
    this.#version = this.#options.readVersion()
    // The first start of a node has nothing to look at; a restart is NotReady until the runtime was seen.
    this.#warmUntilMs = before === '' ? 0 : this.#options.clock.now() + WARM_UP_MS
    const controller = new AbortController()
    const signal = controller.signal
    const loops = [
      this.#node.follow(signal),
      this.#heartbeat(signal),
      this.#watchPods(signal),
      watchManifests(
        join(this.#options.rootDir, 'etc/kubernetes/manifests'),
        () => this.pods.readStatic(join(this.#options.rootDir, 'etc/kubernetes/manifests')),
        { clock: this.#options.clock, signal },
      ),
    ]
    this.#session = {
      controller,
      done: Promise.all(
        loops.map((loop) =>
          loop.catch((error: unknown) => {
            if (!signal.aborted) this.#options.logger.error('kubelet loop ended', { node: this.#options.name, error: String(error) })
          }),
        ),
      ).then(() => undefined),
    }
    return Promise.resolve()
  }

  /** `systemctl stop kubelet`: containers go on, nobody is told of them. */
  async stopService(): Promise<void> {
    const session = this.#session
    if (session === null) return
    this.#session = null
    session.controller.abort(new Error('the kubelet stopped'))
    await session.done
  }

  /** Ends every container at once and forgets the pods; the API is not told. */
  removeContainers(): Promise<void> {
    return this.pods.removeAll()
  }

  /** CPU and memory of the node and its containers now. */
  usage(): {
    node: string
    atMs: number
    windowSeconds: number
    cpuCores: number
    memoryBytes: number
    pods: { namespace: string; name: string; containers: { name: string; cpuCores: number; memoryBytes: number }[] }[]
  } {
    const atMs = this.#options.clock.now()
    const pods = this.pods.workers().flatMap((worker) => {
      const containers = worker.containers.flatMap((one) => (one.current === null ? [] : [{ name: one.container.name, ...one.current.usage(one.limits) }]))
      return containers.length === 0 ? [] : [{ namespace: worker.pod.metadata.namespace ?? 'default', name: worker.pod.metadata.name ?? '', containers }]
    })
    const all = pods.flatMap(({ containers }) => containers)
    const wave = 1 + 0.1 * Math.sin(atMs / 60_000 + this.#options.internalIP.length)
    return {
      node: this.#options.name,
      atMs,
      windowSeconds: 15,
      cpuCores: all.reduce((sum, { cpuCores }) => sum + cpuCores, SYSTEM_CPU_CORES * wave),
      memoryBytes: all.reduce((sum, { memoryBytes }) => sum + memoryBytes, Math.round(SYSTEM_MEMORY_BYTES * wave)),
      pods,
    }
  }

  /** @throws StatusError NotFound when the pod is not on this node */
  worker(pod: { namespace: string; name: string; uid: string }): PodWorker {
    const found = this.pods.find(pod)
    if (found === undefined) throw new StatusError(failure(404, 'NotFound', `pod "${pod.name}" is not known on node ${this.#options.name}`))
    return found
  }

  async #heartbeat(signal: AbortSignal): Promise<void> {
    const { clock, logger, name } = this.#options
    for (;;) {
      let waitMs = STATUS_EVERY_MS
      try {
        await this.#tellStatus(await this.#node.registered(signal), signal)
        await this.#lease.renew(signal)
        if (clock.now() < this.#warmUntilMs) waitMs = this.#warmUntilMs - clock.now()
      } catch (error) {
        signal.throwIfAborted()
        logger.debug('heartbeat failed', { node: name, error: String(error) })
        waitMs = RETRY_MS
      }
      await clock.sleep(waitMs, { signal })
    }
  }

  async #tellStatus(node: KubeObject, signal: AbortSignal): Promise<void> {
    const { clock, name, internalIP, capacity } = this.#options
    const quiet = clock.now() - this.#statusToldMs < STATUS_QUIET_MS
    const facts = `${this.#version} ${String(clock.now() >= this.#warmUntilMs)} ${String(this.#images.changes)} ${node.metadata.uid ?? ''} ${node.metadata.resourceVersion ?? ''}`
    if (quiet && facts === this.#lastFacts) return
    const machineId = createHash('md5').update(`drydock/${name}`).digest('hex')
    const warm = clock.now() >= this.#warmUntilMs
    const status = nodeStatus(
      {
        name,
        internalIP,
        capacity,
        machineId,
        bootId: machineId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
        kubeletVersion: this.#version,
        images: this.#images,
        nowMs: clock.now(),
        ready: warm
          ? { status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
          : {
              status: 'False',
              reason: 'KubeletNotReady',
              message: '[container runtime status check may not have completed yet, PLEG is not healthy: pleg has yet to be successful]',
            },
      },
      node,
    )
    const news = JSON.stringify(status).replace(/"lastHeartbeatTime":"[^"]*"/g, '')
    if (news === this.#lastStatus && quiet) {
      this.#lastFacts = facts
      return
    }
    this.#node.learn(await this.#api.patch({ gvr: NODES, name, subresource: 'status' }, { status }, signal))
    this.#lastStatus = news
    this.#statusToldMs = clock.now()
  }

  #learnRange(node: KubeObject): void {
    const cidr = (node['spec'] as { podCIDR?: string } | undefined)?.podCIDR
    if (cidr === undefined || this.#addresses !== null) return
    this.#addresses = new PodAddresses(cidr)
    for (const tell of this.#onRange.splice(0)) tell(cidr)
  }

  /** One that was there once is taken to be there still: who looks into a volume finds out. */
  async #hasConfigMap(namespace: string, name: string, signal: AbortSignal): Promise<boolean> {
    const key = `${namespace}/${name}`
    if (this.#configMaps.has(key)) return true
    try {
      await this.#api.get({ gvr: CONFIG_MAPS, namespace, name }, signal)
      this.#configMaps.add(key)
      return true
    } catch (error) {
      signal.throwIfAborted()
      // What it is that is wrong, setting the volume up tells.
      this.#options.logger.debug('config map not seen', { node: this.#options.name, configMap: key, error: String(error) })
      return false
    }
  }

  async #allocate(uid: string, wanted: string | undefined, signal: AbortSignal): Promise<string> {
    if (this.#addresses === null)
      await new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
        this.#onRange.push(() => resolve())
      })
    if (this.#addresses === null) throw new Error('the node has no pod range')
    return this.#addresses.allocate(uid, wanted)
  }

  async #watchPods(signal: AbortSignal): Promise<void> {
    const { clock, logger, name } = this.#options
    const query = `fieldSelector=${encodeURIComponent(`spec.nodeName=${name}`)}`
    for (;;) {
      try {
        const { items, resourceVersion } = await this.#api.list(PODS, query, signal)
        this.pods.replace(items)
        for await (const event of this.#api.watch(PODS, query, resourceVersion, signal)) {
          if (event.type === 'ERROR') break
          if (event.type === 'DELETED') this.pods.remove(event.object)
          else if (event.type !== 'BOOKMARK') this.pods.upsert(event.object)
        }
      } catch (error) {
        signal.throwIfAborted()
        logger.debug('pod watch broke', { node: name, error: String(error) })
      }
      await clock.sleep(RETRY_MS, { signal })
    }
  }
}
