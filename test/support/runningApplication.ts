import { afterAll } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import { SeededRandom } from '#shared/base/random.ts'
import type { MessageOf, InputOf, OutputOf, RequestName, SubscriptionName } from '#shared/contract/contract.ts'
import { Application } from '#electron/application.ts'
import { cli } from './runningCluster.ts'

/** The application without a window, its embedded cluster in a process of its own, asked as the page asks it. */
export interface RunningApplication {
  invoke<N extends RequestName>(name: N, input: InputOf<N>): Promise<OutputOf<N>>
  subscribe<N extends SubscriptionName>(name: N, input: InputOf<N>): AsyncIterable<MessageOf<N>>
  /** The first message of a subscription that is wanted. */
  first<N extends SubscriptionName>(name: N, input: InputOf<N>, wanted: (message: MessageOf<N>) => boolean): Promise<MessageOf<N>>
  /** Ends it and its cluster. */
  stop(): Promise<void>
}

/** Started once; ended after the suite. */
export async function startApplication(dataDir: string, kubeconfigs: string[] = []): Promise<RunningApplication> {
  const application = new Application({
    dataDir,
    kubeconfigs,
    userKubeconfigs: false,
    clusterCommand: { program: process.execPath, args: ['--disable-warning=ExperimentalWarning', cli] },
    shell: 'browser',
    version: 'test',
    clock: new SystemClock(),
    random: new SeededRandom(3),
    logger: silentLogger,
  })
  const ending = new AbortController()
  const { signal } = ending
  const subscribe = <N extends SubscriptionName>(name: N, input: InputOf<N>, until = signal): AsyncIterable<MessageOf<N>> =>
    application.dispatcher.subscribe(name, input, { signal: until }) as AsyncIterable<MessageOf<N>>
  let stopped: Promise<void> | null = null
  const stop = (): Promise<void> => {
    ending.abort()
    stopped ??= application.stop()
    return stopped
  }
  afterAll(stop)
  await application.start()
  return {
    async invoke<N extends RequestName>(name: N, input: InputOf<N>): Promise<OutputOf<N>> {
      const reply = await application.dispatcher.invoke(name, input, { signal })
      if (!reply.ok) throw new Error(`${name}: ${reply.status.message ?? ''}`)
      return reply.value as OutputOf<N>
    },
    subscribe,
    async first(name, input, wanted) {
      const done = new AbortController()
      try {
        for await (const message of subscribe(name, input, AbortSignal.any([signal, done.signal]))) if (wanted(message)) return message
      } finally {
        done.abort()
      }
      throw new Error(`${name} ended before what was waited for`)
    },
    stop,
  }
}
