import { safeParse } from 'valibot'
import type { Logger } from '#shared/base/logger.ts'
import { contract, type Contract, type Reply, type RequestHandlers, type SubscriptionHandlers } from '#shared/contract/contract.ts'
import { failure, StatusError, type Status } from '#shared/kubernetes/status.ts'

type AnyRequest = (input: unknown, context: { signal: AbortSignal }) => Promise<unknown>
type AnySubscription = (input: unknown, context: { signal: AbortSignal }) => AsyncIterable<unknown>

/** The failure as data: what a StatusError carries, else an internal error with the message alone. */
export function statusOfError(error: unknown): Status {
  return error instanceof StatusError ? error.status : failure(500, 'InternalError', error instanceof Error ? error.message : String(error))
}

/** The one door from the page: names are looked up, inputs decoded by their schema, failures turned into data. */
export class Dispatcher {
  readonly #requests: RequestHandlers
  readonly #subscriptions: SubscriptionHandlers
  readonly #logger: Logger

  constructor({ requests, subscriptions, logger }: { requests: RequestHandlers; subscriptions: SubscriptionHandlers; logger: Logger }) {
    this.#requests = requests
    this.#subscriptions = subscriptions
    this.#logger = logger
  }

  #decode(kind: 'request' | 'subscription', name: string, input: unknown): unknown {
    const channel = Object.hasOwn(contract, name) ? contract[name as keyof Contract] : undefined
    if (channel?.kind !== kind) throw new StatusError(failure(404, 'NotFound', `there is no ${kind} ${name}`))
    const parsed = safeParse(channel.input, input)
    if (parsed.success) return parsed.output
    const causes = parsed.issues.map((issue) => ({ message: issue.message, field: issue.path?.map((item) => String(item.key)).join('.') ?? '' }))
    throw new StatusError(failure(400, 'BadRequest', `${name}: ${causes.map((each) => `${each.field}: ${each.message}`).join('; ')}`, { causes }))
  }

  /** Answers a request; never rejects. */
  async invoke(name: string, input: unknown, { signal }: { signal: AbortSignal }): Promise<Reply<unknown>> {
    try {
      const decoded = this.#decode('request', name, input)
      const handler = this.#requests[name as keyof RequestHandlers] as AnyRequest
      return { ok: true, value: await handler(decoded, { signal }) }
    } catch (error) {
      if (!signal.aborted && !(error instanceof StatusError)) this.#logger.error('request failed', { name, error: (error as Error).stack ?? String(error) })
      return { ok: false, status: statusOfError(error) }
    }
  }

  /** Messages of a subscription. @throws StatusError when it fails */
  async *subscribe(name: string, input: unknown, { signal }: { signal: AbortSignal }): AsyncIterable<unknown> {
    const decoded = this.#decode('subscription', name, input)
    const handler = this.#subscriptions[name as keyof SubscriptionHandlers] as AnySubscription
    yield* handler(decoded, { signal })
  }
}
