import { backupChannels } from './backups.ts'
import { compareChannels } from './compare.ts'
import type { Input, Message, Output, RequestChannel, SubscriptionChannel } from './channel.ts'
import { clusterChannels } from './clusters.ts'
import { exportChannels } from './exports.ts'
import { instanceChannels } from './instances.ts'
import { metricChannels } from './metrics.ts'
import { objectChannels } from './objects.ts'
import { runbookChannels } from './runbooks.ts'
import { scheduleChannels } from './schedules.ts'
import { securityChannels } from './security.ts'
import { settingsChannels } from './settings.ts'
import { staticPodChannels } from './staticPods.ts'
import { tableChannels } from './table.ts'
import type { Status } from '#shared/kubernetes/status.ts'

/** Every channel between the page and the main process. What is not here cannot be said. */
export const contract = {
  ...clusterChannels,
  ...tableChannels,
  ...objectChannels,
  ...metricChannels,
  ...backupChannels,
  ...scheduleChannels,
  ...instanceChannels,
  ...compareChannels,
  ...exportChannels,
  ...securityChannels,
  ...runbookChannels,
  ...staticPodChannels,
  ...settingsChannels,
} as const

export type Contract = typeof contract
export type RequestName = { [N in keyof Contract]: Contract[N] extends RequestChannel<infer _I, infer _O> ? N : never }[keyof Contract]
export type SubscriptionName = { [N in keyof Contract]: Contract[N] extends SubscriptionChannel<infer _I, infer _M> ? N : never }[keyof Contract]
export type InputOf<N extends keyof Contract> = Input<Contract[N]>
export type OutputOf<N extends RequestName> = Output<Contract[N]>
export type MessageOf<N extends SubscriptionName> = Message<Contract[N]>

/** Handlers for every request; a missing or wrong one does not compile. Failures are thrown as StatusError. */
export type RequestHandlers = { [N in RequestName]: (input: InputOf<N>, context: { signal: AbortSignal }) => Promise<OutputOf<N>> }
/** Each message yielded goes to the subscriber; the iterable ends when the signal aborts. */
export type SubscriptionHandlers = { [N in SubscriptionName]: (input: InputOf<N>, context: { signal: AbortSignal }) => AsyncIterable<MessageOf<N>> }

export type Reply<T> = { ok: true; value: T } | { ok: false; status: Status }

/**
 * What both shells give the page. `invoke` rejects with StatusError. `subscribe` calls `onMessage` in order; `onEnd` gets null
 * when the channel ended well, a StatusError when it failed; the returned function lets go and nothing is called after it.
 */
export interface ContractClient {
  invoke<N extends RequestName>(name: N, input: InputOf<N>, options?: { signal?: AbortSignal }): Promise<OutputOf<N>>
  subscribe<N extends SubscriptionName>(
    name: N,
    input: InputOf<N>,
    listener: { onMessage: (message: MessageOf<N>) => void; onEnd: (error: Error | null) => void },
  ): () => void
  /** Whether the line to the main process itself is up. */
  onConnection(listener: (connected: boolean) => void): () => void
  /** Whether the server refuses this page because nobody signed in; only where a server serves it. */
  onRefusal?(listener: (refused: boolean) => void): () => void
}
