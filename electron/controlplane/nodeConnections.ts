import type { Duplex } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ExecSession, LogOptions, NodeConnection, NodeUsage } from './apiserver/interface.ts'
import type { ContainerProcess } from './kubelet/containerProcess.ts'
import type { Kubelet } from './kubelet/kubelet.ts'
import type { NetworkPlace } from './kubelet/podNetwork.ts'
import type { PodWorker } from './kubelet/podWorker.ts'
import type { ContainerState } from './kubelet/types.ts'

type PodTarget = { node: string; namespace: string; name: string; uid: string }

/** The API server's way to the kubelets of this process. */
export class NodeConnections implements NodeConnection {
  readonly #kubelets = new Map<string, Kubelet>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(kubelet: Kubelet): void {
    this.#kubelets.set(kubelet.name, kubelet)
  }

  /** What listens at an address of the pod network: a pod, or all pods in a node's own network and its host ports. */
  placeAt(address: string): NetworkPlace | undefined {
    const kubelets = [...this.#kubelets.values()]
    const node = kubelets.find((kubelet) => kubelet.address === address)
    const workers = (node === undefined ? kubelets : [node]).flatMap((kubelet) => kubelet.pods.workers())
    const own = workers.filter(({ podIP }) => podIP === address)
    if (own.length === 0 && node === undefined) return undefined
    const behind = (port: number, protocol: string, to: string): { worker: PodWorker; port: number }[] => [
      ...own.map((worker) => ({ worker, port })),
      ...(node === undefined
        ? []
        : workers.flatMap((worker) => {
            const inside = worker.containerPort(port, protocol, to)
            return inside === null ? [] : [{ worker, port: inside }]
          })),
    ]
    return {
      isNode: node !== undefined,
      prepare: async (port, to = address) => {
        await Promise.all([...behind(port, 'TCP', to), ...behind(port, 'UDP', to)].map(({ worker }) => worker.prepare()))
      },
      connect: (port, from, to = address) => {
        for (const target of behind(port, 'TCP', to)) {
          const connection = target.worker.connect(target.port, from)
          if (connection !== null) return connection
        }
        return null
      },
      exchange: (port, message, from, to = address) => {
        for (const target of behind(port, 'UDP', to)) {
          const answer = target.worker.exchange(target.port, message, from)
          if (answer !== undefined) return answer
        }
        return undefined
      },
    }
  }

  /** Throws before there is a stream: afterwards the client has its 200 already. */
  logs(pod: PodTarget, options: LogOptions & { signal: AbortSignal }): AsyncIterable<Uint8Array> {
    const container = this.#kubelet(pod.node, 'logs').worker(pod).container(options.container)
    const log = container?.log({ previous: options.previous }) ?? null
    if (log === null) {
      const state = options.previous
        ? `previous terminated container ${JSON.stringify(options.container)} in pod ${JSON.stringify(pod.name)} not found`
        : `container ${JSON.stringify(options.container)} in pod ${JSON.stringify(pod.name)} is waiting to start: ${waitingFor(container?.status.state)}`
      throw new StatusError(failure(400, 'BadRequest', state))
    }
    return log.read({ ...options, nowMs: this.#clock.now() })
  }

  async exec(
    pod: PodTarget,
    { container, ...options }: { container: string; command: string[]; tty: boolean; stdin: boolean; signal: AbortSignal },
  ): Promise<ExecSession> {
    const process = this.#running(pod, container)
    await this.#kubelet(pod.node, 'stream').worker(pod).prepare()
    return process.exec(options)
  }

  async attach(pod: PodTarget, { container, ...options }: { container: string; tty: boolean; stdin: boolean; signal: AbortSignal }): Promise<ExecSession> {
    return this.#running(pod, container).attach(options)
  }

  async portForward(pod: PodTarget, { port }: { port: number; signal: AbortSignal }): Promise<Duplex> {
    const worker = this.#kubelet(pod.node, 'stream').worker(pod)
    await worker.prepare()
    return worker.forward(port)
  }

  usage(): Promise<NodeUsage[]> {
    return Promise.resolve([...this.#kubelets.values()].filter(({ isRunning }) => isRunning).map((kubelet) => kubelet.usage()))
  }

  #running(pod: PodTarget, container: string): ContainerProcess {
    const process = this.#kubelet(pod.node, 'stream').worker(pod).container(container)?.current ?? null
    if (process === null) throw new StatusError(failure(500, 'InternalError', `container not found (${JSON.stringify(container)})`))
    return process
  }

  /** @throws StatusError when the node's kubelet does not answer, in the words of what it was asked for */
  #kubelet(node: string, use: 'logs' | 'stream'): Kubelet {
    const kubelet = this.#kubelets.get(node)
    if (kubelet?.isRunning === true) return kubelet
    const refused = `dial tcp ${kubelet?.address ?? node}:10250: connect: connection refused`
    throw new StatusError(
      use === 'logs' ? failure(502, '', `Get "https://${node}:10250/containerLogs": ${refused}`) : failure(502, '', `error dialing backend: ${refused}`),
    )
  }
}

/** Why a container has not run yet, as `kubectl logs` tells it. */
function waitingFor(state: ContainerState | undefined): string {
  const reason = state !== undefined && 'waiting' in state ? state.waiting.reason : 'ContainerCreating'
  return { ErrImagePull: "image can't be pulled", ImagePullBackOff: 'trying and failing to pull image' }[reason] ?? reason
}
