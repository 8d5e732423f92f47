import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import type { MetricChart, MetricSeries, TopRow } from '#shared/contract/metrics.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { parseQuantity, quantityNumber } from '#shared/kubernetes/quantity.ts'
import { isForbidden, isNotFound, StatusError } from '#shared/kubernetes/status.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { listAt, textAt } from '#shared/resources/fields.ts'
import { NODES, PODS } from '../client/resources.ts'
import { RestClient } from '../client/restClient.ts'

const EVERY_MS = 15_000
/** Six hours at one sample per 15 s. */
const KEPT = 1_440
const SOURCE = 'metrics.k8s.io, one sample every 15 s, kept by Drydock since it opened the cluster'

interface Usage {
  cpuCores: number
  memoryBytes: number
}

/** What was read at one time. */
interface Sample {
  atMs: number
  /** Of one GET of all nodes, the round trip. */
  latencyMs: number
  nodes: Map<string, Usage>
  pods: Map<string, Usage>
  phases: Map<string, number>
  restarts: number
}

const number = (text: string): number => {
  const quantity = parseQuantity(text)
  return quantity === null ? 0 : quantityNumber(quantity)
}

/** Samples one cluster's usage while somebody is interested, and keeps the last hours. */
export class MetricsSampler {
  readonly sampled = new Emitter<number>()
  readonly #client: RestClient
  readonly #clock: Clock
  readonly #onUsage: (usage: ReadonlyMap<string, Usage>) => void
  #samples: Sample[] = []
  #allocatable = new Map<string, Usage>()
  #limits = new Map<string, Usage>()
  #emptyReason: string | null = 'the first sample is being read'

  constructor(options: { transport: Transport; clock: Clock; onUsage: (usage: ReadonlyMap<string, Usage>) => void }) {
    this.#client = new RestClient(options.transport)
    this.#clock = options.clock
    this.#onUsage = options.onUsage
  }

  /** Samples until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#sample(signal)
      await this.#clock.sleep(EVERY_MS, { signal }).catch(() => undefined)
    }
  }

  async #sample(signal: AbortSignal): Promise<void> {
    const atMs = this.#clock.now()
    try {
      const nodes = await this.#client.list(NODES, {}, signal)
      const latencyMs = this.#clock.now() - atMs
      const pods = await this.#client.list(PODS, {}, signal)
      this.#allocatable = new Map(
        nodes.items.map((node) => [
          node.metadata.name ?? '',
          { cpuCores: number(textAt(node, 'status', 'allocatable', 'cpu')), memoryBytes: number(textAt(node, 'status', 'allocatable', 'memory')) },
        ]),
      )
      this.#limits = new Map(pods.items.map((pod) => [keyOf(pod), limitsOf(pod)]))
      const phases = new Map<string, number>()
      for (const pod of pods.items) phases.set(textAt(pod, 'status', 'phase') || 'Unknown', (phases.get(textAt(pod, 'status', 'phase') || 'Unknown') ?? 0) + 1)
      const restarts = pods.items.reduce(
        (sum, pod) =>
          sum +
          listAt(pod, 'status', 'containerStatuses').reduce<number>((count, each) => count + Number((each as { restartCount?: number }).restartCount ?? 0), 0),
        0,
      )
      const usage = await this.#usage(signal)
      this.#samples.push({ atMs, latencyMs, ...usage, phases, restarts })
      if (this.#samples.length > KEPT) this.#samples.shift()
      this.#onUsage(new Map([...usage.nodes, ...usage.pods]))
      this.sampled.emit(atMs)
    } catch (error) {
      if (signal.aborted) return
      this.#emptyReason = error instanceof Error ? error.message : String(error)
      this.sampled.emit(atMs)
    }
  }

  async #usage(signal: AbortSignal): Promise<{ nodes: Map<string, Usage>; pods: Map<string, Usage> }> {
    try {
      const [nodes, pods] = await Promise.all([
        this.#client.raw('/apis/metrics.k8s.io/v1beta1/nodes', signal),
        this.#client.raw('/apis/metrics.k8s.io/v1beta1/pods', signal),
      ])
      this.#emptyReason = null
      const items = (list: unknown): KubeObject[] => listAt(list, 'items') as KubeObject[]
      return {
        nodes: new Map(
          items(nodes).map((node) => [
            node.metadata.name ?? '',
            { cpuCores: number(textAt(node, 'usage', 'cpu')), memoryBytes: number(textAt(node, 'usage', 'memory')) },
          ]),
        ),
        pods: new Map(
          items(pods).map((pod) => [
            keyOf(pod),
            listAt(pod, 'containers').reduce<Usage>(
              (sum, each) => ({
                cpuCores: sum.cpuCores + number(textAt(each, 'usage', 'cpu')),
                memoryBytes: sum.memoryBytes + number(textAt(each, 'usage', 'memory')),
              }),
              { cpuCores: 0, memoryBytes: 0 },
            ),
          ]),
        ),
      }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      this.#emptyReason = isNotFound(error)
        ? 'this cluster has no metrics.k8s.io: install metrics-server to see usage'
        : isForbidden(error)
          ? `no right to read metrics: ${error.message}`
          : error.message
      return { nodes: new Map(), pods: new Map() }
    }
  }

  chart(chart: string, object: string | undefined, rangeSeconds: number): MetricChart {
    const since = this.#clock.now() - rangeSeconds * 1000
    const samples = this.#samples.filter(({ atMs }) => atMs >= since)
    const series = this.#series(chart, object, samples).filter(({ values }) => values.some((value) => value !== null))
    return {
      timesMs: samples.map(({ atMs }) => atMs),
      series,
      source: SOURCE,
      emptyReason: series.length === 0 ? (this.#emptyReason ?? 'no sample in this range yet') : null,
    }
  }

  #series(chart: string, object: string | undefined, samples: readonly Sample[]): MetricSeries[] {
    const of = (name: string, unit: MetricSeries['unit'], read: (sample: Sample) => number | null): MetricSeries => ({ name, unit, values: samples.map(read) })
    const field = chart.endsWith('memory') ? ('memoryBytes' as const) : ('cpuCores' as const)
    const unit = field === 'memoryBytes' ? 'bytes' : 'cores'
    const total = (usage: ReadonlyMap<string, Usage>, keep: (key: string) => boolean = () => true): number | null => {
      const chosen = [...usage].filter(([key]) => keep(key))
      return chosen.length === 0 ? null : chosen.reduce((sum, [, each]) => sum + each[field], 0)
    }
    switch (chart) {
      case 'cluster-cpu':
      case 'cluster-memory':
        return [of('used', unit, ({ nodes }) => total(nodes)), of('allocatable', unit, ({ nodes }) => (nodes.size === 0 ? null : total(this.#allocatable)))]
      case 'node-cpu':
      case 'node-memory': {
        const names = object === undefined ? [...(samples.at(-1)?.nodes.keys() ?? [])].slice(0, 12) : [object]
        return names.map((name) => of(name, unit, ({ nodes }) => nodes.get(name)?.[field] ?? null))
      }
      case 'pods-by-phase':
        return [...new Set(samples.flatMap(({ phases }) => [...phases.keys()]))]
          .sort()
          .map((phase) => of(phase, 'count', ({ phases }) => phases.get(phase) ?? 0))
      case 'api-latency':
        return [of('list nodes', 'ms', ({ latencyMs }) => latencyMs)]
      case 'restarts':
        return [of('container restarts', 'count', ({ restarts }) => restarts)]
      default: {
        const last = samples.at(-1)?.pods ?? new Map<string, Usage>()
        const namespaces = [...new Set([...last.keys()].map((key) => key.split('/')[0] ?? ''))].filter((name) => object === undefined || name === object)
        return namespaces.slice(0, 12).map((name) => of(name, unit, ({ pods }) => total(pods, (key) => key.startsWith(`${name}/`))))
      }
    }
  }

  top(): { nodes: TopRow[]; pods: TopRow[]; emptyReason: string | null } {
    const last = this.#samples.at(-1)
    const ratio = (used: number, of: number | undefined): number | null => (of === undefined || of === 0 ? null : used / of)
    const row = (name: string, namespace: string, usage: Usage, limit: Usage | undefined): TopRow => ({
      name,
      namespace,
      ...usage,
      cpuRatio: ratio(usage.cpuCores, limit?.cpuCores),
      memoryRatio: ratio(usage.memoryBytes, limit?.memoryBytes),
    })
    return {
      nodes: [...(last?.nodes ?? [])].map(([name, usage]) => row(name, '', usage, this.#allocatable.get(name))),
      pods: [...(last?.pods ?? [])].map(([key, usage]) => row(key.slice(key.indexOf('/') + 1), key.slice(0, key.indexOf('/')), usage, this.#limits.get(key))),
      emptyReason: (last?.nodes.size ?? 0) === 0 ? this.#emptyReason : null,
    }
  }
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`

/** Zero where any container is unlimited. */
function limitsOf(pod: KubeObject): Usage {
  const containers = listAt(pod, 'spec', 'containers')
  const sum = (name: string): number => {
    const texts = containers.map((each) => textAt(each, 'resources', 'limits', name))
    return texts.includes('') ? 0 : texts.reduce((total, text) => total + number(text), 0)
  }
  return { cpuCores: sum('cpu'), memoryBytes: sum('memory') }
}
