import type { KubeObject } from '#shared/kubernetes/object.ts'
import { number, text, type ResourceColumns } from './columns.ts'
import { common, namespaced } from './commonColumns.ts'
import { conditionStatus, countAt, listAt, ownerText, quantityAt, textAt, at, timeAt } from './fields.ts'

// Columns: name namespace uid createdAtMs; status (kubectl's STATUS word), phase, ready and readyTotal (containers), restarts,
// lastRestartReason, lastRestartAtMs, node, ip, cpuRequest cpuLimit cpuUse (cores), memoryRequest memoryLimit memoryUse (bytes),
// qos, priority, owner (`ReplicaSet/web-1`), containers (names, comma separated), images, labels (`a=b,c=d`), message.

/**
 * The STATUS word of `kubectl get pods`.
 * @see https://github.com/kubernetes/kubernetes/blob/v1.36.0/pkg/printers/internalversion/printers.go printPod
 */
export function podStatusWord(pod: KubeObject): string {
  let word = textAt(pod, 'status', 'reason') || textAt(pod, 'status', 'phase')
  if (conditionReason(pod, 'PodScheduled') === 'SchedulingGated') word = 'SchedulingGated'
  const initialising = initStatusWord(pod)
  if (initialising !== null) word = initialising
  if (initialising === null || conditionStatus(pod, 'Initialized') === 'True') {
    let running = false
    for (const status of listAt(pod, 'status', 'containerStatuses').toReversed()) {
      const waiting = textAt(status, 'state', 'waiting', 'reason')
      if (waiting !== '') word = waiting
      else if (at(status, 'state', 'terminated') !== undefined) word = terminatedWord(status)
      else if (at(status, 'ready') === true && at(status, 'state', 'running') !== undefined) running = true
    }
    if (word === 'Completed' && running) word = conditionStatus(pod, 'Ready') === 'True' ? 'Running' : 'NotReady'
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (textAt(pod, 'status', 'reason') === 'NodeLost') return 'Unknown'
    if (!['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase'))) return 'Terminating'
  }
  return word
}

function terminatedWord(status: unknown, prefix = ''): string {
  const reason = textAt(status, 'state', 'terminated', 'reason')
  if (reason !== '') return prefix + reason
  const signal = countAt(status, 'state', 'terminated', 'signal')
  return prefix + (signal !== 0 ? `Signal:${String(signal)}` : `ExitCode:${String(countAt(status, 'state', 'terminated', 'exitCode'))}`)
}

/** The word while init containers hold the pod back, or null once they are through. */
function initStatusWord(pod: KubeObject): string | null {
  const specs = listAt(pod, 'spec', 'initContainers')
  const statuses = listAt(pod, 'status', 'initContainerStatuses')
  for (const [index, status] of statuses.entries()) {
    const restartable = specs.some((spec) => textAt(spec, 'name') === textAt(status, 'name') && textAt(spec, 'restartPolicy') === 'Always')
    if (at(status, 'state', 'terminated') !== undefined) {
      if (countAt(status, 'state', 'terminated', 'exitCode') === 0) continue
      return terminatedWord(status, 'Init:')
    }
    if (restartable && at(status, 'started') === true) continue
    const waiting = textAt(status, 'state', 'waiting', 'reason')
    return waiting !== '' && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${String(index)}/${String(specs.length)}`
  }
  return null
}

function conditionReason(pod: KubeObject, type: string): string {
  return textAt(
    listAt(pod, 'status', 'conditions').find((each) => textAt(each, 'type') === type),
    'reason',
  )
}

/** Containers that live as long as the pod: the regular ones and sidecars. */
function lastingContainers(pod: KubeObject): unknown[] {
  return [...listAt(pod, 'spec', 'initContainers').filter((each) => textAt(each, 'restartPolicy') === 'Always'), ...listAt(pod, 'spec', 'containers')]
}

function statusesOf(pod: KubeObject): unknown[] {
  const lasting = new Set(lastingContainers(pod).map((each) => textAt(each, 'name')))
  const all = [...listAt(pod, 'status', 'initContainerStatuses'), ...listAt(pod, 'status', 'containerStatuses')]
  return all.filter((each) => lasting.has(textAt(each, 'name')))
}

/**
 * What the scheduler counts for a pod: the sum of lasting containers, or the largest init container with the sidecars before it,
 * plus overhead; NaN when no container says anything.
 */
export function podResource(pod: KubeObject, list: 'requests' | 'limits', resource: 'cpu' | 'memory'): number {
  let said = false
  const read = (container: unknown): number => {
    const value = quantityAt(container, 'resources', list, resource)
    if (Number.isNaN(value)) return 0
    said = true
    return value
  }
  let sidecars = 0
  let initPeak = 0
  for (const container of listAt(pod, 'spec', 'initContainers')) {
    const value = read(container)
    if (textAt(container, 'restartPolicy') === 'Always') {
      sidecars += value
      initPeak = Math.max(initPeak, sidecars)
    } else initPeak = Math.max(initPeak, sidecars + value)
  }
  const regular = listAt(pod, 'spec', 'containers').reduce<number>((sum, container) => sum + read(container), 0)
  const overhead = quantityAt(pod, 'spec', 'overhead', resource)
  return said ? Math.max(initPeak, regular + sidecars) + (Number.isNaN(overhead) ? 0 : overhead) : Number.NaN
}

function lastTermination(pod: KubeObject): unknown {
  return statusesOf(pod)
    .map((each) => at(each, 'lastState', 'terminated'))
    .filter((each) => each !== undefined)
    .sort((a, b) => timeAt(b, 'finishedAt') - timeAt(a, 'finishedAt'))[0]
}

function restarts(pod: KubeObject): number {
  return statusesOf(pod).reduce<number>((sum, each) => sum + countAt(each, 'restartCount'), 0)
}

export const pods: ResourceColumns = {
  resource: 'pods',
  group: '',
  version: 'v1',
  kind: 'Pod',
  namespaced: true,
  columns: {
    ...common,
    ...namespaced,
    status: text(podStatusWord),
    phase: text((pod) => textAt(pod, 'status', 'phase')),
    ready: number((pod) => statusesOf(pod).filter((each) => at(each, 'ready') === true).length),
    readyTotal: number((pod) => lastingContainers(pod).length),
    restarts: number(restarts),
    lastRestartReason: text((pod) => textAt(lastTermination(pod), 'reason')),
    lastRestartAtMs: number((pod) => timeAt(lastTermination(pod), 'finishedAt')),
    node: text((pod) => textAt(pod, 'spec', 'nodeName')),
    ip: text((pod) => textAt(pod, 'status', 'podIP')),
    cpuRequest: number((pod) => podResource(pod, 'requests', 'cpu')),
    cpuLimit: number((pod) => podResource(pod, 'limits', 'cpu')),
    cpuUse: { kind: 'number', from: 'usage', read: (_pod, { usage }) => usage?.cpuCores ?? Number.NaN },
    memoryRequest: number((pod) => podResource(pod, 'requests', 'memory')),
    memoryLimit: number((pod) => podResource(pod, 'limits', 'memory')),
    memoryUse: { kind: 'number', from: 'usage', read: (_pod, { usage }) => usage?.memoryBytes ?? Number.NaN },
    qos: text((pod) => textAt(pod, 'status', 'qosClass')),
    priority: number((pod) => countAt(pod, 'spec', 'priority')),
    owner: text(ownerText),
    containers: text((pod) =>
      listAt(pod, 'spec', 'containers')
        .map((each) => textAt(each, 'name'))
        .join(','),
    ),
    images: text((pod) =>
      listAt(pod, 'spec', 'containers')
        .map((each) => textAt(each, 'image'))
        .join(','),
    ),
    message: text(
      (pod) =>
        textAt(pod, 'status', 'message') ||
        (conditionStatus(pod, 'PodScheduled') === 'False'
          ? textAt(
              listAt(pod, 'status', 'conditions').find((each) => textAt(each, 'type') === 'PodScheduled'),
              'message',
            )
          : ''),
    ),
  },
}
