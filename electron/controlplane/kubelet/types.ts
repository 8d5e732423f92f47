import type { KubeObject } from '#shared/kubernetes/object.ts'

export interface HttpGetAction {
  path?: string
  port?: number | string
  host?: string
  scheme?: string
  httpHeaders?: { name: string; value?: string }[]
}

export interface Probe {
  initialDelaySeconds?: number
  periodSeconds?: number
  successThreshold?: number
  failureThreshold?: number
  timeoutSeconds?: number
  terminationGracePeriodSeconds?: number
  httpGet?: HttpGetAction
  exec?: { command?: string[] }
  tcpSocket?: { port?: number | string }
}

/** What runs after a container's start or before its stop. */
export interface LifecycleHandler {
  exec?: { command?: string[] }
  httpGet?: HttpGetAction
  tcpSocket?: { port?: number | string; host?: string }
  sleep?: { seconds: number }
}

export interface FieldRef {
  fieldPath: string
}

export interface ResourceFieldRef {
  containerName?: string
  resource: string
  divisor?: string
}

export interface KeyRef {
  name?: string
  key: string
  optional?: boolean
}

export interface EnvVar {
  name: string
  value?: string
  valueFrom?: { fieldRef?: FieldRef; resourceFieldRef?: ResourceFieldRef; configMapKeyRef?: KeyRef; secretKeyRef?: KeyRef }
}

export interface EnvFromSource {
  prefix?: string
  configMapRef?: { name?: string; optional?: boolean }
  secretRef?: { name?: string; optional?: boolean }
}

export interface VolumeMount {
  name: string
  mountPath: string
  readOnly?: boolean
  subPath?: string
  subPathExpr?: string
}

export interface SecurityContext {
  runAsUser?: number
  runAsGroup?: number
  privileged?: boolean
  allowPrivilegeEscalation?: boolean
  readOnlyRootFilesystem?: boolean
}

export interface Container {
  name: string
  image: string
  command?: string[]
  args?: string[]
  workingDir?: string
  env?: EnvVar[]
  envFrom?: EnvFromSource[]
  imagePullPolicy?: string
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
  restartPolicy?: string
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  readinessProbe?: Probe
  livenessProbe?: Probe
  startupProbe?: Probe
  lifecycle?: { postStart?: LifecycleHandler; preStop?: LifecycleHandler }
  terminationMessagePath?: string
  terminationMessagePolicy?: string
  securityContext?: SecurityContext
  volumeMounts?: VolumeMount[]
  ports?: { name?: string; containerPort: number; hostPort?: number; hostIP?: string; protocol?: string }[]
}

export interface KeyToPath {
  key: string
  path: string
  mode?: number
}

export interface DownwardFile {
  path: string
  mode?: number
  fieldRef?: FieldRef
  resourceFieldRef?: ResourceFieldRef
}

/** A volume's source of files. */
export interface Projection {
  configMap?: { name?: string; items?: KeyToPath[]; optional?: boolean }
  secret?: { name?: string; items?: KeyToPath[]; optional?: boolean }
  downwardAPI?: { items?: DownwardFile[] }
  serviceAccountToken?: { audience?: string; expirationSeconds?: number; path: string }
}

export interface Volume {
  name: string
  emptyDir?: { medium?: string }
  hostPath?: { path: string; type?: string }
  configMap?: { name?: string; items?: KeyToPath[]; optional?: boolean; defaultMode?: number }
  secret?: { secretName?: string; items?: KeyToPath[]; optional?: boolean; defaultMode?: number }
  downwardAPI?: { items?: DownwardFile[]; defaultMode?: number }
  projected?: { sources?: Projection[]; defaultMode?: number }
  persistentVolumeClaim?: { claimName: string; readOnly?: boolean }
}

export interface PodSpec {
  nodeName?: string
  hostNetwork?: boolean
  hostname?: string
  subdomain?: string
  setHostnameAsFQDN?: boolean
  hostAliases?: { ip: string; hostnames?: string[] }[]
  dnsPolicy?: string
  dnsConfig?: { nameservers?: string[]; searches?: string[]; options?: { name: string; value?: string }[] }
  enableServiceLinks?: boolean
  restartPolicy?: string
  terminationGracePeriodSeconds?: number
  activeDeadlineSeconds?: number
  initContainers?: Container[]
  containers: Container[]
  ephemeralContainers?: Container[]
  readinessGates?: { conditionType: string }[]
  volumes?: Volume[]
  securityContext?: { runAsUser?: number; runAsGroup?: number; fsGroup?: number; supplementalGroups?: number[] }
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
