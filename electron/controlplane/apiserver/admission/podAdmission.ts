import type { Random } from '#shared/base/random.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { forbidden } from '../registry/failures.ts'
import { generateName } from '../registry/names.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount'
const isPodCreate = ({ operation, resource }: AdmissionRequest): boolean => operation === 'CREATE' && resource.group === '' && resource.plural === 'pods'
const isMirror = ({ metadata }: KubeObject): boolean => metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined

/** Gives a pod its service account, and its containers the account's token, CA and namespace as files. */
export class ServiceAccountAdmission implements AdmissionPlugin {
  readonly name = 'ServiceAccount'
  readonly #store: Store
  readonly #random: Random

  constructor(store: Store, random: Random) {
    this.#store = store
    this.#random = random
  }

  async admit(request: AdmissionRequest): Promise<void> {
    const { object, namespace, resource, context } = request
    if (!isPodCreate(request) || isMirror(object) || !isObject(object['spec'])) return
    const spec = object['spec']
    const name = typeof spec['serviceAccountName'] === 'string' && spec['serviceAccountName'] !== '' ? spec['serviceAccountName'] : 'default'
    spec['serviceAccountName'] = name
    spec['serviceAccount'] = name
    const key = `/registry/serviceaccounts/${namespace}/${name}`
    let account = this.#store.collection('serviceaccounts').get(key)
    if (account === undefined) {
      await this.#store.fresh(context.signal)
      account = this.#store.collection('serviceaccounts').get(key)
    }
    if (account === undefined)
      throw forbidden(
        resource,
        object.metadata.name ?? '',
        `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
      )
    if (spec['imagePullSecrets'] === undefined && Array.isArray(account.object['imagePullSecrets']) && account.object['imagePullSecrets'].length > 0)
      spec['imagePullSecrets'] = structuredClone(account.object['imagePullSecrets'])
    if ((spec['automountServiceAccountToken'] ?? account.object['automountServiceAccountToken'] ?? true) === true) this.#mount(spec)
  }

  #mount(spec: JsonObject): void {
    const containers = [...objects(spec['initContainers']), ...objects(spec['containers'])]
    const without = containers.filter((container) => !objects(container['volumeMounts']).some((mount) => mount['mountPath'] === TOKEN_PATH))
    if (without.length === 0) return
    const volume = generateName('kube-api-access-', this.#random)
    for (const container of without)
      container['volumeMounts'] = [...objects(container['volumeMounts']), { name: volume, readOnly: true, mountPath: TOKEN_PATH }]
    const sources = [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
    ]
    spec['volumes'] = [...objects(spec['volumes']), { name: volume, projected: { sources, defaultMode: 420 } }]
  }
}

/** How long a pod stays on a node that is not ready or not reachable. */
const TOLERATED = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']
const TOLERATION_SECONDS = 300

export class DefaultTolerationSeconds implements AdmissionPlugin {
  readonly name = 'DefaultTolerationSeconds'

  admit(request: AdmissionRequest): void {
    const { object, operation, resource, context } = request
    // An update that leaves them out gets them back, as it may take no toleration away.
    const pods = resource.group === '' && resource.plural === 'pods' && context.subresource === '' && operation !== 'DELETE'
    if (!pods || !isObject(object['spec'])) return
    const spec = object['spec']
    const tolerations = objects(spec['tolerations'])
    for (const key of TOLERATED) {
      const has = tolerations.some(
        (each) => (each['key'] === key || (each['key'] ?? '') === '') && ((each['effect'] ?? '') === '' || each['effect'] === 'NoExecute'),
      )
      if (!has) tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: TOLERATION_SECONDS })
    }
    spec['tolerations'] = tolerations
  }
}

/** Turns a pod's priority class into its number. */
export class PriorityAdmission implements AdmissionPlugin {
  readonly name = 'Priority'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  admit(request: AdmissionRequest): void {
    const { object, resource } = request
    if (!isPodCreate(request) || !isObject(object['spec'])) return
    const spec = object['spec']
    const classes = this.#store.collection('priorityclasses')
    const named = typeof spec['priorityClassName'] === 'string' ? spec['priorityClassName'] : ''
    const chosen =
      named === '' ? [...classes.values()].find(({ object: each }) => each['globalDefault'] === true) : classes.get(`/registry/priorityclasses/${named}`)
    if (named !== '' && chosen === undefined) throw forbidden(resource, object.metadata.name ?? '', `no PriorityClass with name ${named} was found`)
    const value = typeof chosen?.object['value'] === 'number' ? chosen.object['value'] : 0
    if (typeof spec['priority'] === 'number' && spec['priority'] !== value && !isMirror(object))
      throw forbidden(
        resource,
        object.metadata.name ?? '',
        `the integer value of priority (${String(spec['priority'])}) must not be provided in pod spec; priority admission controller computed ${String(value)} from the given PriorityClass name`,
      )
    if (chosen !== undefined && named === '') spec['priorityClassName'] = chosen.object.metadata.name
    spec['priority'] ??= value
    spec['preemptionPolicy'] ??= chosen?.object['preemptionPolicy'] ?? 'PreemptLowerPriority'
  }
}

/** A new node takes no pods before it has said that it is ready. */
export class TaintNodesByCondition implements AdmissionPlugin {
  readonly name = 'TaintNodesByCondition'

  admit({ operation, resource, object, context }: AdmissionRequest): void {
    if (operation !== 'CREATE' || resource.group !== '' || resource.plural !== 'nodes' || context.subresource !== '') return
    const spec = isObject(object['spec']) ? object['spec'] : {}
    const taints = objects(spec['taints'])
    if (!taints.some((taint) => taint['key'] === 'node.kubernetes.io/not-ready')) taints.push({ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' })
    object['spec'] = { ...spec, taints }
  }
}
