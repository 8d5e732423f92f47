/** Holds what has to be let go of, and lets go in reverse order of adding. */
export class DisposableStore {
  readonly #disposers: (() => void | Promise<void>)[] = []
  #disposed = false

  /** Registers on the line that creates; when the store is already disposed, disposes at once. */
  add(dispose: () => void | Promise<void>): void {
    if (this.#disposed) void dispose()
    else this.#disposers.push(dispose)
  }

  /** Runs every disposer even when one throws; then throws the first error. */
  async dispose(): Promise<void> {
    this.#disposed = true
    const errors: unknown[] = []
    for (let dispose = this.#disposers.pop(); dispose !== undefined; dispose = this.#disposers.pop()) {
      try {
        await dispose()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}
