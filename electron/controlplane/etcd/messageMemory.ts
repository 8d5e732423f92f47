/** Smaller messages are what the runtime makes room for anyway. */
const SMALLEST_BYTES = 64 * 1024
/** What may wait to be used again. */
const KEPT_BYTES = 32 * 1024 * 1024
/** Larger ones are rare: they wait until garbage is collected and no longer, and are rounded up by less. */
const LARGE_BYTES = 8 * 1024 * 1024
const LARGE_STEP_BYTES = 1024 * 1024
const LARGE_COUNT = 4

/**
 * Memory of large answers, used again once they were sent: memory outside of the heap that is asked for anew with each answer is
 * what collections of garbage are begun for, and its pages are made one by one as they are written.
 */
export class MessageMemory {
  /** By size, a power of two. */
  readonly #free = new Map<number, ArrayBuffer[]>()
  readonly #keptBytes: number
  #freeBytes = 0
  #large: WeakRef<ArrayBuffer>[] = []

  constructor(keptBytes = KEPT_BYTES) {
    this.#keptBytes = keptBytes
  }

  /** @returns so many bytes, whose content is whatever it was */
  take(size: number): Uint8Array {
    if (size < SMALLEST_BYTES) return new Uint8Array(size)
    if (size > LARGE_BYTES) return new Uint8Array(this.#takeLarge(size), 0, size)
    const whole = 2 ** Math.ceil(Math.log2(size))
    const free = this.#free.get(whole)?.pop()
    if (free !== undefined) this.#freeBytes -= whole
    return new Uint8Array(free ?? new ArrayBuffer(whole), 0, size)
  }

  #takeLarge(size: number): ArrayBuffer {
    const whole = Math.ceil(size / LARGE_STEP_BYTES) * LARGE_STEP_BYTES
    for (const [index, each] of this.#large.entries()) {
      const buffer = each.deref()
      if (buffer?.byteLength !== whole) continue
      this.#large.splice(index, 1)
      return buffer
    }
    return new ArrayBuffer(whole)
  }

  /** Nobody may look at these bytes any more. Those that did not come from here are left alone. */
  give({ buffer, byteOffset }: Uint8Array): void {
    const size = buffer.byteLength
    if (byteOffset !== 0 || size < SMALLEST_BYTES || !(buffer instanceof ArrayBuffer)) return
    if (size > LARGE_BYTES) {
      if (size % LARGE_STEP_BYTES === 0) this.#large = [...this.#large.filter((each) => each.deref() !== undefined).slice(1 - LARGE_COUNT), new WeakRef(buffer)]
      return
    }
    if (!Number.isInteger(Math.log2(size)) || this.#freeBytes + size > this.#keptBytes) return
    const same = this.#free.get(size) ?? []
    this.#free.set(size, same)
    same.push(buffer)
    this.#freeBytes += size
  }
}
