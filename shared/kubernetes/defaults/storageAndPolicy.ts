import { isObject, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { defaultVolumeSources, ensureObject, objectsIn, setDefault, setDefaultNumber, setDefaultText } from './podSpec.ts'
import { roundUpResources } from './resourceLists.ts'

const RBAC = 'rbac.authorization.k8s.io'

function defaultWebhook(webhook: JsonObject, mutating: boolean): void {
  setDefault(webhook, 'failurePolicy', 'Fail')
  setDefault(webhook, 'matchPolicy', 'Equivalent')
  setDefault(webhook, 'namespaceSelector', {})
  setDefault(webhook, 'objectSelector', {})
  setDefault(webhook, 'timeoutSeconds', 10)
  if (mutating) setDefault(webhook, 'reinvocationPolicy', 'Never')
  for (const rule of objectsIn(webhook['rules'])) setDefault(rule, 'scope', '*')
  const config = webhook['clientConfig']
  if (isObject(config) && isObject(config['service'])) setDefault(config['service'], 'port', 443)
}

function defaultCustomResourceDefinition(spec: JsonObject): void {
  const names = ensureObject(spec, 'names')
  const kind = typeof names['kind'] === 'string' ? names['kind'] : ''
  setDefaultText(names, 'singular', kind.toLowerCase())
  setDefaultText(names, 'listKind', kind === '' ? '' : `${kind}List`)
  const conversion = ensureObject(spec, 'conversion')
  setDefaultText(conversion, 'strategy', 'None')
  const client = isObject(conversion['webhook']) ? conversion['webhook']['clientConfig'] : undefined
  if (isObject(client) && isObject(client['service'])) setDefault(client['service'], 'port', 443)
}

/** Defaults of storage, access, admission and extension kinds; other kinds have none. */
export function defaultStorageAndPolicy(object: KubeObject, spec: JsonObject, minor: number): void {
  switch (object.kind) {
    case 'PersistentVolume':
      setDefaultText(ensureObject(object, 'status'), 'phase', 'Pending')
      setDefaultText(spec, 'persistentVolumeReclaimPolicy', 'Retain')
      setDefault(spec, 'volumeMode', 'Filesystem')
      roundUpResources(spec)
      defaultVolumeSources(spec)
      return
    case 'PersistentVolumeClaim':
      setDefaultText(ensureObject(object, 'status'), 'phase', 'Pending')
      setDefault(spec, 'volumeMode', 'Filesystem')
      roundUpResources(spec['resources'])
      roundUpResources(object['status'])
      return
    case 'StorageClass':
      setDefault(object, 'reclaimPolicy', 'Delete')
      setDefault(object, 'volumeBindingMode', 'Immediate')
      return
    case 'CSIDriver':
      setDefault(spec, 'attachRequired', true)
      setDefault(spec, 'podInfoOnMount', false)
      if (minor >= 21) setDefault(spec, 'storageCapacity', false)
      setDefault(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType')
      if (minor >= 21) setDefault(spec, 'requiresRepublish', false)
      if (minor >= 25) setDefault(spec, 'seLinuxMount', false)
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
      if (object.apiVersion === 'certificates.k8s.io/v1') return
      if (spec['usages'] === undefined) spec['usages'] = ['digital signature', 'key encipherment']
      for (const condition of objectsIn(isObject(object['status']) ? object['status']['conditions'] : undefined)) setDefaultText(condition, 'status', 'True')
      return
    case 'PriorityLevelConfiguration': {
      const limited = spec['limited']
      if (!isObject(limited)) return
      const older = /\/v1(alpha1|beta1|beta2)$/.test(object.apiVersion ?? '')
      if (older) setDefaultNumber(limited, 'assuredConcurrencyShares', 30)
      else {
        setDefault(limited, 'nominalConcurrencyShares', 30)
        setDefault(limited, 'lendablePercent', 0)
      }
      const response = limited['limitResponse']
      const queuing = isObject(response) ? response['queuing'] : undefined
      if (!isObject(queuing)) return
      setDefaultNumber(queuing, 'handSize', 8)
      setDefaultNumber(queuing, 'queues', 64)
      setDefaultNumber(queuing, 'queueLengthLimit', 50)
      return
    }
    case 'APIService':
      if (isObject(spec['service'])) setDefault(spec['service'], 'port', 443)
  }
}
