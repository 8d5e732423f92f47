import { timestamp, type ContainerStatus, type Pod, type PodCondition, type PodStatus } from './types.ts'

export interface PodFacts {
  nowMs: number
  startTime: string
  hostIP: string
  podIP: string
  initialized: boolean
  /** Every container ended for good. */
  finished: boolean
  terminating: boolean
  initStatuses: ContainerStatus[]
  statuses: ContainerStatus[]
  ephemeralStatuses: ContainerStatus[]
  /** Minor release of the kubelet. */
  minor: number
  /** Set when the kubelet ended the pod before its containers did. */
  failure: { reason: string; message: string } | null
}

/** Releases that report the sandbox's readiness, and a list of host addresses. */
const SANDBOX_CONDITION_MINOR = 29

/** What the kubelet says of a pod. Conditions others own (readiness gates, DisruptionTarget) stay as they are. */
export function podStatus(pod: Pod, facts: PodFacts): PodStatus {
  const phase = phaseOf(pod, facts)
  const { statuses, initStatuses } = facts
  const previous = pod.status?.conditions ?? []
  const condition = (type: string, holds: boolean, reason: { reason: string; message?: string } | null): PodCondition => {
    const status = holds ? 'True' : 'False'
    const before = previous.find((one) => one.type === type)
    return {
      type,
      status,
      lastProbeTime: null,
      lastTransitionTime: before?.status === status && before.lastTransitionTime !== undefined ? before.lastTransitionTime : timestamp(facts.nowMs),
      ...(holds || reason === null ? {} : reason),
    }
  }
  const unready = statuses.filter(({ ready }) => !ready).map(({ name }) => name)
  const over = phase === 'Succeeded' ? { reason: 'PodCompleted' } : phase === 'Failed' ? { reason: 'PodFailed' } : null
  const notReady = over ?? { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
  const containersReady = unready.length === 0 && over === null
  const gates = (pod.spec.readinessGates ?? []).filter(({ conditionType }) => previous.find(({ type }) => type === conditionType)?.status !== 'True')
  const incomplete = initStatuses.filter(({ state }) => !('terminated' in state && state.terminated.exitCode === 0)).map(({ name }) => name)
  const own = [
    ...(facts.minor >= SANDBOX_CONDITION_MINOR ? [condition('PodReadyToStartContainers', facts.podIP !== '' && over === null, null)] : []),
    condition('Initialized', facts.initialized, {
      reason: 'ContainersNotInitialized',
      message: `containers with incomplete status: [${incomplete.join(' ')}]`,
    }),
    condition(
      'Ready',
      containersReady && gates.length === 0,
      containersReady
        ? {
            reason: 'ReadinessGatesNotReady',
            message: gates.map(({ conditionType }) => `corresponding condition of pod readiness gate "${conditionType}" does not exist.`).join(', '),
          }
        : notReady,
    ),
    condition('ContainersReady', containersReady, notReady),
    condition('PodScheduled', true, null),
  ]
  const others = previous.filter(({ type }) => own.every((one) => one.type !== type))
  const copy = (list: ContainerStatus[]): ContainerStatus[] => list.map((status) => ({ ...status }))
  return {
    phase,
    ...(facts.failure ?? {}),
    conditions: [...others, ...own],
    hostIP: facts.hostIP,
    ...(facts.minor >= SANDBOX_CONDITION_MINOR ? { hostIPs: addresses(facts.hostIP, pod.status?.hostIPs) } : {}),
    ...(facts.podIP === '' ? {} : { podIP: facts.podIP, podIPs: addresses(facts.podIP, pod.status?.podIPs) }),
    startTime: facts.startTime,
    qosClass: pod.status?.qosClass ?? qosClass(pod),
    ...(initStatuses.length === 0 ? {} : { initContainerStatuses: copy(initStatuses) }),
    ...(facts.ephemeralStatuses.length === 0 ? {} : { ephemeralContainerStatuses: copy(facts.ephemeralStatuses) }),
    ...(facts.failure !== null && statuses.every(({ state }) => 'waiting' in state)
      ? {}
      : {
          containerStatuses: copy(
            facts.initialized
              ? statuses
              : statuses.map((status) => ('waiting' in status.state ? { ...status, state: { waiting: { reason: 'PodInitializing' } } } : status)),
          ),
        }),
  }
}

/** Of a pod that is taken over as it is, also those of another family that it had. */
function addresses(first: string, before: readonly { ip: string }[] | undefined): { ip: string }[] {
  return before?.[0]?.ip === first ? [...before] : [{ ip: first }]
}

function phaseOf(pod: Pod, { statuses, initStatuses, initialized, finished, terminating, failure }: PodFacts): PodStatus['phase'] {
  if (failure !== null) return 'Failed'
  const failed = (status: ContainerStatus): boolean => 'terminated' in status.state && status.state.terminated.exitCode !== 0
  if (finished && !(terminating && (pod.spec.restartPolicy ?? 'Always') === 'Always'))
    return [...initStatuses, ...statuses].some(failed) ? 'Failed' : 'Succeeded'
  if (!initialized) return 'Pending'
  // A container that ran before and waits for its next start counts as running.
  const started = statuses.every(({ state, lastState }) => 'running' in state || 'terminated' in state || 'terminated' in lastState)
  return started ? 'Running' : 'Pending'
}

/** Guaranteed, Burstable or BestEffort, by requests and limits of cpu and memory. */
export function qosClass(pod: Pod): string {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  const all = containers.map(({ resources }) => ({ requests: resources?.requests ?? {}, limits: resources?.limits ?? {} }))
  if (all.every(({ requests, limits }) => ['cpu', 'memory'].every((name) => requests[name] === undefined && limits[name] === undefined))) return 'BestEffort'
  const guaranteed = all.every(({ requests, limits }) =>
    ['cpu', 'memory'].every((name) => limits[name] !== undefined && (requests[name] ?? limits[name]) === limits[name]),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}
