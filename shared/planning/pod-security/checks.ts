import type { PodView } from './podView.ts'

/** Why a pod does not meet a check: what is wrong, and where. */
export interface Violation {
  reason: string
  detail: string
}

/** One rule of the Pod Security Standards. */
export interface Check {
  id: string
  /** The minor release whose standard has it first. @default all */
  since?: number
  /** Checks that say less about the same thing. */
  overrides?: readonly string[]
  /** @param minor the standard's release; Infinity is the latest */
  run(pod: PodView, minor: number): Violation | null
}
