import type { KubeObject } from '../object.ts'
import { age, at, columns, countAt, listAt, orNone, since, textAt, wide, type Cell, type Printer } from './column.ts'

function terminatedReason(terminated: unknown, signalFirst: string): string {
  const reason = textAt(terminated, 'reason')
  if (reason !== '') return signalFirst + reason
  const signal = countAt(terminated, 'signal')
  return `${signalFirst}${signal === 0 ? `ExitCode:${String(countAt(terminated, 'exitCode'))}` : `Signal:${String(signal)}`}`
}

function isRestartable(container: unknown): boolean {
  return textAt(container, 'restartPolicy') === 'Always'
}

interface PodSummary {
  reason: string
  ready: number
  total: number
  restarts: number
  lastRestart: string
}

/** What the STATUS, READY and RESTARTS columns say. Sidecars (restartable init containers) count as containers. */
export function podSummary(pod: KubeObject): PodSummary {
  const containers = listAt(pod, 'spec', 'containers')
  const initContainers = listAt(pod, 'spec', 'initContainers')
  const summary: PodSummary = {
    reason: textAt(pod, 'status', 'reason') || textAt(pod, 'status', 'phase'),
    ready: 0,
    total: containers.length,
    restarts: 0,
    lastRestart: '',
  }
  for (const condition of listAt(pod, 'status', 'conditions'))
    if (textAt(condition, 'type') === 'PodScheduled' && textAt(condition, 'reason') === 'SchedulingGated') summary.reason = 'SchedulingGated'
  const specOf = new Map(initContainers.map((each) => [textAt(each, 'name'), each]))
  const sidecars = { restarts: 0, ready: 0, lastRestart: '' }
  const latest = (a: string, b: string): string => (b > a ? b : a)
  let initializing = false
  let settled = false
  for (const [index, status] of listAt(pod, 'status', 'initContainerStatuses').entries()) {
    const spec = specOf.get(textAt(status, 'name'))
    summary.restarts += countAt(status, 'restartCount')
    const finished = textAt(status, 'lastState', 'terminated', 'finishedAt')
    summary.lastRestart = latest(summary.lastRestart, finished)
    if (isRestartable(spec)) {
      sidecars.restarts += countAt(status, 'restartCount')
      sidecars.lastRestart = latest(sidecars.lastRestart, finished)
    }
    const terminated = at(status, 'state', 'terminated')
    const waiting = textAt(status, 'state', 'waiting', 'reason')
    if (isRestartable(spec)) {
      summary.total += 1
      if (at(status, 'ready') === true) sidecars.ready += 1
    }
    if (settled) continue
    if (terminated !== undefined && countAt(terminated, 'exitCode') === 0) continue
    if (isRestartable(spec) && at(status, 'started') === true) continue
    if (terminated !== undefined) summary.reason = terminatedReason(terminated, 'Init:')
    else if (waiting !== '' && waiting !== 'PodInitializing') summary.reason = `Init:${waiting}`
    else summary.reason = `Init:${String(index)}/${String(initContainers.length)}`
    initializing = true
    settled = true
  }
  const initialized = listAt(pod, 'status', 'conditions').some((each) => textAt(each, 'type') === 'Initialized' && textAt(each, 'status') === 'True')
  summary.ready += sidecars.ready
  if (!initializing || initialized) {
    summary.restarts = sidecars.restarts
    summary.lastRestart = sidecars.lastRestart
    let running = false
    for (const status of listAt(pod, 'status', 'containerStatuses').toReversed()) {
      summary.restarts += countAt(status, 'restartCount')
      summary.lastRestart = latest(summary.lastRestart, textAt(status, 'lastState', 'terminated', 'finishedAt'))
      const waiting = textAt(status, 'state', 'waiting', 'reason')
      const terminated = at(status, 'state', 'terminated')
      if (waiting !== '') summary.reason = waiting
      else if (terminated !== undefined) summary.reason = terminatedReason(terminated, '')
      else if (at(status, 'ready') === true && at(status, 'state', 'running') !== undefined) {
        running = true
        summary.ready += 1
      }
    }
    if (summary.reason === 'Completed' && running)
      summary.reason = listAt(pod, 'status', 'conditions').some((each) => textAt(each, 'type') === 'Ready' && textAt(each, 'status') === 'True')
        ? 'Running'
        : 'NotReady'
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    const phase = textAt(pod, 'status', 'phase')
    if (textAt(pod, 'status', 'reason') === 'NodeLost') summary.reason = 'Unknown'
    else if (phase !== 'Succeeded' && phase !== 'Failed') summary.reason = 'Terminating'
  }
  return summary
}

function cells(pod: KubeObject, nowMs: number): Cell[] {
  const { reason, ready, total, restarts, lastRestart } = podSummary(pod)
  const gates = listAt(pod, 'spec', 'readinessGates')
  const passed = gates.filter((gate) =>
    listAt(pod, 'status', 'conditions').some((each) => textAt(each, 'type') === textAt(gate, 'conditionType') && textAt(each, 'status') === 'True'),
  ).length
  const restartText = restarts > 0 && lastRestart !== '' ? `${String(restarts)} (${since(lastRestart, nowMs)} ago)` : String(restarts)
  return [
    pod.metadata.name ?? '',
    `${String(ready)}/${String(total)}`,
    reason,
    restartText,
    age(pod, nowMs),
    orNone(textAt(pod, 'status', 'podIPs', 0, 'ip') || textAt(pod, 'status', 'podIP')),
    orNone(textAt(pod, 'spec', 'nodeName')),
    orNone(textAt(pod, 'status', 'nominatedNodeName')),
    gates.length === 0 ? '<none>' : `${String(passed)}/${String(gates.length)}`,
  ]
}

export const podPrinter: Printer = {
  columns: columns('Name', 'Ready', 'Status', 'Restarts', 'Age', wide('IP'), wide('Node'), wide('Nominated Node'), wide('Readiness Gates')),
  cells,
}
