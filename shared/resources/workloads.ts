import type { KubeObject } from '#shared/kubernetes/object.ts'
import { number, text, type ColumnDefinition, type ResourceColumns } from './columns.ts'
import { common, namespaced } from './commonColumns.ts'
import { at, conditionStatus, countAt, listAt, numberAt, ownerText, selectorText, textAt, timeAt } from './fields.ts'

// All: name namespace uid createdAtMs labels owner images (comma separated) selector.
// deployments: desired ready upToDate available status (Available, Progressing, Degraded, Paused, ScaledToZero) revision.
// replicasets: desired current ready revision. statefulsets: desired ready current upToDate service status.
// daemonsets: desired current ready upToDate available nodeSelector status.
// jobs: desired succeeded failed active status (Complete, Failed, Suspended, Running) startedAtMs endedAtMs.
// cronjobs: schedule suspended (0 or 1) active lastScheduleMs lastSuccessMs timeZone.

const base = (templatePath: string[]): Record<string, ColumnDefinition> => ({
  ...common,
  ...namespaced,
  owner: text(ownerText),
  images: text((object) =>
    listAt(object, ...templatePath, 'spec', 'containers')
      .map((each) => textAt(each, 'image'))
      .join(','),
  ),
  selector: text((object) => selectorText(at(object, 'spec', 'selector'))),
})

const count = (...path: string[]): ColumnDefinition => number((object) => countAt(object, ...path))

/** Replicas default to 1 when the field is absent. */
function desiredReplicas(object: KubeObject): number {
  const said = numberAt(object, 'spec', 'replicas')
  return Number.isNaN(said) ? 1 : said
}

const revision = text((object) => object.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? '')

function deploymentStatus(object: KubeObject): string {
  if (textAt(object, 'spec', 'paused') === 'true') return 'Paused'
  const progressing = listAt(object, 'status', 'conditions').find((each) => textAt(each, 'type') === 'Progressing')
  if (textAt(progressing, 'status') === 'False') return 'Degraded'
  return rolloutStatus(object, countAt(object, 'status', 'updatedReplicas'), countAt(object, 'status', 'availableReplicas'), desiredReplicas(object))
}

function rolloutStatus(object: KubeObject, updated: number, available: number, desired: number): string {
  if (countAt(object, 'status', 'observedGeneration') < countAt(object, 'metadata', 'generation')) return 'Progressing'
  if (desired === 0) return 'ScaledToZero'
  return updated >= desired && available >= desired ? 'Available' : updated < desired ? 'Progressing' : 'Degraded'
}

function jobStatus(object: KubeObject): string {
  if (conditionStatus(object, 'Complete') === 'True') return 'Complete'
  if (conditionStatus(object, 'Failed') === 'True') return 'Failed'
  if (conditionStatus(object, 'Suspended') === 'True') return 'Suspended'
  return 'Running'
}

const TEMPLATE = ['spec', 'template']

const deployments: ResourceColumns = {
  resource: 'deployments',
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  namespaced: true,
  columns: {
    ...base(TEMPLATE),
    desired: number(desiredReplicas),
    ready: count('status', 'readyReplicas'),
    upToDate: count('status', 'updatedReplicas'),
    available: count('status', 'availableReplicas'),
    status: text(deploymentStatus),
    revision,
    strategy: text((object) => textAt(object, 'spec', 'strategy', 'type')),
  },
}

const replicasets: ResourceColumns = {
  resource: 'replicasets',
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  namespaced: true,
  columns: { ...base(TEMPLATE), desired: number(desiredReplicas), current: count('status', 'replicas'), ready: count('status', 'readyReplicas'), revision },
}

const statefulsets: ResourceColumns = {
  resource: 'statefulsets',
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  namespaced: true,
  columns: {
    ...base(TEMPLATE),
    desired: number(desiredReplicas),
    ready: count('status', 'readyReplicas'),
    current: count('status', 'currentReplicas'),
    upToDate: count('status', 'updatedReplicas'),
    service: text((object) => textAt(object, 'spec', 'serviceName')),
    status: text((object) =>
      rolloutStatus(
        object,
        Math.max(countAt(object, 'status', 'updatedReplicas'), countAt(object, 'status', 'currentReplicas')),
        countAt(object, 'status', 'readyReplicas'),
        desiredReplicas(object),
      ),
    ),
  },
}

const daemonsets: ResourceColumns = {
  resource: 'daemonsets',
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  namespaced: true,
  columns: {
    ...base(TEMPLATE),
    desired: count('status', 'desiredNumberScheduled'),
    current: count('status', 'currentNumberScheduled'),
    ready: count('status', 'numberReady'),
    upToDate: count('status', 'updatedNumberScheduled'),
    available: count('status', 'numberAvailable'),
    nodeSelector: text((object) => selectorText({ matchLabels: at(object, 'spec', 'template', 'spec', 'nodeSelector') })),
    status: text((object) =>
      rolloutStatus(
        object,
        countAt(object, 'status', 'updatedNumberScheduled'),
        countAt(object, 'status', 'numberAvailable'),
        countAt(object, 'status', 'desiredNumberScheduled'),
      ),
    ),
  },
}

const jobs: ResourceColumns = {
  resource: 'jobs',
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  namespaced: true,
  columns: {
    ...base(TEMPLATE),
    desired: number((object) => numberAt(object, 'spec', 'completions')),
    succeeded: count('status', 'succeeded'),
    failed: count('status', 'failed'),
    active: count('status', 'active'),
    status: text(jobStatus),
    startedAtMs: number((object) => timeAt(object, 'status', 'startTime')),
    endedAtMs: number((object) => timeAt(object, 'status', 'completionTime')),
  },
}

const cronjobs: ResourceColumns = {
  resource: 'cronjobs',
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  namespaced: true,
  columns: {
    ...base(['spec', 'jobTemplate', 'spec', 'template']),
    schedule: text((object) => textAt(object, 'spec', 'schedule')),
    timeZone: text((object) => textAt(object, 'spec', 'timeZone')),
    suspended: number((object) => (textAt(object, 'spec', 'suspend') === 'true' ? 1 : 0)),
    active: number((object) => listAt(object, 'status', 'active').length),
    lastScheduleMs: number((object) => timeAt(object, 'status', 'lastScheduleTime')),
    lastSuccessMs: number((object) => timeAt(object, 'status', 'lastSuccessfulTime')),
  },
}

export const workloads: ResourceColumns[] = [deployments, replicasets, statefulsets, daemonsets, jobs, cronjobs]
