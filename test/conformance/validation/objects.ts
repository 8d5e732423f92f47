import { OTHERS } from './otherObjects.ts'
import type { Sample } from './sampleParts.ts'
import { WORKLOADS } from './workloadObjects.ts'

export type { Sample } from './sampleParts.ts'

/** One valid object of every kind, with as many of its fields as go together. */
export const SAMPLES: readonly Sample[] = [...WORKLOADS, ...OTHERS]
