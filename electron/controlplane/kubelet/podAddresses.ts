/** Hands out pod addresses of a node's range, lowest free first; .0 and .1 are the network and its bridge. */
export class PodAddresses {
  readonly #base: number
  readonly #size: number
  readonly #byPod = new Map<string, string>()
  readonly #used = new Set<string>()

  /** @param cidr IPv4, e.g. `10.244.1.0/24` */
  constructor(cidr: string) {
    const [address = '', bits = '24'] = cidr.split('/')
    this.#base = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
    this.#size = 2 ** (32 - Number(bits))
  }

  /** @param wanted the address the pod had before, kept when it is free. @throws when the range is used up */
  allocate(uid: string, wanted: string | undefined): string {
    const held = this.#byPod.get(uid)
    if (held !== undefined) return held
    if (wanted !== undefined && !this.#used.has(wanted)) return this.#take(uid, wanted)
    for (let offset = 2; offset < this.#size - 1; offset++) {
      const value = this.#base + offset
      const address = [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
      if (!this.#used.has(address)) return this.#take(uid, address)
    }
    throw new Error('no free address in the node’s pod range')
  }

  release(uid: string): void {
    const address = this.#byPod.get(uid)
    if (address === undefined) return
    this.#byPod.delete(uid)
    this.#used.delete(address)
  }

  #take(uid: string, address: string): string {
    this.#byPod.set(uid, address)
    this.#used.add(address)
    return address
  }
}
