import type { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'

type Images = NodeInfo['images']

const NONE: Images = new Map()

/** On how many nodes each image is, kept as nodes come, change and go (upstream's image states of the scheduler's cache). */
export class ImageNodes {
  readonly #counts = new Map<string, number>()

  count(image: string): number {
    return this.#counts.get(image) ?? 0
  }

  /** Tells what a node had and has now; nothing of a node that comes or goes. */
  changed(before: Images = NONE, now: Images = NONE): void {
    if (before === now) return
    for (const image of now.keys()) this.#counts.set(image, this.count(image) + 1)
    for (const image of before.keys()) {
      const count = this.count(image) - 1
      if (count > 0) this.#counts.set(image, count)
      else this.#counts.delete(image)
    }
  }
}
