import type { TlsTarget } from './http1Connection.ts'

/** Unary calls of one method, as many times as wanted. */
export interface Calls {
  type: 'calls'
  target: TlsTarget
  operation: 'put' | 'txn' | 'get' | 'range' | 'count'
  count: number
  /** At a time; spread over up to four connections. */
  clients: number
  /** Bytes of a value that is put. */
  valueBytes: number
  /** Keys are `/registry/pods/default/pod-N`, N below this. */
  keys: number
  /** First N of a put. */
  from: number
  /** Of a range. */
  limit: number
}

/** Watches of all keys until each has read `events` events. */
export interface EtcdWatches {
  type: 'watches'
  target: TlsTarget
  watchers: number
  events: number
}

export type EtcdWork = Calls | EtcdWatches
