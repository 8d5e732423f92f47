/** Bytes on their way from a connection to a reader, which may be slower. */
export class ByteQueue {
  readonly #limitBytes: number
  #parts: Uint8Array[] = []
  #length = 0
  #ended = false
  #wakeReader: (() => void)[] = []
  #wakeWriter: (() => void)[] = []

  /** @param limitBytes a writer waits while more than this is queued */
  constructor(limitBytes = 2 ** 20) {
    this.#limitBytes = limitBytes
  }

  /** Resolves when there is room for more, or nobody will read any more. */
  async push(bytes: Uint8Array): Promise<void> {
    if (this.#ended || bytes.length === 0) return
    this.#parts.push(bytes)
    this.#length += bytes.length
    wake(this.#wakeReader)
    while (this.#length > this.#limitBytes && !this.#ended) await new Promise<void>((resolve) => this.#wakeWriter.push(resolve))
  }

  /** No more bytes come; what is queued can still be read. */
  end(): void {
    this.#ended = true
    wake(this.#wakeReader)
    wake(this.#wakeWriter)
  }

  /** Ends and forgets what is queued: the reader went away. */
  cancel(): void {
    this.#parts = []
    this.#length = 0
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const part = this.#parts.shift()
      if (part !== undefined) {
        this.#length -= part.length
        wake(this.#wakeWriter)
        yield part
      } else if (this.#ended) return
      else await new Promise<void>((resolve) => this.#wakeReader.push(resolve))
    }
  }
}

function wake(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve()
}
