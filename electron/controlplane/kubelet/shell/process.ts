import type { Duplex } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import type { DnsAnswer } from '#shared/planning/cluster-dns/records.ts'
import type { FileTree } from './fileTree.ts'

/** Bytes typed or piped into a process. */
export interface Input {
  /** The next line without its end; null at the end of input. */
  readLine(): Promise<string | null>
  /** Everything that is left, as text. */
  readAll(): Promise<string>
  /** What came since the last read, at least a byte; null at the end of input. */
  readBytes(): Promise<Buffer | null>
}

/** What a program writes: text, or bytes that are no text. */
export type Output = string | Uint8Array

export function textOf(output: Output): string {
  return typeof output === 'string' ? output : Buffer.from(output).toString('utf8')
}

/** What a machine reaches beyond itself. */
export interface Network {
  /** IPv4 addresses of a name; empty when there is no such name. */
  resolve(name: string, signal: AbortSignal): Promise<string[]>
  /** @throws Error with the C library's words when no connection comes about */
  connect(to: { address: string; port: number }, signal: AbortSignal): Promise<Duplex>
  /** Sends a datagram and waits for the answer. @throws Error when none can come */
  exchange(to: { address: string; port: number }, message: Buffer, signal: AbortSignal): Promise<Buffer>
  /** What the cluster's DNS answers for a full name. @throws Error when it does not answer */
  lookup(name: string, type: string, signal: AbortSignal): Promise<DnsAnswer>
}

/** A machine without a cable. */
export const noNetwork: Network = {
  resolve: () => Promise.resolve([]),
  connect: () => Promise.reject(new Error('Network is unreachable')),
  exchange: () => Promise.reject(new Error('Network is unreachable')),
  lookup: () => Promise.reject(new Error('Network is unreachable')),
}

export interface Streams {
  input: Input
  out(output: Output): void
  err(text: string): void
}

/** Who a process runs as. */
export interface ProcessUser {
  uid: number
  gid: number
  /** Beside the first. */
  groups: readonly number[]
  /** May change the machine itself. */
  privileged: boolean
  /** May become who owns a program. */
  mayEscalate: boolean
}

export const rootUser: ProcessUser = { uid: 0, gid: 0, groups: [], privileged: false, mayEscalate: true }

/** What a process offers to the network it is in. Ports are let go when it ends. */
export interface Sockets {
  /** @throws Error with the C library's words when the port is taken */
  listen(port: number, accept: (connection: Duplex & { remoteAddress?: string }) => void): void
  /** Datagrams; what is answered goes back to the sender, null is no answer. */
  receive(port: number, answer: (message: Buffer, from: string) => Buffer | null): void
}

/** What a program sees of the (simulated) machine it runs on. */
export interface ProcessContext {
  /** Without the program's own name. */
  args: string[]
  input: Input
  out(output: Output): void
  err(text: string): void
  files: FileTree
  env: Map<string, string>
  workingDirectory: string
  hostname: string
  clock: Clock
  signal: AbortSignal
  network: Network
  user: ProcessUser
  /** Null on machines whose processes are not asked over the network. */
  sockets: Sockets | null
  /** Where the process was started from a terminal. */
  terminal?: { readonly input: Input; readonly size: { width: number; height: number } }
  /** Runs an argument vector as a process of its own on the same streams, as env, sudo, xargs and timeout do, or on others. */
  spawn(argv: string[], streams?: Partial<Streams>): Promise<number>
}

/** @returns the exit code */
export type Program = (context: ProcessContext) => Promise<number> | number

/** No input at all. */
export const emptyInput: Input = { readLine: () => Promise.resolve(null), readAll: () => Promise.resolve(''), readBytes: () => Promise.resolve(null) }

/** Ctrl-C: what runs in the foreground ends, the shell goes on. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** Beyond this the feeder is to wait. */
const FULL_BYTES = 2 ** 20
const NEWLINE = 0x0a

/** Input that is fed while the process runs. */
export class FedInput implements Input {
  #parts: Buffer[] = []
  #length = 0
  #ended = false
  #readers: { wake(): void; fail(error: Error): void }[] = []
  #endsOnce = false
  #feeders: (() => void)[] = []

  push(output: Output): void {
    const bytes = Buffer.from(output)
    if (this.#ended || bytes.length === 0) return
    this.#parts.push(bytes)
    this.#length += bytes.length
    this.#notify()
  }

  end(): void {
    this.#ended = true
    this.#notify()
    wake(this.#feeders)
  }

  /** Nothing more is taken. */
  get isEnded(): boolean {
    return this.#ended
  }

  /** The one who reads now, or next, sees the end; the one after it can read on, as after Ctrl-D in a terminal. */
  endOnce(): void {
    this.#endsOnce = true
    this.#notify()
  }

  /** Who waits for input gets the error; what was not read yet is forgotten. */
  interrupt(error: Interrupted): void {
    this.#takeAll()
    for (const { fail } of this.#readers.splice(0)) fail(error)
  }

  /** Resolves when the process read enough for more to be pushed. */
  async room(): Promise<void> {
    while (this.#length > FULL_BYTES && !this.#ended) await new Promise<void>((resolve) => this.#feeders.push(resolve))
  }

  async readLine(): Promise<string | null> {
    let searched = 0
    for (;;) {
      const at = this.#parts.findIndex((part, index) => index >= searched && part.includes(NEWLINE))
      if (at >= 0) {
        const all = Buffer.concat(this.#parts.slice(0, at + 1))
        const end = all.indexOf(NEWLINE)
        this.#parts.splice(0, at + 1, all.subarray(end + 1))
        this.#taken(end + 1)
        return all.toString('utf8', 0, end)
      }
      if (this.#atEnd()) return this.#length === 0 ? null : this.#takeAll().toString('utf8')
      searched = this.#parts.length
      await this.#more()
    }
  }

  async readAll(): Promise<string> {
    while (!this.#atEnd()) {
      // Who wants all takes it however much it is.
      const more = this.#more()
      wake(this.#feeders)
      await more
    }
    return this.#takeAll().toString('utf8')
  }

  async readBytes(): Promise<Buffer | null> {
    while (this.#length === 0) {
      if (this.#atEnd()) return null
      await this.#more()
    }
    return this.#takeAll()
  }

  #takeAll(): Buffer {
    const all = Buffer.concat(this.#parts)
    this.#parts = []
    this.#taken(all.length)
    return all
  }

  #taken(bytes: number): void {
    this.#length -= bytes
    if (this.#length <= FULL_BYTES) wake(this.#feeders)
  }

  /** Asking takes a single end away. */
  #atEnd(): boolean {
    const once = this.#endsOnce
    this.#endsOnce = false
    return this.#ended || once
  }

  #more(): Promise<void> {
    return new Promise((resolve, reject) => this.#readers.push({ wake: resolve, fail: reject }))
  }

  #notify(): void {
    for (const reader of this.#readers.splice(0)) reader.wake()
  }
}

function wake(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve()
}

/** Input that is known whole. */
export function wholeInput(content: Output): Input {
  const input = new FedInput()
  input.push(content)
  input.end()
  return input
}
