/** Sets of completion indexes, written as upstream writes them: `1,3-5,7`. Intervals of two stay apart: `0,1`. */
export class Indexes {
  readonly #members: Set<number>

  constructor(members: Iterable<number> = []) {
    this.#members = new Set(members)
  }

  /** What cannot be read counts as nothing; indexes at or above `limit` are dropped. */
  static parse(text: string, limit: number): Indexes {
    const result = new Indexes()
    for (const part of text.split(',')) {
      const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part)
      if (match === null) continue
      const [, first = '', last = first] = match
      for (let index = Number(first); index <= Math.min(Number(last), limit - 1); index++) result.add(index)
    }
    return result
  }

  get size(): number {
    return this.#members.size
  }

  has(index: number): boolean {
    return this.#members.has(index)
  }

  add(index: number): void {
    this.#members.add(index)
  }

  values(): number[] {
    return [...this.#members].sort((a, b) => a - b)
  }

  toString(): string {
    const parts: string[] = []
    let run: number[] = []
    const flush = (): void => {
      const [first, last] = [run[0], run.at(-1)]
      if (first === undefined || last === undefined) return
      parts.push(run.length === 1 ? String(first) : run.length === 2 ? `${String(first)},${String(last)}` : `${String(first)}-${String(last)}`)
      run = []
    }
    for (const index of this.values()) {
      if (run.length > 0 && index !== (run.at(-1) ?? 0) + 1) flush()
      run.push(index)
    }
    flush()
    return parts.join(',')
  }
}
