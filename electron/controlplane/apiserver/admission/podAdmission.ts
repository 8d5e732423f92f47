import type { Random } from '#shared/base/random.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { pathSegmentErrors } from '#shared/kubernetes/validation/names.ts'
import { generateName } from '../registry/names.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { referencedKinds } from './podReferences.ts'
import { refusal } from './refusal.ts'

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
/** Releases since which pods get tokens of their own (BoundServiceAccountTokenVolume). */
const PROJECTED_SINCE = 21
const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount'
const isPodCreate = ({ operation, resource, context }: AdmissionRequest): boolean =>
  operation === 'CREATE' && resource.group === '' && resource.plural === 'pods' && context.subresource === ''
const isMirror = ({ metadata }: KubeObject): boolean => metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined

/** Gives a pod its service account, and its containers the account's token, CA and namespace as files. */
export class ServiceAccountAdmission implements AdmissionPlugin {
  readonly name = 'ServiceAccount'
  readonly #store: Store
  readonly #random: Random
  readonly #minor: () => number

  constructor(store: Store, random: Random, minor: () => number) {
    this.#store = store
    this.#random = random
    this.#minor = minor
  }

  async admit(request: AdmissionRequest): Promise<void> {
    const { object, namespace, context } = request
    if (!isPodCreate(request) || !isObject(object['spec'])) return
    if (isMirror(object)) {
      checkMirror(request, object['spec'])
      return
    }
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
    if (account === undefined) {
      // Upstream's client does not ask for what cannot stand in a path.
      const faults = pathSegmentErrors(name)
      const why =
        faults.length === 0 ? `serviceaccount ${JSON.stringify(name)} not found` : `invalid resource name ${JSON.stringify(name)}: [${faults.join(' ')}]`
      throw refusal(request, `error looking up service account ${namespace}/${name}: ${why}`)
    }
    if (spec['imagePullSecrets'] === undefined && Array.isArray(account.object['imagePullSecrets']) && account.object['imagePullSecrets'].length > 0)
      spec['imagePullSecrets'] = structuredClone(account.object['imagePullSecrets'])
    if ((spec['automountServiceAccountToken'] ?? account.object['automountServiceAccountToken'] ?? true) === true)
      this.#mount(spec, this.#minor() < PROJECTED_SINCE ? this.#tokenSecret(account.object) : null)
  }

  /** The account's secret with a token that does not end. */
  #tokenSecret({ metadata, secrets }: KubeObject): string | null {
    for (const { name } of objects(secrets)) {
      const secret = this.#store.collection('secrets').get(`/registry/secrets/${metadata.namespace ?? ''}/${String(name)}`)?.object
      if (secret?.['type'] === 'kubernetes.io/service-account-token' && secret.metadata.annotations?.['kubernetes.io/service-account.uid'] === metadata.uid)
        return String(name)
    }
    return null
  }

  /** @param secret null mounts a token of its own for each pod */
  #mount(spec: JsonObject, secret: string | null): void {
    const containers = [...objects(spec['initContainers']), ...objects(spec['containers'])]
    const without = containers.filter((container) => !objects(container['volumeMounts']).some((mount) => mount['mountPath'] === TOKEN_PATH))
    if (without.length === 0) return
    const volume = secret ?? generateName('kube-api-access-', this.#random)
    for (const container of without)
      container['volumeMounts'] = [...objects(container['volumeMounts']), { name: volume, readOnly: true, mountPath: TOKEN_PATH }]
    if (secret !== null) {
      if (!objects(spec['volumes']).some(({ name }) => name === secret))
        spec['volumes'] = [...objects(spec['volumes']), { name: volume, secret: { secretName: secret, defaultMode: 420 } }]
      return
    }
    const sources = [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
    ]
    spec['volumes'] = [...objects(spec['volumes']), { name: volume, projected: { sources, defaultMode: 420 } }]
  }
}

/** What a node runs by itself must not lead it to what is kept in the API. */
function checkMirror(request: AdmissionRequest, spec: JsonObject): void {
  if ((spec['serviceAccountName'] ?? '') !== '') throw refusal(request, 'a mirror pod may not reference service accounts')
  if (referencedKinds(spec).has('secrets')) throw refusal(request, 'a mirror pod may not reference secrets')
  const sources = objects(spec['volumes']).flatMap(({ projected }) => (isObject(projected) ? objects(projected['sources']) : []))
  if (sources.some((source) => source['serviceAccountToken'] !== undefined))
    throw refusal(request, 'a mirror pod may not use ServiceAccountToken volume projections')
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
    const { object } = request
    if (!isPodCreate(request) || !isObject(object['spec'])) return
    const spec = object['spec']
    const classes = this.#store.collection('priorityclasses')
    const named = typeof spec['priorityClassName'] === 'string' ? spec['priorityClassName'] : ''
    const chosen =
      named === '' ? [...classes.values()].find(({ object: each }) => each['globalDefault'] === true) : classes.get(`/registry/priorityclasses/${named}`)
    if (named !== '' && chosen === undefined) throw refusal(request, `no PriorityClass with name ${named} was found`)
    const value = typeof chosen?.object['value'] === 'number' ? chosen.object['value'] : 0
    if (typeof spec['priority'] === 'number' && spec['priority'] !== value)
      throw refusal(
        request,
        `the integer value of priority (${String(spec['priority'])}) must not be provided in pod spec; priority admission controller computed ${String(value)} from the given PriorityClass name`,
      )
    const preemption = chosen?.object['preemptionPolicy'] ?? 'PreemptLowerPriority'
    if (spec['preemptionPolicy'] !== undefined && spec['preemptionPolicy'] !== preemption)
      throw refusal(
        request,
        `the string value of PreemptionPolicy (${String(spec['preemptionPolicy'])}) must not be provided in pod spec; priority admission controller computed ${String(preemption)} from the given PriorityClass name`,
      )
    if (chosen !== undefined && named === '') spec['priorityClassName'] = chosen.object.metadata.name
    spec['priority'] = value
    spec['preemptionPolicy'] = preemption
  }

  /** One class alone is the default. */
  validate(request: AdmissionRequest): void {
    const { operation, resource, object } = request
    if (resource.group !== 'scheduling.k8s.io' || resource.plural !== 'priorityclasses' || operation === 'DELETE' || object['globalDefault'] !== true) return
    const other = [...this.#store.collection('priorityclasses').values()].find(
      ({ object: each }) => each['globalDefault'] === true && each.metadata.name !== object.metadata.name,
    )
    if (other !== undefined)
      throw refusal(request, `PriorityClass ${other.object.metadata.name ?? ''} is already marked as default. Only one default can exist`, 'validate')
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
