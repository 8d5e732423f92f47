import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import { countAt, objectsAt } from '../../controller.ts'

export interface ScaleEvent {
  atMs: number
  change: number
}

/** Default behaviour: up by 4 pods or double per 15 s, down to the least at once after five calm minutes. */
const DEFAULTS = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  },
  scaleDown: { stabilizationWindowSeconds: 300, selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
} as const

export function rulesOf(behavior: unknown, direction: 'scaleUp' | 'scaleDown'): { windowMs: number; select: string; policies: JsonObject[] } {
  const own = objectAt(objectAt(behavior)[direction])
  const fallback = DEFAULTS[direction]
  return {
    windowMs: countAt(own['stabilizationWindowSeconds'] ?? fallback.stabilizationWindowSeconds) * 1000,
    select: String(own['selectPolicy'] ?? fallback.selectPolicy),
    policies: own['policies'] === undefined ? [...fallback.policies] : objectsAt(own['policies']),
  }
}

/** The most (or least) replicas that the policies allow now, given what was changed in their periods. */
export function policyLimit(
  direction: 'scaleUp' | 'scaleDown',
  { current, behavior, events, nowMs }: { current: number; behavior: unknown; events: readonly ScaleEvent[]; nowMs: number },
): number {
  const { select, policies } = rulesOf(behavior, direction)
  if (select === 'Disabled') return current
  const up = direction === 'scaleUp'
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const sinceMs = nowMs - countAt(periodSeconds) * 1000
    const changed = events.filter(({ atMs }) => atMs > sinceMs).reduce((sum, { change }) => sum + change, 0)
    const start = up ? current - changed : current + changed
    if (type === 'Pods') return up ? start + countAt(value) : start - countAt(value)
    return up ? Math.ceil(start * (1 + countAt(value) / 100)) : Math.trunc(start * (1 - countAt(value) / 100))
  })
  const wide = select === 'Max'
  return up === wide ? Math.max(...limits) : Math.min(...limits)
}
