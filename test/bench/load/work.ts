import type { TlsTarget } from './http1Connection.ts'

/** One kind of request, as many times as wanted. `{i}` in path and body stands for a running number. */
export interface Requests {
  type: 'requests'
  target: TlsTarget
  method: string
  path: string
  headers?: Record<string, string>
  body?: string
  /** First running number. */
  from?: number
  count: number
  connections: number
  /** Statuses that are as they should be; others end the run. */
  expect: number
}

/** Watches that read until all have seen `events` lines. */
export interface Watches {
  type: 'watches'
  target: TlsTarget
  path: string
  watchers: number
  events: number
}

export type Work = Requests | Watches

export interface Done {
  type: 'done'
  elapsedMs: number
  /** Ascending; of requests. */
  latenciesMs: number[]
  bytes: number
  /** The load process's own time: near `elapsedMs` it was the bottleneck. */
  clientCpuMs: number
}

export type Report = { type: 'ready' } | Done | { type: 'failed'; message: string }
