import { isObject, type JsonObject } from '../json.ts'
import { setDefault } from './podSpec.ts'

/** Four in five: the share of the requested CPU that an autoscaler without metrics aims at. */
const UTILIZATION = 80

/** The metric of an autoscaler that names none. */
export function defaultMetric(version: string): JsonObject {
  if (version === 'v2beta1') return { type: 'Resource', resource: { name: 'cpu', targetAverageUtilization: UTILIZATION } }
  return { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: UTILIZATION } } }
}

/**
 * Fills the rules of a behavior that is given; what is absent in it scales as without one.
 *
 * @param emptied paths of the autoscaler that were written as empty lists: those get no default, and are refused
 */
export function defaultBehavior(behavior: unknown, emptied: readonly string[]): void {
  if (!isObject(behavior)) return
  const fill = (name: string, defaults: JsonObject): void => {
    const rules = isObject(behavior[name]) ? behavior[name] : {}
    for (const [member, value] of Object.entries(defaults)) if (!emptied.includes(`spec.behavior.${name}.${member}`)) setDefault(rules, member, value)
    behavior[name] = rules
  }
  fill('scaleUp', {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  })
  fill('scaleDown', { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] })
}
