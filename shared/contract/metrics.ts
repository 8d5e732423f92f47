import * as v from 'valibot'
import { request, subscription } from './channel.ts'
import { clusterId } from './clusters.ts'

/** Points of one line; `null` = no sample at that time. Values in base units: cores, bytes, count, ratio 0 to 1, milliseconds. */
export interface MetricSeries {
  name: string
  unit: 'cores' | 'bytes' | 'count' | 'ratio' | 'ms' | 'per-second'
  values: (number | null)[]
}

export interface MetricChart {
  /** Milliseconds since the epoch, ascending; one per value. */
  timesMs: number[]
  series: MetricSeries[]
  /** Where the numbers come from, e.g. `metrics.k8s.io every 15 s`. */
  source: string
  /** Why there is nothing, when series are empty; else null. */
  emptyReason: string | null
}

export interface TopRow {
  name: string
  namespace: string
  cpuCores: number | null
  memoryBytes: number | null
  /** Of allocatable, for nodes; of the limit, for pods. */
  cpuRatio: number | null
  memoryRatio: number | null
}

export const metricChannels = {
  'metrics.chart': request<MetricChart>()(
    v.object({
      clusterId,
      chart: v.picklist([
        'cluster-cpu',
        'cluster-memory',
        'node-cpu',
        'node-memory',
        'pods-by-phase',
        'api-latency',
        'restarts',
        'namespace-cpu',
        'namespace-memory',
      ]),
      object: v.optional(v.string()),
      rangeSeconds: v.number(),
    }),
  ),
  'metrics.top': request<{ nodes: TopRow[]; pods: TopRow[]; emptyReason: string | null }>()(v.object({ clusterId })),
  /** A tick each time a new sample was kept. */
  'metrics.watch': subscription<{ sampledAtMs: number }>()(v.object({ clusterId })),
} as const
