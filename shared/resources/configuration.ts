import { number, text, type ResourceColumns } from './columns.ts'
import { common, namespaced } from './commonColumns.ts'
import { at, countAt, listAt, mapAt, numberAt, ownerText, quantityAt, selectorText, textAt, timeAt } from './fields.ts'

// namespaces: status. configmaps: keys (count) keyNames immutable. secrets: type keys keyNames immutable: never a value.
// leases: holder renewedAtMs durationSeconds transitions. poddisruptionbudgets: minAvailable maxUnavailable allowedDisruptions
// currentHealthy desiredHealthy expectedPods selector. serviceaccounts: secrets (count) automount.
// persistentvolumeclaims: status volume capacityBytes requestBytes accessModes storageClass.
// persistentvolumes: status capacityBytes accessModes reclaimPolicy claim storageClass reason.
// storageclasses: provisioner reclaimPolicy bindingMode expandable isDefault.

const flag = (value: boolean): number => (value ? 1 : 0)
const keyNames = text((object) => Object.keys({ ...mapAt(object, 'data'), ...mapAt(object, 'binaryData') }).join(','))
const keyCount = number((object) => Object.keys({ ...mapAt(object, 'data'), ...mapAt(object, 'binaryData') }).length)
const immutable = number((object) => flag(at(object, 'immutable') === true))
const accessModes = text((object) => listAt(object, 'spec', 'accessModes').map(String).join(','))

export const configuration: ResourceColumns[] = [
  {
    resource: 'namespaces',
    group: '',
    version: 'v1',
    kind: 'Namespace',
    namespaced: false,
    columns: { ...common, status: text((object) => textAt(object, 'status', 'phase')) },
  },
  {
    resource: 'configmaps',
    group: '',
    version: 'v1',
    kind: 'ConfigMap',
    namespaced: true,
    columns: { ...common, ...namespaced, keys: keyCount, keyNames, immutable },
  },
  {
    resource: 'secrets',
    group: '',
    version: 'v1',
    kind: 'Secret',
    namespaced: true,
    columns: { ...common, ...namespaced, type: text((object) => textAt(object, 'type')), keys: keyCount, keyNames, immutable },
  },
  {
    resource: 'leases',
    group: 'coordination.k8s.io',
    version: 'v1',
    kind: 'Lease',
    namespaced: true,
    columns: {
      ...common,
      ...namespaced,
      holder: text((object) => textAt(object, 'spec', 'holderIdentity')),
      renewedAtMs: number((object) => timeAt(object, 'spec', 'renewTime')),
      durationSeconds: number((object) => numberAt(object, 'spec', 'leaseDurationSeconds')),
      transitions: number((object) => countAt(object, 'spec', 'leaseTransitions')),
    },
  },
  {
    resource: 'poddisruptionbudgets',
    group: 'policy',
    version: 'v1',
    kind: 'PodDisruptionBudget',
    namespaced: true,
    columns: {
      ...common,
      ...namespaced,
      minAvailable: text((object) => textAt(object, 'spec', 'minAvailable')),
      maxUnavailable: text((object) => textAt(object, 'spec', 'maxUnavailable')),
      allowedDisruptions: number((object) => countAt(object, 'status', 'disruptionsAllowed')),
      currentHealthy: number((object) => countAt(object, 'status', 'currentHealthy')),
      desiredHealthy: number((object) => countAt(object, 'status', 'desiredHealthy')),
      expectedPods: number((object) => countAt(object, 'status', 'expectedPods')),
      selector: text((object) => selectorText(at(object, 'spec', 'selector'))),
    },
  },
  {
    resource: 'serviceaccounts',
    group: '',
    version: 'v1',
    kind: 'ServiceAccount',
    namespaced: true,
    columns: {
      ...common,
      ...namespaced,
      secrets: number((object) => listAt(object, 'secrets').length),
      automount: number((object) => flag(at(object, 'automountServiceAccountToken') !== false)),
    },
  },
  {
    resource: 'persistentvolumeclaims',
    group: '',
    version: 'v1',
    kind: 'PersistentVolumeClaim',
    namespaced: true,
    columns: {
      ...common,
      ...namespaced,
      status: text((object) => (object.metadata.deletionTimestamp === undefined ? textAt(object, 'status', 'phase') : 'Terminating')),
      volume: text((object) => textAt(object, 'spec', 'volumeName')),
      capacityBytes: number((object) => quantityAt(object, 'status', 'capacity', 'storage')),
      requestBytes: number((object) => quantityAt(object, 'spec', 'resources', 'requests', 'storage')),
      accessModes,
      storageClass: text((object) => textAt(object, 'spec', 'storageClassName')),
    },
  },
  {
    resource: 'persistentvolumes',
    group: '',
    version: 'v1',
    kind: 'PersistentVolume',
    namespaced: false,
    columns: {
      ...common,
      status: text((object) => (object.metadata.deletionTimestamp === undefined ? textAt(object, 'status', 'phase') : 'Terminating')),
      capacityBytes: number((object) => quantityAt(object, 'spec', 'capacity', 'storage')),
      accessModes,
      reclaimPolicy: text((object) => textAt(object, 'spec', 'persistentVolumeReclaimPolicy')),
      claim: text((object) =>
        at(object, 'spec', 'claimRef') === undefined ? '' : `${textAt(object, 'spec', 'claimRef', 'namespace')}/${textAt(object, 'spec', 'claimRef', 'name')}`,
      ),
      storageClass: text((object) => textAt(object, 'spec', 'storageClassName')),
      reason: text((object) => textAt(object, 'status', 'reason')),
    },
  },
  {
    resource: 'storageclasses',
    group: 'storage.k8s.io',
    version: 'v1',
    kind: 'StorageClass',
    namespaced: false,
    columns: {
      ...common,
      owner: text(ownerText),
      provisioner: text((object) => textAt(object, 'provisioner')),
      reclaimPolicy: text((object) => textAt(object, 'reclaimPolicy')),
      bindingMode: text((object) => textAt(object, 'volumeBindingMode')),
      expandable: number((object) => flag(at(object, 'allowVolumeExpansion') === true)),
      isDefault: number((object) => flag(object.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true')),
    },
  },
]
