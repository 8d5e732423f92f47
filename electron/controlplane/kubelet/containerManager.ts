import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import { untilAborted } from '#shared/base/untilAborted.ts'
import { behaviourOf } from './behaviour.ts'
import type { ContainerConfig } from './containerConfig.ts'
import { ContainerLog } from './containerLog.ts'
import { ContainerProcess, isRunByShell, type ContainerExit } from './containerProcess.ts'
import { ConfigFault } from './environment.ts'
import { imageDigest, type ImageStore } from './imageStore.ts'
import { portOf, runProbe } from './probe.ts'
import type { Network } from './shell/process.ts'
import { timestamp, type Container, type ContainerState, type ContainerStatus, type LifecycleHandler, type Probe } from './types.ts'

export interface ContainerHost {
  clock: Clock
  random: Random
  images: ImageStore
  signal: AbortSignal
  node: string
  hostIP: string
  podIP(): string
  hostname: string
  network: Network | null
  rootDir: string
  /** The logs of all its runs: `0.log`, `1.log` … by restart count. */
  logDir: string
  /** The status changed and is to be told. */
  changed(): void
  event(type: 'Normal' | 'Warning', reason: string, message: string): void
  limits: { cpuCores: number; memoryBytes: number }
  runsToCompletion: boolean
  /** Ends with success are what it is ready by. */
  isInit: boolean
  /** Why it waits before anything was tried. */
  waitingReason: 'ContainerCreating' | 'PodInitializing'
  /** What the container refers to, as it is now. @throws ConfigFault */
  configure(signal: AbortSignal): Promise<ContainerConfig>
  /** Whether what it refers to may be made when somebody looks for it. */
  isDeferred(): boolean
  /** Where the process may leave a message when it ends. */
  terminationMessage(): { path: string }
  /** Runs a lifecycle handler; rejects with the kubelet's words when it fails. */
  runHandler(handler: LifecycleHandler, process: ContainerProcess, signal: AbortSignal): Promise<void>
  /** Minor release of the kubelet. */
  minor(): number
  localhost?: () => { certificate: string; key: string }
}

/** A container that cannot be configured is tried again after this: the kubelet's regular look at a pod. */
const CONFIG_RETRY_MS = 10_000
/** What is left for the process when a preStop hook used the whole grace period. */
const LEAST_GRACE_MS = 2_000
/** Upstream's limits of a termination message: of a file, and of the log's end. */
const MAX_MESSAGE_BYTES = 4096
const MAX_LOG_MESSAGE_BYTES = 2048
const LOG_MESSAGE_LINES = 80

/** First wait before a crashed container is started again; doubles to the maximum, and starts anew after ten quiet minutes. */
const BACKOFF_MS = 10_000
const MAX_BACKOFF_MS = 300_000

/** One container of a pod over all its runs: pulls, starts, probes, restarts, and keeps its status. */
export class ContainerManager {
  readonly container: Container
  readonly status: ContainerStatus
  current: ContainerProcess | null = null
  previous: ContainerProcess | null = null
  readonly #host: ContainerHost
  /** The next start is one after an end. */
  #restarts = false
  #backoffMs = BACKOFF_MS
  #readyProbe: boolean
  #startupDone: boolean
  #stopping = false
  /** When the process started that ran before this kubelet; null when none did. */
  #adoptedAtMs: number | null = null
  /** What a bare process is given, while it is made. */
  #preparing: Promise<ContainerConfig> | null = null

  constructor(container: Container, host: ContainerHost, adopted: ContainerStatus | undefined) {
    this.container = container
    this.#host = host
    // What was ready when it was taken over is so until a probe says otherwise.
    this.#readyProbe = container.readinessProbe === undefined || adopted?.ready === true
    this.#startupDone = container.startupProbe === undefined || adopted?.started === true
    this.status =
      adopted === undefined
        ? {
            name: container.name,
            state: { waiting: { reason: host.waitingReason } },
            lastState: {},
            ready: false,
            started: false,
            restartCount: 0,
            image: container.image,
            imageID: '',
          }
        : { ...adopted }
    if (adopted !== undefined && 'running' in adopted.state) this.#adoptedAtMs = Date.parse(adopted.state.running.startedAt)
  }

  /** Runs until the policy says that the container is not to run again. @returns its last exit; rejects when the pod is stopped */
  async run(policy: 'Always' | 'OnFailure' | 'Never'): Promise<ContainerExit> {
    if ('terminated' in this.status.state && !mayRestart(policy, this.status.state.terminated.exitCode))
      return { exitCode: this.status.state.terminated.exitCode, reason: 'Completed' }
    for (;;) {
      const process = await this.#begin()
      if (process.isBare && this.#looksInside(process)) await this.prepare()
      const probes = new AbortController()
      this.#probe(process, AbortSignal.any([this.#host.signal, probes.signal]))
      const exit = await untilAborted(process.exited, this.#host.signal)
      probes.abort()
      this.#ended(process, exit)
      if (this.#stopping || !mayRestart(policy, exit.exitCode)) return exit
      await this.#backOff(process)
    }
  }

  /** Takes the running process over, or starts one. */
  async #begin(): Promise<ContainerProcess> {
    if (this.current !== null) return this.current
    const adoptedAtMs = this.#adoptedAtMs
    this.#adoptedAtMs = null
    if (adoptedAtMs !== null && !isRunByShell(this.container)) {
      this.current = this.#process(null, adoptedAtMs)
      return this.current
    }
    if (adoptedAtMs === null) await this.#pull()
    const config = adoptedAtMs === null && this.#host.isDeferred() ? null : await this.#configure()
    this.#preparing = null
    this.#host.signal.throwIfAborted()
    if (this.#stopping) throw new Error('the container is stopped before it started')
    if (adoptedAtMs !== null) {
      this.current = this.#process(config, adoptedAtMs)
      return this.current
    }
    const process = this.#start(config)
    const { postStart } = this.container.lifecycle ?? {}
    if (postStart !== undefined) await this.#afterStart(postStart, process)
    return process
  }

  /**
   * Gives a process that was taken over, or started before anybody looked, what its container refers to. Of tens of thousands of pods hardly any is looked into, and volumes,
   * variables and tokens for all of them take minutes. @throws the pod's signal's reason when it ends meanwhile
   */
  async prepare(): Promise<void> {
    const process = this.current
    if (process?.isBare !== true) return
    this.#preparing ??= this.#configure()
    const config = await this.#preparing
    if (process.isBare) process.configure(config)
  }

  /** Whether a probe asks what only the container's own files or programs can answer. */
  #looksInside(process: ContainerProcess): boolean {
    const { startupProbe, livenessProbe, readinessProbe } = this.container
    return [startupProbe, livenessProbe, readinessProbe].some((probe) => {
      if (probe === undefined) return false
      const port = portOf((probe.httpGet ?? probe.tcpSocket)?.port ?? 0, this.container)
      return probe.exec !== undefined || (port !== null && process.listensOn(port) !== 'unknown')
    })
  }

  /** Waits until what the container refers to is there. */
  async #configure(): Promise<ContainerConfig> {
    const { clock, signal } = this.#host
    for (;;) {
      try {
        return await this.#host.configure(signal)
      } catch (error) {
        if (!(error instanceof ConfigFault)) throw error
        this.#host.event('Warning', 'Failed', `Error: ${error.message}`)
        this.#set({ waiting: { reason: 'CreateContainerConfigError', message: error.message } })
        await clock.sleep(CONFIG_RETRY_MS, { signal })
      }
    }
  }

  /** A container whose hook fails is killed; the policy then decides. */
  async #afterStart(handler: LifecycleHandler, process: ContainerProcess): Promise<void> {
    try {
      await this.#host.runHandler(handler, process, this.#host.signal)
    } catch (error) {
      this.#host.signal.throwIfAborted()
      this.#host.event('Warning', 'FailedPostStartHook', error instanceof Error ? error.message : String(error))
      this.#kill(process, 'FailedPostStartHook')
    }
  }

  /** The log of the current (or last) run, or of the one before it; null when there is none. */
  log({ previous }: { previous: boolean }): ContainerLog | null {
    const { state, lastState, restartCount } = this.status
    // Runs are numbered by the restarts before them; who waits for the next restart has only runs before it.
    const waits = 'waiting' in state && 'terminated' in lastState
    const run = previous && !waits ? restartCount - 1 : restartCount
    if (run < 0) return null
    const process = run === restartCount ? (this.current ?? this.previous) : this.current === null ? null : this.previous
    if (process !== null) return process.log
    const file = this.#logFile(run)
    if (!existsSync(file)) return null
    const log = new ContainerLog(file, { resume: true })
    log.close()
    return log
  }

  #logFile(run: number): string {
    return join(this.#host.logDir, `${String(run)}.log`)
  }

  get limits(): ContainerHost['limits'] {
    return this.#host.limits
  }

  /** Ends the current run, if there is one, and keeps how it ended. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    const process = this.current
    if (process === null) {
      // What waits for a start or an image will not get it any more; its status stays as it was.
      return
    }
    this.#host.event('Normal', 'Killing', `Stopping container ${this.container.name}`)
    this.#ended(process, await process.stop(await this.#beforeStop(process, graceMs)))
  }

  /** Runs the preStop hook within the grace period. @returns what is left of it, in milliseconds */
  async #beforeStop(process: ContainerProcess, graceMs: number): Promise<number> {
    const { preStop } = this.container.lifecycle ?? {}
    if (preStop === undefined || graceMs <= 0) return graceMs
    const { clock } = this.#host
    const startedMs = clock.now()
    const late = new AbortController()
    const cancel = clock.schedule(graceMs, () => {
      late.abort(new Error('the grace period is over'))
    })
    try {
      await untilAborted(this.prepare(), late.signal)
      await this.#host.runHandler(preStop, process, late.signal)
    } catch (error) {
      this.#host.event('Warning', 'FailedPreStopHook', error instanceof Error ? error.message : String(error))
    } finally {
      cancel()
    }
    return Math.max(graceMs - (clock.now() - startedMs), LEAST_GRACE_MS)
  }

  /** Kills for a failed probe: the policy then decides about the next run. */
  #kill(process: ContainerProcess, message: string): void {
    this.#host.event('Normal', 'Killing', message)
    void process.stop(30_000)
  }

  async #pull(): Promise<void> {
    const { images, clock, signal } = this.#host
    const { image } = this.container
    const policy = this.container.imagePullPolicy ?? (/(:latest$)|(^[^:]+$)/.test(image) ? 'Always' : 'IfNotPresent')
    for (let waitMs = BACKOFF_MS; ; waitMs = Math.min(MAX_BACKOFF_MS, waitMs * 2)) {
      if (images.has(image) && policy !== 'Always') {
        this.#host.event('Normal', 'Pulled', `Container image "${image}" already present on machine`)
        return
      }
      const { pullError } = behaviourOf(image)
      const startMs = clock.now()
      if (policy !== 'Never') this.#host.event('Normal', 'Pulling', `Pulling image "${image}"`)
      const sizeBytes = policy === 'Never' ? 0 : await images.pull(image, signal)
      if (policy !== 'Never' && pullError === undefined) {
        const tookMs = Math.round(clock.now() - startMs)
        this.#host.event(
          'Normal',
          'Pulled',
          `Successfully pulled image "${image}" in ${String(tookMs)}ms (${String(tookMs)}ms including waiting). Image size: ${String(sizeBytes)} bytes.`,
        )
        return
      }
      const message =
        policy === 'Never'
          ? `Container image "${image}" is not present with pull policy of Never`
          : `failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${image}: ${pullError ?? ''}`
      const reason = policy === 'Never' ? 'ErrImageNeverPull' : 'ErrImagePull'
      this.#host.event('Warning', 'Failed', policy === 'Never' ? message : `Failed to pull image "${image}": ${message}`)
      this.#host.event('Warning', 'Failed', `Error: ${reason}`)
      this.#set({ waiting: { reason, message } })
      await clock.sleep(Math.min(waitMs, 2_000), { signal })
      if (policy !== 'Never') {
        this.#host.event('Normal', 'BackOff', `Back-off pulling image "${image}"`)
        this.#host.event('Warning', 'Failed', 'Error: ImagePullBackOff')
        this.#set({ waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}": ${message}` } })
      }
      await clock.sleep(waitMs, { signal })
    }
  }

  /** @param config null for a bare process */
  #start(config: ContainerConfig | null): ContainerProcess {
    const { clock, random } = this.#host
    this.#host.event('Normal', 'Created', this.#told('Created'))
    // Told together with the new run: who counts restarts finds the container running.
    if (this.#restarts) this.status.restartCount++
    this.#restarts = false
    // A new container has its image's files; what the last run wrote is gone with it.
    if (this.status.restartCount > 0) rmSync(this.#host.rootDir, { recursive: true, force: true })
    // Only this run and the one before it can be asked for.
    if (this.status.restartCount > 1) rmSync(this.#logFile(this.status.restartCount - 2), { force: true })
    const process = this.#process(config, null)
    this.current = process
    process.limitMemory(this.#host.limits.memoryBytes)
    this.status.imageID = imageDigest(this.container.image)
    this.status.containerID = `containerd://${Array.from({ length: 64 }, () => random.below(16).toString(16)).join('')}`
    this.#readyProbe = this.container.readinessProbe === undefined
    this.#startupDone = this.container.startupProbe === undefined
    this.#host.event('Normal', 'Started', this.#told('Started'))
    this.#set({ running: { startedAt: timestamp(clock.now()) } })
    return process
  }

  /** The words of an event changed over the releases. */
  #told(what: 'Created' | 'Started'): string {
    const minor = this.#host.minor()
    if (minor >= 35) return `Container ${what.toLowerCase()}`
    return what === 'Created' && minor >= 32 ? `Created container: ${this.container.name}` : `${what} container ${this.container.name}`
  }

  /** @param config null for a bare process */
  #process(config: ContainerConfig | null, startedAtMs: number | null): ContainerProcess {
    const { clock, random, node, hostIP, hostname, network, rootDir, runsToCompletion } = this.#host
    return new ContainerProcess({
      container: this.container,
      imageContent: this.#host.images.contentOf(this.container.image),
      ...(config === null ? { isBare: true } : { config }),
      ...(this.#host.localhost === undefined ? {} : { localhost: this.#host.localhost }),
      runsToCompletion,
      rootDir,
      logFile: this.#logFile(this.status.restartCount),
      hostname,
      network,
      node,
      hostIP,
      podIP: this.#host.podIP(),
      clock,
      random,
      startedAtMs,
    })
  }

  #ended(process: ContainerProcess, exit: ContainerExit): void {
    if (this.current !== process) return
    this.previous = process
    this.current = null
    const terminated = {
      exitCode: exit.exitCode,
      reason: exit.reason,
      startedAt: timestamp(process.startedAtMs),
      finishedAt: timestamp(this.#host.clock.now()),
      containerID: this.status.containerID ?? '',
    }
    const message = this.#message(process, exit)
    this.#set({ terminated: message === '' ? terminated : { ...terminated, message } })
  }

  /** What the process left in its termination log, or the end of its log where the container wants that. */
  #message(process: ContainerProcess, exit: ContainerExit): string {
    const written = process.readFile(this.#host.terminationMessage().path) ?? ''
    if (written !== '') return Buffer.from(written).subarray(0, MAX_MESSAGE_BYTES).toString('utf8')
    if (this.container.terminationMessagePolicy !== 'FallbackToLogsOnError' || exit.exitCode === 0) return ''
    const tail = Buffer.from(process.log.tail(LOG_MESSAGE_LINES))
    return tail.subarray(Math.max(0, tail.length - MAX_LOG_MESSAGE_BYTES)).toString('utf8')
  }

  async #backOff(process: ContainerProcess): Promise<void> {
    const { clock, signal } = this.#host
    if (clock.now() - process.startedAtMs > 2 * MAX_BACKOFF_MS) this.#backoffMs = BACKOFF_MS
    this.status.lastState = this.status.state
    // The first restart comes at once; from the second on the kubelet waits.
    if (this.status.restartCount > 0) {
      const message = `back-off ${this.#backoffMs < 60_000 ? `${String(this.#backoffMs / 1000)}s` : `${String(Math.floor(this.#backoffMs / 60_000))}m${String((this.#backoffMs % 60_000) / 1000)}s`} restarting failed container=${this.container.name}`
      this.#host.event('Warning', 'BackOff', `Back-off restarting failed container ${this.container.name}`)
      this.#set({ waiting: { reason: 'CrashLoopBackOff', message } })
      await clock.sleep(this.#backoffMs, { signal })
      this.#backoffMs = Math.min(MAX_BACKOFF_MS, this.#backoffMs * 2)
    }
    this.#restarts = true
  }

  #set(state: ContainerState): void {
    this.status.state = state
    const running = 'running' in state
    this.status.started = running && this.#startupDone
    this.status.ready = this.#host.isInit ? 'terminated' in state && state.terminated.exitCode === 0 : running && this.#startupDone && this.#readyProbe
    this.#host.changed()
  }

  #probe(process: ContainerProcess, signal: AbortSignal): void {
    const { startupProbe, livenessProbe, readinessProbe } = this.container
    const refresh = (): void => {
      if (this.current === process) this.#set(this.status.state)
    }
    const rest = (): void => {
      if (readinessProbe !== undefined)
        void this.#probeLoop('Readiness', readinessProbe, { process, signal }, (ok) => {
          this.#readyProbe = ok
          refresh()
        })
      if (livenessProbe !== undefined)
        void this.#probeLoop('Liveness', livenessProbe, { process, signal }, (ok) => {
          if (!ok) this.#kill(process, `Container ${this.container.name} failed liveness probe, will be restarted`)
          return !ok
        })
    }
    if (startupProbe === undefined) rest()
    else
      void this.#probeLoop('Startup', startupProbe, { process, signal }, (ok) => {
        if (!ok) this.#kill(process, `Container ${this.container.name} failed startup probe, will be restarted`)
        else {
          this.#startupDone = true
          refresh()
          rest()
        }
        return true
      })
  }

  /** Calls `verdict` whenever a threshold is crossed; true from it ends the loop. */
  async #probeLoop(
    kind: string,
    probe: Probe,
    { process, signal }: { process: ContainerProcess; signal: AbortSignal },
    verdict: (ok: boolean) => unknown,
  ): Promise<void> {
    const { clock } = this.#host
    let streak = 0
    let last: boolean | null = null
    let told: boolean | null = null
    try {
      await clock.sleep((probe.initialDelaySeconds ?? 0) * 1000 + behaviourOf(this.container.image).startMs, { signal })
      for (;;) {
        const { ok, message } = await runProbe(probe, { container: this.container, process, podIP: this.#host.podIP(), clock, signal })
        streak = ok === last ? streak + 1 : 1
        last = ok
        if (!ok) this.#host.event('Warning', 'Unhealthy', `${kind} probe failed: ${message}`)
        if (ok !== told && streak >= (ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3))) {
          told = ok
          if (verdict(ok) === true) return
        }
        await clock.sleep((probe.periodSeconds ?? 10) * 1000, { signal })
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

function mayRestart(policy: 'Always' | 'OnFailure' | 'Never', exitCode: number): boolean {
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}
