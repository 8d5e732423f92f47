import { objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { objectsAt, specOf, statusOf, textAt } from '../../controller.ts'

/** What a rule says of a failed pod. `Count` is also what happens without a matching rule. */
export interface PodFailureVerdict {
  action: 'Ignore' | 'FailJob' | 'FailIndex' | 'Count'
  /** For FailJob and FailIndex: what the job's condition says. */
  message: string
}

const COUNTED: PodFailureVerdict = { action: 'Count', message: '' }

/** The first rule of the job's podFailurePolicy that matches. @see pkg/controller/job/pod_failure_policy.go */
export function podFailureVerdict(job: KubeObject, pod: KubeObject): PodFailureVerdict {
  const rules = objectsAt(objectAt(specOf(job)['podFailurePolicy'])['rules'])
  for (const [index, rule] of rules.entries()) {
    const action = textAt(rule['action'])
    const suffix = `matching ${action} rule at index ${String(index)}`
    const podName = `${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''}`
    const container = matchingContainer(objectAt(rule['onExitCodes']), pod)
    if (container !== null)
      return verdict(action, `Container ${container.name} for pod ${podName} failed with exit code ${String(container.exitCode)} ${suffix}`)
    const condition = matchingCondition(objectsAt(rule['onPodConditions']), pod)
    if (condition !== null) return verdict(action, `Pod ${podName} has condition ${condition} ${suffix}`)
  }
  return COUNTED
}

function verdict(action: string, message: string): PodFailureVerdict {
  return action === 'Ignore' || action === 'FailJob' || action === 'FailIndex' ? { action, message } : COUNTED
}

function matchingContainer(rule: JsonObject, pod: KubeObject): { name: string; exitCode: number } | null {
  const values = Array.isArray(rule['values']) ? (rule['values'] as unknown[]) : []
  if (rule['operator'] === undefined) return null
  const statuses = [...objectsAt(statusOf(pod)['containerStatuses']), ...objectsAt(statusOf(pod)['initContainerStatuses'])]
  for (const status of statuses) {
    const name = textAt(status['name'])
    const { exitCode } = objectAt(objectAt(status['state'])['terminated'])
    if (typeof exitCode !== 'number' || exitCode === 0) continue
    if (rule['containerName'] !== undefined && rule['containerName'] !== null && rule['containerName'] !== name) continue
    if (values.includes(exitCode) === (rule['operator'] === 'In')) return { name, exitCode }
  }
  return null
}

function matchingCondition(patterns: readonly JsonObject[], pod: KubeObject): string | null {
  for (const pattern of patterns)
    for (const condition of objectsAt(statusOf(pod)['conditions']))
      if (condition['type'] === pattern['type'] && condition['status'] === (textAt(pattern['status']) || 'True')) return textAt(pattern['type'])
  return null
}
