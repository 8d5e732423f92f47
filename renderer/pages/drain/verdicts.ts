import type { PodVerdict } from '#shared/planning/drain/drainPlan.ts'
import type { Tone } from '../../composables/tone.ts'

/** What needs a look comes first. */
export const VERDICTS: readonly PodVerdict[] = ['undecided', 'blocked', 'waits', 'evicted', 'leaves', 'stays']

const TONES: Readonly<Record<PodVerdict, Tone>> = { undecided: 'warn', blocked: 'bad', waits: 'warn', evicted: 'good', leaves: 'neutral', stays: 'neutral' }

export const verdictTone = (verdict: PodVerdict): Tone => TONES[verdict]
