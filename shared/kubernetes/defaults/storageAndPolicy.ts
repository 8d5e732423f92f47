import { isObject, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { ensureObject, objectsIn, setDefault, setDefaultText } from './podSpec.ts'

const RBAC = 'rbac.authorization.k8s.io'

function defaultWebhook(webhook: JsonObject, mutating: boolean): void {
  setDefaultText(webhook, 'failurePolicy', 'Fail')
  setDefaultText(webhook, 'matchPolicy', 'Equivalent')
  setDefault(webhook, 'namespaceSelector', {})
  setDefault(webhook, 'objectSelector', {})
  setDefault(webhook, 'timeoutSeconds', 10)
  if (mutating) setDefaultText(webhook, 'reinvocationPolicy', 'Never')
  for (const rule of objectsIn(webhook['rules'])) setDefaultText(rule, 'scope', '*')
  const config = webhook['clientConfig']
  if (isObject(config) && isObject(config['service'])) setDefault(config['service'], 'port', 443)
}

function defaultCustomResourceDefinition(spec: JsonObject): void {
  setDefaultText(spec, 'scope', 'Namespaced')
  const names = ensureObject(spec, 'names')
  const kind = typeof names['kind'] === 'string' ? names['kind'] : ''
  setDefaultText(names, 'singular', kind.toLowerCase())
  setDefaultText(names, 'listKind', kind === '' ? '' : `${kind}List`)
  setDefaultText(ensureObject(spec, 'conversion'), 'strategy', 'None')
}

/** Defaults of storage, access, admission and extension kinds; other kinds have none. */
export function defaultStorageAndPolicy(object: KubeObject, spec: JsonObject): void {
  switch (object.kind) {
    case 'PersistentVolume':
      setDefaultText(ensureObject(object, 'status'), 'phase', 'Pending')
      setDefaultText(spec, 'persistentVolumeReclaimPolicy', 'Retain')
      setDefaultText(spec, 'volumeMode', 'Filesystem')
      if (isObject(spec['hostPath'])) setDefault(spec['hostPath'], 'type', '')
      return
    case 'PersistentVolumeClaim':
      setDefaultText(ensureObject(object, 'status'), 'phase', 'Pending')
      setDefaultText(spec, 'volumeMode', 'Filesystem')
      return
    case 'StorageClass':
      setDefaultText(object, 'reclaimPolicy', 'Delete')
      setDefaultText(object, 'volumeBindingMode', 'Immediate')
      return
    case 'CSIDriver':
      setDefault(spec, 'attachRequired', true)
      setDefault(spec, 'podInfoOnMount', false)
      setDefault(spec, 'storageCapacity', false)
      setDefaultText(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType')
      setDefault(spec, 'requiresRepublish', false)
      setDefault(spec, 'seLinuxMount', false)
      if (!Array.isArray(spec['volumeLifecycleModes']) || spec['volumeLifecycleModes'].length === 0) spec['volumeLifecycleModes'] = ['Persistent']
      return
    case 'RoleBinding':
    case 'ClusterRoleBinding': {
      const role = object['roleRef']
      if (isObject(role)) setDefaultText(role, 'apiGroup', RBAC)
      for (const subject of objectsIn(object['subjects']))
        if (subject['kind'] === 'User' || subject['kind'] === 'Group') setDefaultText(subject, 'apiGroup', RBAC)
      return
    }
    case 'MutatingWebhookConfiguration':
    case 'ValidatingWebhookConfiguration':
      for (const webhook of objectsIn(object['webhooks'])) defaultWebhook(webhook, object.kind === 'MutatingWebhookConfiguration')
      return
    case 'CustomResourceDefinition':
      defaultCustomResourceDefinition(spec)
      return
    case 'CertificateSigningRequest':
      if (spec['usages'] === undefined) spec['usages'] = ['digital signature', 'key encipherment']
      return
    case 'PriorityLevelConfiguration': {
      const limited = spec['limited']
      if (!isObject(limited)) return
      setDefault(limited, 'nominalConcurrencyShares', 30)
      setDefault(limited, 'lendablePercent', 0)
      return
    }
    case 'APIService':
      if (isObject(spec['service'])) setDefault(spec['service'], 'port', 443)
  }
}
