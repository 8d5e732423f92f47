import type { KubeObject } from '#shared/kubernetes/object.ts'
import { at, countAt, listAt, textAt, timeAt } from '#shared/resources/fields.ts'

/** One stretch of a container's life. `toMs` null = still so. */
export interface ContainerSpan {
  fromMs: number
  toMs: number | null
  state: 'running' | 'succeeded' | 'failed' | 'waiting'
  /** kubectl's word, with the exit code where there is one: `Error (1)`, `CrashLoopBackOff`. */
  word: string
}

export interface ContainerLane {
  name: string
  role: 'init' | 'sidecar' | 'container' | 'ephemeral'
  restarts: number
  spans: ContainerSpan[]
}

function endedSpan(terminated: unknown): ContainerSpan | null {
  const fromMs = timeAt(terminated, 'startedAt')
  const toMs = timeAt(terminated, 'finishedAt')
  if (Number.isNaN(fromMs) || Number.isNaN(toMs)) return null
  const exitCode = countAt(terminated, 'exitCode')
  const reason = textAt(terminated, 'reason') || 'Ended'
  return { fromMs, toMs, state: exitCode === 0 ? 'succeeded' : 'failed', word: exitCode === 0 ? reason : `${reason} (${String(exitCode)})` }
}

/**
 * What a pod's status still tells of its containers' lives: the last run before this one, and what is now. Kubernetes keeps no more
 * than that; earlier restarts are a number only.
 */
export function containerLanes(pod: KubeObject): ContainerLane[] {
  const createdMs = timeAt(pod, 'metadata', 'creationTimestamp')
  const startedMs = timeAt(pod, 'status', 'startTime')
  const statuses = [
    ...listAt(pod, 'status', 'initContainerStatuses'),
    ...listAt(pod, 'status', 'containerStatuses'),
    ...listAt(pod, 'status', 'ephemeralContainerStatuses'),
  ]
  const specs = [
    ...listAt(pod, 'spec', 'initContainers').map((spec) => ({
      spec,
      role: textAt(spec, 'restartPolicy') === 'Always' ? ('sidecar' as const) : ('init' as const),
    })),
    ...listAt(pod, 'spec', 'containers').map((spec) => ({ spec, role: 'container' as const })),
    ...listAt(pod, 'spec', 'ephemeralContainers').map((spec) => ({ spec, role: 'ephemeral' as const })),
  ]
  return specs.map(({ spec, role }) => {
    const name = textAt(spec, 'name')
    const status = statuses.find((each) => textAt(each, 'name') === name)
    const last = endedSpan(at(status, 'lastState', 'terminated'))
    const spans: ContainerSpan[] = last === null ? [] : [last]
    const running = at(status, 'state', 'running')
    const terminated = at(status, 'state', 'terminated')
    if (running !== undefined) spans.push({ fromMs: timeAt(running, 'startedAt'), toMs: null, state: 'running', word: 'Running' })
    else if (terminated !== undefined) {
      const ended = endedSpan(terminated)
      // The same run can stand in both places while a container waits for its next start.
      if (ended !== null && !(last !== null && last.fromMs === ended.fromMs)) spans.push(ended)
    } else {
      const fromMs = last?.toMs ?? (Number.isNaN(startedMs) ? createdMs : startedMs)
      spans.push({ fromMs, toMs: null, state: 'waiting', word: textAt(status, 'state', 'waiting', 'reason') || 'Waiting' })
    }
    return { name, role, restarts: countAt(status, 'restartCount'), spans: spans.filter((span) => !Number.isNaN(span.fromMs)) }
  })
}

/**
 * Where a span lies on an axis from a time to now, in percent. The axis is stretched towards now by a square root, so that the last
 * minutes of a pod that is days old can still be seen: a quarter of the time ago stands in the middle.
 */
export function spanPlace(span: ContainerSpan, fromMs: number, nowMs: number): { left: number; width: number } {
  const length = Math.max(1, nowMs - fromMs)
  const place = (atMs: number): number => 100 * (1 - Math.sqrt(Math.min(1, Math.max(0, (nowMs - atMs) / length))))
  const left = place(span.fromMs)
  return { left, width: Math.max(0, place(span.toMs ?? nowMs) - left) }
}
