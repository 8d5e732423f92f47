/** Why some of the nodes do not take a pod. `other` keeps the scheduler's own words in `detail`. */
export interface MisfitReason {
  nodes: number
  kind:
    | 'insufficient'
    | 'tainted'
    | 'selector'
    | 'cordoned'
    | 'tooManyPods'
    | 'ports'
    | 'spread'
    | 'antiAffinity'
    | 'affinity'
    | 'volume'
    | 'claims'
    | 'name'
    | 'other'
  /** The resource, the taint's key, or the words. */
  detail: string
}

export interface SchedulingVerdict {
  fitting: number
  total: number
  reasons: MisfitReason[]
}

/** The scheduler's words, as its plugins write them, and what they mean. @see kubernetes pkg/scheduler/framework/plugins, ErrReason… */
const MEANINGS: readonly [RegExp, MisfitReason['kind']][] = [
  [/^Insufficient (.+)$/, 'insufficient'],
  [/^node\(s\) had untolerated taint(?:\(s\))?(?: \{([^:}]+).*\})?$/, 'tainted'],
  [/^node\(s\) had taint \{([^:}]+).*$/, 'tainted'],
  [/^node\(s\) didn't match (?:Pod's node affinity\/selector|node selector|Pod's node affinity)$/, 'selector'],
  [/^node\(s\) were unschedulable$/, 'cordoned'],
  [/^Too many pods$/, 'tooManyPods'],
  [/^node\(s\) didn't have free ports for the requested pod ports$/, 'ports'],
  [/^node\(s\) didn't match pod topology spread constraints.*$/, 'spread'],
  [/^node\(s\) didn't (?:match pod anti-affinity rules|satisfy existing pods anti-affinity rules)$/, 'antiAffinity'],
  [/^node\(s\) didn't match pod affinity rules$/, 'affinity'],
  [/^node\(s\) had volume node affinity conflict$/, 'volume'],
  [/^node\(s\) didn't find available persistent volumes to bind$/, 'claims'],
  [/^node\(s\) didn't match the requested node name$/, 'name'],
]

/**
 * The scheduler's message taken apart, e.g. `0/3 nodes are available: 1 node(s) had untolerated taint {a: }, 2 Insufficient memory.
 * preemption: …`; null when it says something else.
 * @see https://github.com/kubernetes/kubernetes/blob/v1.36.0/pkg/scheduler/framework/types.go FitError.Error
 */
export function parseScheduling(message: string): SchedulingVerdict | null {
  const parts = /^(\d+)\/(\d+) nodes are available(?:: ([\s\S]*))?/.exec(message)
  if (parts === null) return null
  const body = (parts[3] ?? '').replace(/\.?\s*preemption:[\s\S]*$/, '').replace(/\.\s*$/, '')
  const reasons = body.split(/, (?=\d+ )/).flatMap((text): MisfitReason[] => {
    const counted = /^(\d+) (.+)$/.exec(text.trim())
    if (counted === null) return text.trim() === '' ? [] : [{ nodes: 0, kind: 'other', detail: text.trim() }]
    const [, nodes = '0', words = ''] = counted
    for (const [pattern, kind] of MEANINGS) {
      const found = pattern.exec(words)
      if (found !== null) return [{ nodes: Number(nodes), kind, detail: found[1] ?? '' }]
    }
    return [{ nodes: Number(nodes), kind: 'other', detail: words.replace(/^node\(s\) /, '') }]
  })
  return { fitting: Number(parts[1]), total: Number(parts[2]), reasons: reasons.sort((a, b) => b.nodes - a.nodes) }
}
