import type { GenericSchema, InferOutput } from 'valibot'

/** A request channel as a value: the input's schema, checked where it arrives; the output's type, carried for the caller. */
export interface RequestChannel<I = unknown, O = unknown> {
  readonly kind: 'request'
  readonly input: GenericSchema<unknown, I>
  /** Never set; carries O. */
  readonly output?: O
}

/** A subscription channel: each message is an M, until the subscriber lets go or the channel ends with an error. */
export interface SubscriptionChannel<I = unknown, M = unknown> {
  readonly kind: 'subscription'
  readonly input: GenericSchema<unknown, I>
  readonly message?: M
}

/** `request<Output>()(schema)`: the output is written, the input inferred from the schema. */
export function request<O>(): <S extends GenericSchema>(input: S) => RequestChannel<InferOutput<S>, O> {
  return (input) => ({ kind: 'request', input: input as never })
}

export function subscription<M>(): <S extends GenericSchema>(input: S) => SubscriptionChannel<InferOutput<S>, M> {
  return (input) => ({ kind: 'subscription', input: input as never })
}

export type Input<C> = C extends RequestChannel<infer I> | SubscriptionChannel<infer I> ? I : never
export type Output<C> = C extends RequestChannel<never, infer O> | RequestChannel<infer _I, infer O> ? O : never
export type Message<C> = C extends SubscriptionChannel<infer _I, infer M> ? M : never
