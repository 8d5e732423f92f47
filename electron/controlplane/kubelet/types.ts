import type { KubeObject } from '#shared/kubernetes/object.ts'

export interface Probe {
  initialDelaySeconds?: number
  periodSeconds?: number
  successThreshold?: number
  failureThreshold?: number
  timeoutSeconds?: number
  httpGet?: { path?: string; port?: number | string }
  exec?: { command?: string[] }
  tcpSocket?: { port?: number | string }
}

export interface Container {
  name: string
  image: string
  command?: string[]
  args?: string[]
  workingDir?: string
  env?: { name: string; value?: string }[]
  imagePullPolicy?: string
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
  restartPolicy?: string
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  readinessProbe?: Probe
  livenessProbe?: Probe
  startupProbe?: Probe
  ports?: { name?: string; containerPort: number }[]
}

export interface PodSpec {
  nodeName?: string
  hostNetwork?: boolean
  restartPolicy?: string
  terminationGracePeriodSeconds?: number
  activeDeadlineSeconds?: number
  initContainers?: Container[]
  containers: Container[]
  ephemeralContainers?: Container[]
  readinessGates?: { conditionType: string }[]
  volumes?: Record<string, unknown>[]
  priorityClassName?: string
  serviceAccountName?: string
}

export interface PodCondition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  lastProbeTime?: null
  lastTransitionTime?: string
  reason?: string
  message?: string
  observedGeneration?: number
}

export interface TerminatedState {
  exitCode: number
  reason: string
  startedAt: string
  finishedAt: string
  containerID: string
  message?: string
}

export type ContainerState = { waiting: { reason: string; message?: string } } | { running: { startedAt: string } } | { terminated: TerminatedState }

export interface ContainerStatus {
  name: string
  state: ContainerState
  lastState: ContainerState | Record<string, never>
  ready: boolean
  started: boolean
  restartCount: number
  image: string
  imageID: string
  containerID?: string
}

export interface PodStatus {
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed'
  conditions?: PodCondition[]
  hostIP?: string
  podIP?: string
  podIPs?: { ip: string }[]
  hostIPs?: { ip: string }[]
  startTime?: string
  reason?: string
  message?: string
  qosClass?: string
  initContainerStatuses?: ContainerStatus[]
  containerStatuses?: ContainerStatus[]
  ephemeralContainerStatuses?: ContainerStatus[]
}

export interface Pod extends KubeObject {
  spec: PodSpec
  status?: PodStatus
}

/** RFC 3339 with whole seconds, as metav1.Time. */
export function timestamp(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`
}
