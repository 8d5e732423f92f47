/** Events waiting for a reader that does not read; beyond it the watch ends and the client starts anew. */
const MAX_BACKLOG = 20_000
const INITIAL_CHUNK_BYTES = 256 * 1024

/** How items that wait together are handed on. */
export interface Batching<Item, Batch> {
  sizeOf(item: Item): number
  join(items: readonly Item[]): Batch
}

/** Items from a source of events to a reader that takes them at its own pace. */
export class EventQueue<Item, Batch> {
  readonly #initial: Iterator<Item>
  readonly #batching: Batching<Item, Batch>
  readonly #told: (item: Item) => void
  #items: Item[] = []
  #ended = false
  #wake: (() => void) | null = null

  /**
   * @param initial items that come first, made as they are read
   * @param told called with each item that is handed on
   */
  constructor(initial: Iterator<Item>, batching: Batching<Item, Batch>, told: (item: Item) => void) {
    this.#initial = initial
    this.#batching = batching
    this.#told = told
  }

  push(item: Item): void {
    if (this.#ended) return
    this.#items.push(item)
    if (this.#items.length > MAX_BACKLOG) this.end()
    this.#wakeReader()
  }

  end(): void {
    this.#ended = true
    this.#wakeReader()
  }

  /** Once each time it waits: resolving a promise again is no small thing for Node, which looks whether somebody wants to know. */
  #wakeReader(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }

  async *read(): AsyncGenerator<Batch> {
    for (let batch = this.#initialBatch(); batch.length > 0; batch = this.#initialBatch()) yield this.#batching.join(batch)
    for (;;) {
      if (this.#items.length > 0) {
        const items = this.#items
        this.#items = []
        for (const item of items) this.#told(item)
        yield this.#batching.join(items)
      } else if (this.#ended) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }

  #initialBatch(): Item[] {
    const items: Item[] = []
    for (let bytes = 0; bytes < INITIAL_CHUNK_BYTES;) {
      const { value, done } = this.#initial.next()
      if (done === true) break
      items.push(value)
      this.#told(value)
      bytes += this.#batching.sizeOf(value)
    }
    return items
  }
}
