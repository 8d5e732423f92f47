import type { KubeObject } from '../object.ts'
import {
  age,
  at,
  columns,
  countAt,
  durationText,
  integer,
  labelSelectorText,
  labelsText,
  layout,
  listAt,
  mapAt,
  since,
  textAt,
  wide,
  type Printer,
} from './column.ts'

function name(object: KubeObject): string {
  return object.metadata.name ?? ''
}

/** spec.replicas, which defaults to 1 when it is absent. */
function desired(object: KubeObject): number {
  const replicas = at(object, 'spec', 'replicas')
  return typeof replicas === 'number' ? replicas : 1
}

const LAYOUT = [wide('Containers'), wide('Images')] as const

const replicaSet: Printer = {
  columns: columns('Name', integer('Desired'), integer('Current'), integer('Ready'), 'Age', ...LAYOUT, wide('Selector')),
  cells: (each, now) => [
    name(each),
    desired(each),
    countAt(each, 'status', 'replicas'),
    countAt(each, 'status', 'readyReplicas'),
    age(each, now),
    ...layout(at(each, 'spec', 'template')),
    labelSelectorText(at(each, 'spec', 'selector')),
  ],
}

function jobDuration(job: KubeObject, nowMs: number): string {
  const start = Date.parse(textAt(job, 'status', 'startTime'))
  if (Number.isNaN(start)) return ''
  const end = Date.parse(textAt(job, 'status', 'completionTime'))
  return durationText((Number.isNaN(end) ? nowMs : end) - start)
}

function jobCompletions(job: KubeObject): string {
  const succeeded = countAt(job, 'status', 'succeeded')
  const completions = at(job, 'spec', 'completions')
  if (typeof completions === 'number') return `${String(succeeded)}/${String(completions)}`
  const parallelism = countAt(job, 'spec', 'parallelism')
  return parallelism > 1 ? `${String(succeeded)}/1 of ${String(parallelism)}` : `${String(succeeded)}/1`
}

function jobStatus(job: KubeObject): string {
  const holds = (type: string): boolean =>
    listAt(job, 'status', 'conditions').some((each) => textAt(each, 'type') === type && textAt(each, 'status') === 'True')
  if (holds('Complete')) return 'Complete'
  if (holds('Failed')) return 'Failed'
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating'
  if (holds('Suspended')) return 'Suspended'
  if (holds('FailureTarget')) return 'FailureTarget'
  return holds('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running'
}

export const workloadPrinters: Readonly<Record<string, Printer>> = {
  Deployment: {
    columns: columns('Name', 'Ready', integer('Up-to-date'), integer('Available'), 'Age', ...LAYOUT, wide('Selector')),
    cells: (each, now) => [
      name(each),
      `${String(countAt(each, 'status', 'readyReplicas'))}/${String(desired(each))}`,
      countAt(each, 'status', 'updatedReplicas'),
      countAt(each, 'status', 'availableReplicas'),
      age(each, now),
      ...layout(at(each, 'spec', 'template')),
      labelSelectorText(at(each, 'spec', 'selector')),
    ],
  },
  ReplicaSet: replicaSet,
  ReplicationController: { ...replicaSet, cells: (each, now) => [...replicaSet.cells(each, now).slice(0, -1), labelsText(mapAt(each, 'spec', 'selector'))] },
  StatefulSet: {
    columns: columns('Name', 'Ready', 'Age', ...LAYOUT),
    cells: (each, now) => [
      name(each),
      `${String(countAt(each, 'status', 'readyReplicas'))}/${String(desired(each))}`,
      age(each, now),
      ...layout(at(each, 'spec', 'template')),
    ],
  },
  DaemonSet: {
    columns: columns(
      'Name',
      integer('Desired'),
      integer('Current'),
      integer('Ready'),
      integer('Up-to-date'),
      integer('Available'),
      'Node Selector',
      'Age',
      ...LAYOUT,
      wide('Selector'),
    ),
    cells: (each, now) => [
      name(each),
      ...['desiredNumberScheduled', 'currentNumberScheduled', 'numberReady', 'updatedNumberScheduled', 'numberAvailable'].map((field) =>
        countAt(each, 'status', field),
      ),
      labelsText(mapAt(each, 'spec', 'template', 'spec', 'nodeSelector')),
      age(each, now),
      ...layout(at(each, 'spec', 'template')),
      labelSelectorText(at(each, 'spec', 'selector')),
    ],
  },
  Job: {
    columns: columns('Name', 'Status', 'Completions', 'Duration', 'Age', ...LAYOUT, wide('Selector')),
    cells: (each, now) => [
      name(each),
      jobStatus(each),
      jobCompletions(each),
      jobDuration(each, now),
      age(each, now),
      ...layout(at(each, 'spec', 'template')),
      labelSelectorText(at(each, 'spec', 'selector')),
    ],
  },
  CronJob: {
    columns: columns('Name', 'Schedule', 'Timezone', 'Suspend', integer('Active'), 'Last Schedule', 'Age', ...LAYOUT, wide('Selector')),
    cells: (each, now) => {
      const last = at(each, 'status', 'lastScheduleTime')
      return [
        name(each),
        textAt(each, 'spec', 'schedule'),
        textAt(each, 'spec', 'timeZone') || '<none>',
        at(each, 'spec', 'suspend') === true ? 'True' : 'False',
        listAt(each, 'status', 'active').length,
        typeof last === 'string' ? since(last, now) : '<none>',
        age(each, now),
        ...layout(at(each, 'spec', 'jobTemplate', 'spec', 'template')),
        labelSelectorText(at(each, 'spec', 'jobTemplate', 'spec', 'selector')),
      ]
    },
  },
  ControllerRevision: {
    columns: columns('Name', 'Controller', integer('Revision'), 'Age'),
    cells: (each, now) => {
      const owner = each.metadata.ownerReferences?.find((one) => one.controller === true)
      const group = owner?.apiVersion.includes('/') === true ? `.${owner.apiVersion.split('/')[0] ?? ''}` : ''
      return [name(each), owner === undefined ? '<none>' : `${owner.kind.toLowerCase()}${group}/${owner.name}`, countAt(each, 'revision'), age(each, now)]
    },
  },
  PodTemplate: {
    columns: columns('Name', 'Containers', 'Images', 'Pod Labels'),
    cells: (each) => [name(each), ...layout(at(each, 'template')), labelsText(mapAt(each, 'template', 'metadata', 'labels'))],
  },
  HorizontalPodAutoscaler: {
    columns: columns('Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', integer('Replicas'), 'Age'),
    cells: (each, now) => [
      name(each),
      `${textAt(each, 'spec', 'scaleTargetRef', 'kind')}/${textAt(each, 'spec', 'scaleTargetRef', 'name')}`,
      hpaTargets(each),
      textAt(each, 'spec', 'minReplicas') || '<unset>',
      textAt(each, 'spec', 'maxReplicas'),
      countAt(each, 'status', 'currentReplicas'),
      age(each, now),
    ],
  },
  PodDisruptionBudget: {
    columns: columns('Name', 'Min Available', 'Max Unavailable', integer('Allowed Disruptions'), 'Age'),
    cells: (each, now) => [
      name(each),
      textAt(each, 'spec', 'minAvailable') || 'N/A',
      textAt(each, 'spec', 'maxUnavailable') || 'N/A',
      countAt(each, 'status', 'disruptionsAllowed'),
      age(each, now),
    ],
  },
}

function hpaTargets(hpa: KubeObject): string {
  const flat = at(hpa, 'spec', 'targetCPUUtilizationPercentage')
  if (typeof flat === 'number') {
    const current = textAt(hpa, 'status', 'currentCPUUtilizationPercentage')
    return `cpu: ${current === '' ? '<unknown>' : `${current}%`}/${String(flat)}%`
  }
  const metrics = listAt(hpa, 'spec', 'metrics')
  if (metrics.length === 0) return '<none>'
  const texts = metrics.map((metric, index) => {
    const type = textAt(metric, 'type')
    const source = type.charAt(0).toLowerCase() + type.slice(1)
    const current = at(hpa, 'status', 'currentMetrics', index, source, 'current')
    const target = at(metric, source, 'target')
    const utilization = at(target, 'averageUtilization')
    const label = type === 'Resource' || type === 'ContainerResource' ? `${textAt(metric, source, 'name')}: ` : ''
    if (typeof utilization === 'number') {
      const now = textAt(current, 'averageUtilization')
      return `${label}${now === '' ? '<unknown>' : `${now}%`}/${String(utilization)}%`
    }
    const average = textAt(target, 'averageValue')
    const field = average === '' ? 'value' : 'averageValue'
    return `${label}${textAt(current, field) || '<unknown>'}/${textAt(target, field)}${average !== '' && type === 'External' ? ' (avg)' : ''}`
  })
  return texts.length > 2 ? `${texts.slice(0, 2).join(', ')} + ${String(texts.length - 2)} more...` : texts.join(', ')
}
