/** How a state should feel; every use has a word beside it. */
export type Tone = 'good' | 'warn' | 'bad' | 'neutral' | 'info'

const GOOD = new Set([
  'Running',
  'Ready',
  'Active',
  'Bound',
  'Available',
  'Complete',
  'True',
  'Approved',
  'Issued',
  'Approved,Issued',
  'good',
  'done',
  'Deployed',
])
const WARN = new Set([
  'Pending',
  'ContainerCreating',
  'PodInitializing',
  'Terminating',
  'Warning',
  'Progressing',
  'Degraded',
  'Released',
  'NotReady',
  'Unknown',
  'SchedulingGated',
  'suspicious',
  'waiting',
  'interrupted',
  'Suspended',
  'Ready,SchedulingDisabled',
])
const NEUTRAL = new Set(['Completed', 'Succeeded', 'Normal', 'Paused', 'ScaledToZero', 'Opaque', 'pending', 'skipped', 'planned', 'unverified', '<none>', ''])
const INFO = new Set(['running'])
const WORD_OF_FAILURE = /error|fail|backoff|crash|evict|oom|lost|unknown|notready|invalid|denied|broken|exitcode|signal|cannot|never|unexpected|aborted/i

/** The tone of a Kubernetes status word. */
export function toneOf(word: string): Tone {
  if (word.startsWith('NotReady')) return 'bad'
  if (GOOD.has(word)) return 'good'
  if (WARN.has(word)) return 'warn'
  if (NEUTRAL.has(word)) return 'neutral'
  if (INFO.has(word)) return 'info'
  if (WORD_OF_FAILURE.test(word)) return 'bad'
  return word.startsWith('Init:') ? 'warn' : 'neutral'
}

/** Order of trouble: 0 needs attention most. */
export function troubleRank(word: string): number {
  const tone = toneOf(word)
  return tone === 'bad' ? 0 : tone === 'warn' ? 1 : 2
}

/** States that pass by themselves: a clock beside them, no sign of danger. */
const PASSING = /^(Pending|ContainerCreating|PodInitializing|Terminating|Progressing|SchedulingGated|waiting|Init:\d+\/\d+)$/

/** Whether a state is a wait rather than a fault. */
export const isPassing = (word: string): boolean => PASSING.test(word)
