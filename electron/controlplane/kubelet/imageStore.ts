import { createHash } from 'node:crypto'
import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import { behaviourOf } from './behaviour.ts'

/** `docker.io/library/nginx@sha256:…`: the same reference always has the same digest. */
export function imageDigest(image: string): string {
  const name = image.split('@')[0] ?? image
  return `${name.replace(/:[^:/]*$/, '')}@sha256:${createHash('sha256').update(image).digest('hex')}`
}

/** Images a node has. Pulls of the same image are shared. */
export class ImageStore {
  readonly #clock: Clock
  readonly #random: Random
  readonly #images = new Map<string, { sizeBytes: number; content?: string }>()
  readonly #pulls = new Map<string, Promise<number>>()
  #changes = 0

  constructor(options: { clock: Clock; random: Random; present: readonly string[] }) {
    this.#clock = options.clock
    this.#random = options.random
    for (const image of options.present) this.add(image)
  }

  /** How often what is here has changed. */
  get changes(): number {
    return this.#changes
  }

  has(image: string): boolean {
    return this.#images.has(image)
  }

  add(image: string): void {
    if (this.#images.has(image)) return
    this.#images.set(image, { sizeBytes: sizeOf(image) })
    this.#changes++
  }

  /** Gives a present image another name, in place of what had it. @returns false when there is no such image */
  tag(image: string, name: string): boolean {
    const found = this.#images.get(image)
    if (found === undefined) return false
    this.#images.set(name, { ...found, content: found.content ?? image })
    this.#changes++
    return true
  }

  /** What is behind a name: the image itself, unless it was tagged. */
  contentOf(name: string): string {
    return this.#images.get(name)?.content ?? name
  }

  /** @returns the size in bytes; 0 when the registry does not have it */
  async pull(image: string, signal: AbortSignal): Promise<number> {
    const running = this.#pulls.get(image)
    if (running !== undefined) return running
    const pull = this.#clock.sleep(this.#images.has(image) ? 80 : 200 + this.#random.below(500), { signal }).then(() => {
      if (behaviourOf(image).pullError !== undefined) return 0
      this.add(image)
      return this.#images.get(image)?.sizeBytes ?? 0
    })
    this.#pulls.set(image, pull)
    try {
      return await pull
    } finally {
      this.#pulls.delete(image)
    }
  }

  /** node.status.images: at most 50, the largest first. */
  list(): { names: string[]; sizeBytes: number }[] {
    return [...this.#images]
      .map(([image, { sizeBytes }]) => ({ names: [imageDigest(image), image], sizeBytes }))
      .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.names[1] ?? '').localeCompare(b.names[1] ?? ''))
      .slice(0, 50)
  }
}

/** Between 2 and 90 MB, the same for the same reference. */
function sizeOf(image: string): number {
  return 2_000_000 + (createHash('sha256').update(image).digest().readUInt32BE(0) % 88_000_000)
}
