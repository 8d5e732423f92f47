import type { ContractClient, RequestName } from '#shared/contract/contract.ts'

export interface Invoked {
  name: string
  input: unknown
}
export interface Subscribed extends Invoked {
  message: (message: unknown) => void
  end: (error: Error | null) => void
  released: boolean
}

/** A line to no main process: it notes what the page says, answers from `answers`, and lets a test speak as the main process. */
export class FakeLine implements ContractClient {
  readonly invoked: Invoked[] = []
  readonly subscribed: Subscribed[] = []
  readonly answers: Partial<Record<RequestName, (input: never) => unknown>>
  #listeners: ((connected: boolean) => void)[] = []

  constructor(answers: Partial<Record<RequestName, (input: never) => unknown>> = {}) {
    this.answers = answers
  }

  invoke: ContractClient['invoke'] = async (name, input, options) => {
    this.invoked.push({ name, input })
    await Promise.resolve()
    options?.signal?.throwIfAborted()
    const answer = this.answers[name]
    if (answer === undefined) throw new Error(`no answer to ${name}`)
    return answer(input as never) as never
  }

  subscribe: ContractClient['subscribe'] = (name, input, listener) => {
    const subscribed: Subscribed = {
      name,
      input,
      released: false,
      message: (message) => {
        if (!subscribed.released) listener.onMessage(message as never)
      },
      end: (error) => {
        if (!subscribed.released) listener.onEnd(error)
      },
    }
    this.subscribed.push(subscribed)
    return () => {
      subscribed.released = true
    }
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    this.#listeners.push(listener)
    listener(true)
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== listener)
    }
  }

  /** The newest subscription of a name that was not let go. */
  live(name: string): Subscribed {
    const found = this.subscribed.findLast((each) => each.name === name && !each.released)
    if (found === undefined) throw new Error(`nobody subscribes to ${name}`)
    return found
  }
}
