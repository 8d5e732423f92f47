import { minorOf } from '#shared/kubernetes/schema/served.ts'
import type { Histogram, Values } from './instruments.ts'
import { releaseInstruments, type Instruments } from './releaseInstruments.ts'

/** The main series of `/metrics`, under the names and labels of the served release. */
export class ApiServerMetrics {
  #now: Instruments

  /** @param kubernetesVersion such as `v1.36.0` */
  constructor(kubernetesVersion: string) {
    this.#now = releaseInstruments(minorOf(kubernetesVersion))
  }

  /** To be asked for at each use, but for what is taken back where it was added. */
  get now(): Instruments {
    return this.#now
  }

  /** Begins anew, as the server of another release does. */
  serve(kubernetesVersion: string): void {
    this.#now = releaseInstruments(minorOf(kubernetesVersion))
  }

  get families(): (Values | Histogram)[] {
    return Object.values(this.#now)
  }
}
