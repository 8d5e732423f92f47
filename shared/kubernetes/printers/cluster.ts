import type { KubeObject } from '../object.ts'
import { age, at, columns, countAt, integer, listAt, mapAt, orNone, since, textAt, wide, type Printer } from './column.ts'

function name(object: KubeObject): string {
  return object.metadata.name ?? ''
}

function nodeStatus(node: KubeObject): string {
  const ready = listAt(node, 'status', 'conditions').find((each) => textAt(each, 'type') === 'Ready')
  const status = ready === undefined ? 'Unknown' : textAt(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  return at(node, 'spec', 'unschedulable') === true ? `${status},SchedulingDisabled` : status
}

function nodeRoles(node: KubeObject): string {
  const prefix = 'node-role.kubernetes.io/'
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(prefix) && key.length > prefix.length) roles.add(key.slice(prefix.length))
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return orNone([...roles].sort().join(','))
}

function nodeAddress(node: KubeObject, type: string): string {
  return orNone(
    textAt(
      listAt(node, 'status', 'addresses').find((each) => textAt(each, 'type') === type),
      'address',
    ),
  )
}

function usedTypes(quota: KubeObject, limits: boolean): string {
  const [hard, used] = [mapAt(quota, 'status', 'hard'), mapAt(quota, 'status', 'used')]
  return Object.keys(hard)
    .sort()
    .filter((each) => each.startsWith('limits') === limits)
    .map((each) => `${each}: ${textAt(used, each) || '0'}/${textAt(hard, each)}`)
    .join(', ')
}

function accessModes(modes: unknown[]): string {
  const short: Record<string, string> = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' }
  const given = modes.map(String)
  return Object.keys(short)
    .filter((mode) => given.includes(mode))
    .map((mode) => short[mode] ?? '')
    .join(',')
}

function storagePhase(object: KubeObject): string {
  return object.metadata.deletionTimestamp === undefined ? textAt(object, 'status', 'phase') : 'Terminating'
}

function storageClassOf(object: KubeObject): string {
  return object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? textAt(object, 'spec', 'storageClassName')
}

export const clusterPrinters: Readonly<Record<string, Printer>> = {
  Node: {
    columns: columns(
      'Name',
      'Status',
      'Roles',
      'Age',
      'Version',
      wide('Internal-IP'),
      wide('External-IP'),
      wide('OS-Image'),
      wide('Kernel-Version'),
      wide('Container-Runtime'),
    ),
    cells: (each, now) => {
      const info = (field: string): string => textAt(each, 'status', 'nodeInfo', field) || '<unknown>'
      return [
        name(each),
        nodeStatus(each),
        nodeRoles(each),
        age(each, now),
        textAt(each, 'status', 'nodeInfo', 'kubeletVersion'),
        nodeAddress(each, 'InternalIP'),
        nodeAddress(each, 'ExternalIP'),
        info('osImage'),
        info('kernelVersion'),
        info('containerRuntimeVersion'),
      ]
    },
  },
  Namespace: { columns: columns('Name', 'Status', 'Age'), cells: (each, now) => [name(each), textAt(each, 'status', 'phase'), age(each, now)] },
  ConfigMap: {
    columns: columns('Name', integer('Data'), 'Age'),
    cells: (each, now) => [name(each), Object.keys(mapAt(each, 'data')).length + Object.keys(mapAt(each, 'binaryData')).length, age(each, now)],
  },
  Secret: {
    columns: columns('Name', 'Type', integer('Data'), 'Age'),
    cells: (each, now) => [name(each), textAt(each, 'type'), Object.keys(mapAt(each, 'data')).length, age(each, now)],
  },
  ServiceAccount: { columns: columns('Name', integer('Secrets'), 'Age'), cells: (each, now) => [name(each), listAt(each, 'secrets').length, age(each, now)] },
  LimitRange: { columns: columns('Name', 'Created At'), cells: (each) => [name(each), textAt(each, 'metadata', 'creationTimestamp')] },
  ResourceQuota: {
    columns: columns('Name', 'Request', 'Limit', 'Age'),
    cells: (each, now) => [name(each), usedTypes(each, false), usedTypes(each, true), age(each, now)],
  },
  ComponentStatus: {
    columns: columns('Name', 'Status', 'Message', 'Error'),
    cells: (each) => {
      const healthy = listAt(each, 'conditions').find((condition) => textAt(condition, 'type') === 'Healthy')
      const status = textAt(healthy, 'status')
      return [name(each), status === 'True' ? 'Healthy' : status === 'False' ? 'Unhealthy' : 'Unknown', textAt(healthy, 'message'), textAt(healthy, 'error')]
    },
  },
  PersistentVolume: {
    columns: columns(
      'Name',
      'Capacity',
      'Access Modes',
      'Reclaim Policy',
      'Status',
      'Claim',
      'StorageClass',
      'VolumeAttributesClass',
      'Reason',
      'Age',
      wide('VolumeMode'),
    ),
    cells: (each, now) => {
      const claim = at(each, 'spec', 'claimRef')
      return [
        name(each),
        textAt(each, 'spec', 'capacity', 'storage'),
        accessModes(listAt(each, 'spec', 'accessModes')),
        textAt(each, 'spec', 'persistentVolumeReclaimPolicy'),
        storagePhase(each),
        claim === undefined ? '' : `${textAt(claim, 'namespace')}/${textAt(claim, 'name')}`,
        storageClassOf(each),
        textAt(each, 'spec', 'volumeAttributesClassName') || '<unset>',
        textAt(each, 'status', 'reason'),
        age(each, now),
        textAt(each, 'spec', 'volumeMode') || '<unset>',
      ]
    },
  },
  PersistentVolumeClaim: {
    columns: columns('Name', 'Status', 'Volume', 'Capacity', 'Access Modes', 'StorageClass', 'VolumeAttributesClass', 'Age', wide('VolumeMode')),
    cells: (each, now) => {
      const bound = textAt(each, 'spec', 'volumeName') !== ''
      return [
        name(each),
        storagePhase(each),
        textAt(each, 'spec', 'volumeName'),
        bound ? textAt(each, 'status', 'capacity', 'storage') : '',
        bound ? accessModes(listAt(each, 'status', 'accessModes')) : '',
        storageClassOf(each),
        textAt(each, 'spec', 'volumeAttributesClassName') || '<unset>',
        age(each, now),
        textAt(each, 'spec', 'volumeMode') || '<unset>',
      ]
    },
  },
  StorageClass: {
    columns: columns('Name', 'Provisioner', 'ReclaimPolicy', 'VolumeBindingMode', ['AllowVolumeExpansion', { type: 'boolean' }], 'Age'),
    cells: (each, now) => {
      const annotations = each.metadata.annotations
      const isDefault =
        annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true' || annotations?.['storageclass.beta.kubernetes.io/is-default-class'] === 'true'
      return [
        isDefault ? `${name(each)} (default)` : name(each),
        textAt(each, 'provisioner'),
        textAt(each, 'reclaimPolicy') || 'Delete',
        textAt(each, 'volumeBindingMode') || 'Immediate',
        at(each, 'allowVolumeExpansion') === true,
        age(each, now),
      ]
    },
  },
  VolumeAttributesClass: { columns: columns('Name', 'DriverName', 'Age'), cells: (each, now) => [name(each), textAt(each, 'driverName'), age(each, now)] },
  VolumeAttachment: {
    columns: columns('Name', 'Attacher', 'PV', 'Node', ['Attached', { type: 'boolean' }], 'Age'),
    cells: (each, now) => [
      name(each),
      textAt(each, 'spec', 'attacher'),
      textAt(each, 'spec', 'source', 'persistentVolumeName'),
      textAt(each, 'spec', 'nodeName'),
      at(each, 'status', 'attached') === true,
      age(each, now),
    ],
  },
  CSINode: { columns: columns('Name', integer('Drivers'), 'Age'), cells: (each, now) => [name(each), listAt(each, 'spec', 'drivers').length, age(each, now)] },
  CSIDriver: {
    columns: columns(
      'Name',
      ['AttachRequired', { type: 'boolean' }],
      ['PodInfoOnMount', { type: 'boolean' }],
      ['StorageCapacity', { type: 'boolean' }],
      'TokenRequests',
      ['RequiresRepublish', { type: 'boolean' }],
      'Modes',
      'Age',
    ),
    cells: (each, now) => [
      name(each),
      at(each, 'spec', 'attachRequired') !== false,
      at(each, 'spec', 'podInfoOnMount') === true,
      at(each, 'spec', 'storageCapacity') === true,
      listAt(each, 'spec', 'tokenRequests')
        .map((one) => textAt(one, 'audience'))
        .join(',') || '<unset>',
      at(each, 'spec', 'requiresRepublish') === true,
      orNone(listAt(each, 'spec', 'volumeLifecycleModes').map(String).join(',')),
      age(each, now),
    ],
  },
  CSIStorageCapacity: {
    columns: columns('Name', 'StorageClassName', 'Capacity'),
    cells: (each) => [name(each), textAt(each, 'storageClassName'), textAt(each, 'capacity') || '<unset>'],
  },
  RuntimeClass: { columns: columns('Name', 'Handler', 'Age'), cells: (each, now) => [name(each), textAt(each, 'handler'), age(each, now)] },
  PriorityClass: {
    columns: columns('Name', integer('Value'), ['Global-Default', { type: 'boolean' }], 'Age', 'PreemptionPolicy'),
    cells: (each, now) => [
      name(each),
      countAt(each, 'value'),
      at(each, 'globalDefault') === true,
      age(each, now),
      textAt(each, 'preemptionPolicy') || 'PreemptLowerPriority',
    ],
  },
  Lease: { columns: columns('Name', 'Holder', 'Age'), cells: (each, now) => [name(each), textAt(each, 'spec', 'holderIdentity'), age(each, now)] },
  Event: {
    columns: columns('Last Seen', 'Type', 'Reason', 'Object', wide('Subobject'), wide('Source'), 'Message', wide('First Seen'), wide('Count'), [
      'Name',
      { wide: true },
    ]),
    cells: (each, now) => {
      const about = at(each, 'involvedObject') ?? at(each, 'regarding')
      const seen = (time: unknown): string => (typeof time === 'string' ? since(time, now) : since(at(each, 'eventTime'), now))
      const series = at(each, 'series')
      const last = series === undefined ? (at(each, 'lastTimestamp') ?? at(each, 'deprecatedLastTimestamp')) : at(series, 'lastObservedTime')
      const component =
        textAt(each, 'source', 'component') ||
        textAt(each, 'reportingComponent') ||
        textAt(each, 'reportingController') ||
        textAt(each, 'deprecatedSource', 'component')
      const host = textAt(each, 'source', 'host') || textAt(each, 'deprecatedSource', 'host')
      const kind = textAt(about, 'kind').toLowerCase()
      const count = countAt(series, 'count') || countAt(each, 'count') || countAt(each, 'deprecatedCount') || 1
      return [
        seen(last),
        textAt(each, 'type'),
        textAt(each, 'reason'),
        textAt(about, 'name') === '' ? kind : `${kind}/${textAt(about, 'name')}`,
        textAt(about, 'fieldPath'),
        host === '' ? component : `${component}, ${host}`,
        (textAt(each, 'message') || textAt(each, 'note')).trim(),
        seen(at(each, 'firstTimestamp') ?? at(each, 'deprecatedFirstTimestamp')),
        String(count),
        name(each),
      ]
    },
  },
}
