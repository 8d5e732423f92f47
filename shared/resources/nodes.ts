import type { KubeObject } from '#shared/kubernetes/object.ts'
import { number, text, type ColumnDefinition, type NodeTotals, type ResourceColumns } from './columns.ts'
import { common } from './commonColumns.ts'
import { conditionStatus, listAt, mapAt, quantityAt, textAt } from './fields.ts'

// Columns: name uid createdAtMs labels; status (`Ready,SchedulingDisabled`), roles, version, internalIp, os, kernel, runtime,
// podCount, podCapacity, cpuAllocatable cpuRequest cpuLimit cpuUse (cores), memoryAllocatable memoryRequest memoryLimit memoryUse
// (bytes), taints (`key=value:Effect`, comma separated), unschedulable (0 or 1), pressure (conditions that are True but should not be).

const ROLE_PREFIX = 'node-role.kubernetes.io/'

/** kubectl's ROLES: sorted label suffixes, `<none>` when there are none. */
export function nodeRoles(node: KubeObject): string {
  const roles = Object.entries(mapAt(node, 'metadata', 'labels')).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return key.length > ROLE_PREFIX.length ? [key.slice(ROLE_PREFIX.length)] : []
    return key === 'kubernetes.io/role' && value !== '' ? [String(value)] : []
  })
  return roles.length === 0 ? '<none>' : [...new Set(roles)].sort().join(',')
}

/** kubectl's STATUS. */
export function nodeStatus(node: KubeObject): string {
  const ready = conditionStatus(node, 'Ready')
  const word = ready === 'True' ? 'Ready' : ready === '' ? 'Unknown' : 'NotReady'
  return isUnschedulable(node) ? `${word},SchedulingDisabled` : word
}

function isUnschedulable(node: KubeObject): boolean {
  return textAt(node, 'spec', 'unschedulable') === 'true'
}

function pressure(node: KubeObject): string {
  return listAt(node, 'status', 'conditions')
    .filter((each) => textAt(each, 'type') !== 'Ready' && textAt(each, 'status') === 'True')
    .map((each) => textAt(each, 'type'))
    .join(',')
}

function total(read: (totals: NodeTotals) => number): ColumnDefinition {
  return { kind: 'number', from: 'nodeTotals', read: (_node, { nodeTotals }) => (nodeTotals === null ? Number.NaN : read(nodeTotals)) }
}

function address(node: KubeObject, type: string): string {
  return textAt(
    listAt(node, 'status', 'addresses').find((each) => textAt(each, 'type') === type),
    'address',
  )
}

export const nodes: ResourceColumns = {
  resource: 'nodes',
  group: '',
  version: 'v1',
  kind: 'Node',
  namespaced: false,
  columns: {
    ...common,
    roles: text(nodeRoles),
    status: text(nodeStatus),
    version: text((node) => textAt(node, 'status', 'nodeInfo', 'kubeletVersion')),
    internalIp: text((node) => address(node, 'InternalIP')),
    os: text((node) => textAt(node, 'status', 'nodeInfo', 'osImage')),
    kernel: text((node) => textAt(node, 'status', 'nodeInfo', 'kernelVersion')),
    runtime: text((node) => textAt(node, 'status', 'nodeInfo', 'containerRuntimeVersion')),
    podCount: total((totals) => totals.pods),
    podCapacity: number((node) => quantityAt(node, 'status', 'allocatable', 'pods')),
    cpuAllocatable: number((node) => quantityAt(node, 'status', 'allocatable', 'cpu')),
    cpuRequest: total((totals) => totals.cpuRequestCores),
    cpuLimit: total((totals) => totals.cpuLimitCores),
    cpuUse: { kind: 'number', from: 'usage', read: (_node, { usage }) => usage?.cpuCores ?? Number.NaN },
    memoryAllocatable: number((node) => quantityAt(node, 'status', 'allocatable', 'memory')),
    memoryRequest: total((totals) => totals.memoryRequestBytes),
    memoryLimit: total((totals) => totals.memoryLimitBytes),
    memoryUse: { kind: 'number', from: 'usage', read: (_node, { usage }) => usage?.memoryBytes ?? Number.NaN },
    taints: text((node) =>
      listAt(node, 'spec', 'taints')
        .map((each) => `${textAt(each, 'key')}${textAt(each, 'value') === '' ? '' : `=${textAt(each, 'value')}`}:${textAt(each, 'effect')}`)
        .join(','),
    ),
    unschedulable: number((node) => (isUnschedulable(node) ? 1 : 0)),
    pressure: text(pressure),
  },
}
