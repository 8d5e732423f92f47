import { toBase64 } from '../codec/base64.ts'
import { emptiedPaths } from '../codec/canonical.ts'
import { isObject, setOwn, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { parseGroupVersion } from '../object.ts'
import { defaultBehavior, defaultMetric } from './autoscaling.ts'
import { defaultNetworking } from './networking.ts'
import { roundUpResources } from './resourceLists.ts'
import { defaultPod, defaultTemplate, ensureObject, objectsIn, setDefault, setDefaultNumber, setDefaultText } from './podSpec.ts'
import { defaultStorageAndPolicy } from './storageAndPolicy.ts'

type Defaulter = (object: KubeObject, spec: JsonObject, apiVersion: string, minor: number) => void

function templateLabels(spec: JsonObject): Record<string, string> {
  const template = spec['template']
  const metadata = isObject(template) ? template['metadata'] : undefined
  return (isObject(metadata) && isObject(metadata['labels']) ? metadata['labels'] : {}) as Record<string, string>
}

function defaultJobSpec(spec: JsonObject, minor: number): void {
  // Without completions and parallelism a job is one pod; completions alone leaves a work queue of one.
  if (spec['completions'] === undefined && spec['parallelism'] === undefined) {
    spec['completions'] = 1
    spec['parallelism'] = 1
  } else setDefault(spec, 'parallelism', 1)
  setDefault(spec, 'backoffLimit', 6)
  if (minor >= 22) setDefaultText(spec, 'completionMode', 'NonIndexed')
  if (minor >= 22) setDefault(spec, 'suspend', false)
  if (minor >= 29) setDefaultText(spec, 'podReplacementPolicy', spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed')
  defaultTemplate(spec)
}

/** The single range of a node and its list follow each other; the single one counts when they differ. */
function defaultPodRanges(spec: JsonObject): void {
  const ranges = Array.isArray(spec['podCIDRs']) ? (spec['podCIDRs'] as unknown[]) : []
  const one = typeof spec['podCIDR'] === 'string' ? spec['podCIDR'] : ''
  if (one !== '' && ranges[0] !== one) spec['podCIDRs'] = [one]
  else if (ranges.length > 0 && one === '') spec['podCIDR'] = ranges[0]
}

/** The single address of a pod and its list, in the same way. @see pkg/apis/core/v1/conversion.go */
function defaultPodAddresses(status: JsonObject): void {
  const addresses = objectsIn(status['podIPs'])
  const one = typeof status['podIP'] === 'string' ? status['podIP'] : ''
  if (one !== '' && addresses[0]?.['ip'] !== one) status['podIPs'] = [{ ip: one }]
  else if (one === '' && typeof addresses[0]?.['ip'] === 'string' && addresses[0]['ip'] !== '') status['podIP'] = addresses[0]['ip']
}

const WORKLOADS: Readonly<Record<string, Defaulter>> = {
  Pod: (object) => {
    defaultPod(object)
    if (isObject(object['status'])) defaultPodAddresses(object['status'])
  },
  PodTemplate: (object) => {
    defaultTemplate(object)
  },
  Deployment: (_, spec) => {
    setDefault(spec, 'replicas', 1)
    const strategy = ensureObject(spec, 'strategy')
    setDefaultText(strategy, 'type', 'RollingUpdate')
    if (strategy['type'] === 'RollingUpdate') {
      const rolling = ensureObject(strategy, 'rollingUpdate')
      setDefault(rolling, 'maxUnavailable', '25%')
      setDefault(rolling, 'maxSurge', '25%')
    }
    setDefault(spec, 'revisionHistoryLimit', 10)
    setDefault(spec, 'progressDeadlineSeconds', 600)
    defaultTemplate(spec)
  },
  ReplicaSet: (_, spec) => {
    setDefault(spec, 'replicas', 1)
    defaultTemplate(spec)
  },
  ReplicationController: (object, spec) => {
    const labels = templateLabels(spec)
    if (Object.keys(labels).length > 0) {
      setDefault(spec, 'selector', { ...labels })
      setDefault(object.metadata as JsonObject, 'labels', { ...labels })
    }
    setDefault(spec, 'replicas', 1)
    defaultTemplate(spec)
  },
  StatefulSet: (_, spec, __, minor) => {
    setDefaultText(spec, 'podManagementPolicy', 'OrderedReady')
    const strategy = ensureObject(spec, 'updateStrategy')
    // Until 1.23 who names the strategy must give its parameters too.
    if ((strategy['type'] ?? '') === '' || (minor >= 24 && strategy['type'] === 'RollingUpdate')) ensureObject(strategy, 'rollingUpdate')
    setDefaultText(strategy, 'type', 'RollingUpdate')
    if (strategy['type'] === 'RollingUpdate' && isObject(strategy['rollingUpdate'])) setDefault(strategy['rollingUpdate'], 'partition', 0)
    setDefault(spec, 'replicas', 1)
    setDefault(spec, 'revisionHistoryLimit', 10)
    for (const claim of objectsIn(spec['volumeClaimTemplates'])) {
      setDefault(ensureObject(claim, 'spec'), 'volumeMode', 'Filesystem')
      roundUpResources(ensureObject(claim, 'spec')['resources'])
      setDefaultText(ensureObject(claim, 'status'), 'phase', 'Pending')
      // Written over whatever was sent: upstream's type has no place for them.
      Object.assign(claim, { apiVersion: 'v1', kind: 'PersistentVolumeClaim' })
    }
    defaultTemplate(spec)
  },
  DaemonSet: (object, spec, __, minor) => {
    object.metadata.annotations = { 'deprecated.daemonset.template.generation': '0', ...object.metadata.annotations }
    const strategy = ensureObject(spec, 'updateStrategy')
    setDefaultText(strategy, 'type', 'RollingUpdate')
    if (strategy['type'] === 'RollingUpdate') {
      const rolling = ensureObject(strategy, 'rollingUpdate')
      setDefault(rolling, 'maxUnavailable', 1)
      if (minor >= 22) setDefault(rolling, 'maxSurge', 0)
    }
    setDefault(spec, 'revisionHistoryLimit', 10)
    defaultTemplate(spec)
  },
  Job: (object, spec, _, minor) => {
    const labels = templateLabels(spec)
    if (Object.keys(labels).length > 0) setDefault(object.metadata as JsonObject, 'labels', { ...labels })
    defaultJobSpec(spec, minor)
  },
  CronJob: (_, spec) => {
    setDefaultText(spec, 'concurrencyPolicy', 'Allow')
    setDefault(spec, 'suspend', false)
    setDefault(spec, 'successfulJobsHistoryLimit', 3)
    setDefault(spec, 'failedJobsHistoryLimit', 1)
    const job = ensureObject(ensureObject(spec, 'jobTemplate'), 'spec')
    defaultTemplate(job)
  },
  HorizontalPodAutoscaler: (object, spec, apiVersion) => {
    setDefault(spec, 'minReplicas', 1)
    if (apiVersion === 'v1') return
    if (objectsIn(spec['metrics']).length === 0) spec['metrics'] = [defaultMetric(apiVersion)]
    defaultBehavior(spec['behavior'], emptiedPaths(object))
  },
  Node: (object, spec) => {
    defaultPodRanges(spec)
    const status = ensureObject(object, 'status')
    if (isObject(status['capacity']) && !emptiedPaths(object).includes('status.allocatable')) setDefault(status, 'allocatable', { ...status['capacity'] })
    roundUpResources(status)
  },
  Namespace: (object, _, __, minor) => {
    const status = ensureObject(object, 'status')
    setDefaultText(status, 'phase', 'Active')
    const name = object.metadata.name
    if (minor >= 21 && name !== undefined && name !== '') object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': name }
  },
  LimitRange: (_, spec) => {
    for (const limit of objectsIn(spec['limits'])) {
      roundUpResources(limit)
      if (limit['type'] !== 'Container') continue
      const [defaults, requests] = [ensureObject(limit, 'default'), ensureObject(limit, 'defaultRequest')]
      if (isObject(limit['max'])) for (const [name, value] of Object.entries(limit['max'])) setDefault(defaults, name, value)
      for (const [name, value] of Object.entries(defaults)) setDefault(requests, name, value)
      if (isObject(limit['min'])) for (const [name, value] of Object.entries(limit['min'])) setDefault(requests, name, value)
    }
  },
  Secret: (object) => {
    setDefaultText(object, 'type', 'Opaque')
    // Plain text is only a way to write data: it counts before what data says, and is never read back.
    const plain = object['stringData']
    if (isObject(plain)) {
      const data = isObject(object['data']) ? { ...object['data'] } : {}
      for (const [key, value] of Object.entries(plain)) if (typeof value === 'string') setOwn(data, key, toBase64(new TextEncoder().encode(value)))
      object['data'] = data
    }
    delete object['stringData']
  },
  ResourceQuota: (object, spec) => {
    roundUpResources(spec)
    roundUpResources(object['status'])
  },
  PriorityClass: (object) => {
    setDefault(object, 'preemptionPolicy', 'PreemptLowerPriority')
  },
  Lease: () => undefined,
  Event: () => undefined,
  PodDisruptionBudget: () => undefined,
  FlowSchema: (_, spec) => {
    setDefaultNumber(spec, 'matchingPrecedence', 1000)
  },
}

/** The release whose defaults are set unless another is named. */
const LATEST_MINOR = 36

/**
 * Sets what upstream sets on decoding, in the object itself.
 *
 * @param object a built-in object, with apiVersion and kind
 * @param minor the release; fields that it does not know get no default
 */
export function applyDefaults(object: KubeObject, minor = LATEST_MINOR): void {
  const { group, version } = parseGroupVersion(object.apiVersion ?? '')
  const kind = object.kind ?? ''
  if (group === 'metrics.k8s.io' || (kind === 'Event' && group !== '')) return
  const spec = isObject(object['spec']) ? object['spec'] : {}
  const workload = WORKLOADS[kind]
  if (workload !== undefined) {
    workload(object, spec, version, minor)
    return
  }
  if (!defaultNetworking(object, spec, minor)) defaultStorageAndPolicy(object, spec, minor)
}
