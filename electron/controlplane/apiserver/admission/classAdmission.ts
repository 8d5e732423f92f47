import { deepEqual, isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { refusal } from './refusal.ts'
import { defaultClass } from './storageAdmission.ts'

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** Gives ingresses that name no class the default one. */
export class DefaultIngressClass implements AdmissionPlugin {
  readonly name = 'DefaultIngressClass'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  admit({ operation, resource, object, context }: AdmissionRequest): void {
    if (operation !== 'CREATE' || resource.group !== 'networking.k8s.io' || resource.plural !== 'ingresses' || context.subresource !== '') return
    const spec = objectAt(object['spec'])
    if (spec['ingressClassName'] !== undefined || object.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return
    const found = defaultClass(this.#store, 'ingressclasses', ['ingressclass.kubernetes.io/is-default-class'])
    if (found !== undefined) object['spec'] = { ...spec, ingressClassName: found.metadata.name }
  }
}

/**
 * Adds to a pod what its RuntimeClass costs and where it may run.
 *
 * @see kubernetes plugin/pkg/admission/runtimeclass/admission.go
 */
export class RuntimeClassAdmission implements AdmissionPlugin {
  readonly name = 'RuntimeClass'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  admit(request: AdmissionRequest): void {
    if (!isPodCreation(request)) return
    const spec = objectAt(request.object['spec'])
    const runtimeClass = this.#classOf(request, spec)
    if (runtimeClass === null) return
    const fixed = objectAt(runtimeClass['overhead'])['podFixed']
    if (isObject(fixed)) {
      if (spec['overhead'] !== undefined && !deepEqual(spec['overhead'], fixed))
        throw refusal(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
      spec['overhead'] = structuredClone(fixed)
    }
    const scheduling = objectAt(runtimeClass['scheduling'])
    const selector = objectAt(spec['nodeSelector'])
    for (const [key, value] of Object.entries(objectAt(scheduling['nodeSelector'])))
      if (selector[key] !== undefined && selector[key] !== value)
        throw refusal(
          request,
          `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${String(value)}; pod.spec.nodeSelector[${key}] = ${String(selector[key])}`,
        )
    if (isObject(scheduling['nodeSelector'])) spec['nodeSelector'] = { ...selector, ...scheduling['nodeSelector'] }
    const tolerations = objects(spec['tolerations'])
    for (const toleration of objects(scheduling['tolerations']))
      if (!tolerations.some((each) => deepEqual(each, toleration))) tolerations.push(structuredClone(toleration))
    if (tolerations.length > 0) spec['tolerations'] = tolerations
  }

  validate(request: AdmissionRequest): void {
    if (!isPodCreation(request)) return
    const spec = objectAt(request.object['spec'])
    const fixed = objectAt(this.#classOf(request, spec)?.['overhead'])['podFixed']
    if (spec['overhead'] !== undefined && fixed === undefined)
      throw refusal(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead', 'validate')
  }

  #classOf(request: AdmissionRequest, spec: JsonObject): JsonObject | null {
    const name = spec['runtimeClassName']
    if (typeof name !== 'string' || name === '') return null
    const found = this.#store.collection('runtimeclasses').get(`/registry/runtimeclasses/${name}`)
    if (found === undefined) throw refusal(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`)
    return found.object
  }
}

const isPodCreation = ({ operation, resource, context }: AdmissionRequest): boolean =>
  operation === 'CREATE' && resource.group === '' && resource.plural === 'pods' && context.subresource === ''
