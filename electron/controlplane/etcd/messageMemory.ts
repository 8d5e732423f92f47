/** Smaller messages are what the runtime makes room for anyway. */
const SMALLEST_BYTES = 64 * 1024
/** Larger ones are rare, and rounding them up to a power of two costs more than making room anew. */
const LARGEST_BYTES = 8 * 1024 * 1024
/** What may wait to be used again. */
const KEPT_BYTES = 32 * 1024 * 1024

/**
 * Memory of large answers, used again once they were sent: memory outside of the heap that is asked for anew with each answer is
 * what collections of garbage are begun for.
 */
export class MessageMemory {
  /** By size, a power of two. */
  readonly #free = new Map<number, Uint8Array[]>()
  readonly #keptBytes: number
  #freeBytes = 0

  constructor(keptBytes = KEPT_BYTES) {
    this.#keptBytes = keptBytes
  }

  /** @returns so many bytes, whose content is whatever it was */
  take(size: number): Uint8Array {
    if (size < SMALLEST_BYTES || size > Math.min(LARGEST_BYTES, this.#keptBytes)) return new Uint8Array(size)
    const whole = 2 ** Math.ceil(Math.log2(size))
    const free = this.#free.get(whole)?.pop()
    if (free !== undefined) this.#freeBytes -= whole
    return (free ?? new Uint8Array(whole)).subarray(0, size)
  }

  /** Nobody may look at these bytes any more. Those that did not come from here are left alone. */
  give({ buffer, byteOffset }: Uint8Array): void {
    const size = buffer.byteLength
    if (byteOffset !== 0 || size < SMALLEST_BYTES || !Number.isInteger(Math.log2(size)) || this.#freeBytes + size > this.#keptBytes) return
    const same = this.#free.get(size) ?? []
    this.#free.set(size, same)
    same.push(new Uint8Array(buffer))
    this.#freeBytes += size
  }
}
