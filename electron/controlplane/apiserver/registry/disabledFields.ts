import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ApiResource } from './apiResources.ts'

type Path = readonly string[]

interface GatedField {
  /** First minor release in which the field is on without a feature gate. */
  since: number
  /** `*` stands for every item of a list. */
  path: Path
  /** Only values for which this holds are dropped. */
  when?: (value: unknown) => boolean
  /** The field beside it that keeps it when the object had it before; the field itself by default. */
  keptBy?: string
}

const gated = (since: number, path: string, when?: GatedField['when']): GatedField => ({
  since,
  path: path.split('.'),
  ...(when === undefined ? {} : { when }),
})

/**
 * Fields behind feature gates that are off until a release: a server of an earlier release takes them away unless the object
 * had them before.
 *
 * @see pkg/api/pod/util.go DropDisabledPodFields and dropDisabledFields of pkg/registry's strategies
 */
const POD_SPEC: readonly GatedField[] = [
  // Upstream looks for the volumes of another driver there.
  { ...gated(21, 'volumes.*.ephemeral'), keptBy: 'csi' },
  gated(23, 'ephemeralContainers'),
]

const CONTAINERS = ['initContainers', 'containers', 'ephemeralContainers']
/** First minor release in which containers may ask for another mount of /proc. */
const PROC_MOUNT_SINCE = 33
const DEFAULT_PROC_MOUNT = 'Default'

const snapshotOrClaim = (source: unknown): boolean =>
  isObject(source) &&
  ((source['kind'] === 'PersistentVolumeClaim' && (source['apiGroup'] ?? '') === '') ||
    (source['kind'] === 'VolumeSnapshot' && source['apiGroup'] === 'snapshot.storage.k8s.io'))

const BY_KIND: Readonly<Record<string, readonly GatedField[]>> = {
  Job: [gated(21, 'spec.ttlSecondsAfterFinished')],
  CSIDriver: [gated(21, 'spec.storageCapacity'), gated(21, 'spec.tokenRequests'), gated(21, 'spec.requiresRepublish')],
  EndpointSlice: [gated(21, 'endpoints.*.nodeName'), gated(22, 'endpoints.*.conditions.serving'), gated(22, 'endpoints.*.conditions.terminating')],
  Service: [
    gated(21, 'spec.ipFamilies'),
    gated(21, 'spec.ipFamilyPolicy'),
    gated(22, 'spec.allocateLoadBalancerNodePorts'),
    gated(22, 'spec.loadBalancerClass'),
    gated(21, 'spec.topologyKeys'),
    gated(24, 'status.conditions'),
    gated(24, 'status.loadBalancer.ingress.*.ports'),
  ],
  HorizontalPodAutoscaler: [gated(27, 'spec.metrics.*.containerResource')],
  PersistentVolumeClaim: [gated(24, 'spec.dataSource', (source) => !snapshotOrClaim(source))],
}

/** Where the spec of a kind's pods stands. */
export const POD_SPECS: Readonly<Record<string, Path>> = {
  Pod: ['spec'],
  PodTemplate: ['template', 'spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  ReplicationController: ['spec', 'template', 'spec'],
  ReplicaSet: ['spec', 'template', 'spec'],
  Deployment: ['spec', 'template', 'spec'],
  DaemonSet: ['spec', 'template', 'spec'],
  StatefulSet: ['spec', 'template', 'spec'],
  Job: ['spec', 'template', 'spec'],
}

function* holders(value: unknown, path: Path): Generator<JsonObject> {
  const [step, ...rest] = path
  if (step === '*') for (const each of Array.isArray(value) ? value : []) yield* holders(each, rest)
  else if (isObject(value)) {
    if (step === undefined) yield value
    else yield* holders(value[step], rest)
  }
}

function drop(after: unknown, before: unknown, fields: readonly GatedField[], minor: number): void {
  for (const { since, path, when, keptBy } of fields) {
    if (minor >= since) continue
    const [name, ...reversed] = path.toReversed()
    if (name === undefined) continue
    const place = reversed.toReversed()
    const used = [...holders(before, place)].some((each) => (each[keptBy ?? name] ?? null) !== null)
    if (used) continue
    for (const holder of holders(after, place)) {
      const value = holder[name]
      if (value !== undefined && (when === undefined || when(value))) Reflect.deleteProperty(holder, name)
    }
  }
}

/** Takes away what the server's release has not switched on yet, in place. `before` is null for a creation. */
export function dropDisabledFields(after: KubeObject, before: KubeObject | null, resource: ApiResource): void {
  const minor = resource.kubernetesMinor
  drop(after, before, BY_KIND[resource.kind] ?? [], minor)
  if (resource.kind === 'Service' && minor < 21) trimAddresses(after, before)
  if (resource.kind === 'Node' && minor < 21) trimRanges(after, before)
  const podSpec = POD_SPECS[resource.kind]
  if (podSpec === undefined) return
  const old = before === null ? undefined : at(before, podSpec)
  drop(at(after, podSpec), old, POD_SPEC, minor)
  if (minor < PROC_MOUNT_SINCE) resetProcMounts(at(after, podSpec), old)
}

/** The field was once written by mistake, so that it becomes its default and does not go. @see pkg/api/pod/util.go dropDisabledProcMountField */
function resetProcMounts(after: unknown, before: unknown): void {
  const contexts = (spec: unknown): JsonObject[] => CONTAINERS.flatMap((list) => [...holders(spec, [list, '*', 'securityContext'])])
  const asks = ({ procMount }: JsonObject): boolean => (procMount ?? null) !== null
  if (contexts(before).some((each) => asks(each) && each['procMount'] !== DEFAULT_PROC_MOUNT)) return
  for (const context of contexts(after)) if (asks(context)) context['procMount'] = DEFAULT_PROC_MOUNT
}

/** A service of one address family has one address. */
function trimAddresses(after: KubeObject, before: KubeObject | null): void {
  const [spec, old] = [after['spec'], before?.['spec']]
  if (!isObject(spec) || !Array.isArray(spec['clusterIPs']) || spec['clusterIPs'].length < 2) return
  if (isObject(old) && (old['ipFamilyPolicy'] !== undefined || old['ipFamilies'] !== undefined || !deepEqual(old['clusterIPs'], [old['clusterIP'] ?? ''])))
    return
  spec['clusterIPs'] = spec['clusterIPs'].slice(0, 1)
}

/** A node of one address family has one range for its pods. */
function trimRanges(after: KubeObject, before: KubeObject | null): void {
  const [spec, old] = [after['spec'], before?.['spec']]
  if (!isObject(spec) || !Array.isArray(spec['podCIDRs']) || spec['podCIDRs'].length < 2) return
  if (isObject(old) && Array.isArray(old['podCIDRs']) && old['podCIDRs'].length > 1) return
  spec['podCIDRs'] = spec['podCIDRs'].slice(0, 1)
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((holder, step) => (isObject(holder) ? holder[step] : undefined), value)
}
