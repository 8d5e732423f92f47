import { isObject, objectAt } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { compareQuantities, parseQuantity } from '#shared/kubernetes/quantity.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { refusal } from './refusal.ts'

const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class'
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const concerns = ({ resource, context }: AdmissionRequest, plural: string): boolean =>
  resource.group === '' && resource.plural === plural && context.subresource === ''

/**
 * The class that is marked as default; the newest, when several are.
 *
 * @param annotations one of which marks it
 */
export function defaultClass(store: Store, prefix: string, annotations: readonly string[]): KubeObject | undefined {
  const age = ({ metadata }: KubeObject): string => metadata.creationTimestamp ?? ''
  const name = ({ metadata }: KubeObject): string => metadata.name ?? ''
  return [...store.collection(prefix).values()]
    .map(({ object }) => object)
    .filter(({ metadata }) => annotations.some((annotation) => metadata.annotations?.[annotation] === 'true'))
    .sort((a, b) => (age(a) === age(b) ? (name(a) < name(b) ? -1 : 1) : age(a) < age(b) ? 1 : -1))[0]
}

/** Gives claims that name no storage class the default one. */
export class DefaultStorageClass implements AdmissionPlugin {
  readonly name = 'DefaultStorageClass'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  admit(request: AdmissionRequest): void {
    const { operation, object } = request
    if (operation !== 'CREATE' || !concerns(request, 'persistentvolumeclaims') || !isObject(object['spec'])) return
    // An empty name asks for no class at all.
    if (object['spec']['storageClassName'] !== undefined || object.metadata.annotations?.[CLASS_ANNOTATION] !== undefined) return
    const marks = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']
    const found = defaultClass(this.#store, 'storageclasses', marks)
    if (found !== undefined) object['spec'] = { ...object['spec'], storageClassName: found.metadata.name }
  }
}

/** A claim or volume that is in use stays until it is not: a controller takes the finalizer away. */
export class StorageObjectInUseProtection implements AdmissionPlugin {
  readonly name = 'StorageObjectInUseProtection'

  admit(request: AdmissionRequest): void {
    if (request.operation !== 'CREATE') return
    const finalizer = concerns(request, 'persistentvolumeclaims')
      ? 'kubernetes.io/pvc-protection'
      : concerns(request, 'persistentvolumes')
        ? 'kubernetes.io/pv-protection'
        : null
    if (finalizer === null) return
    const { metadata } = request.object
    const finalizers = metadata.finalizers ?? []
    if (!finalizers.includes(finalizer)) metadata.finalizers = [...finalizers, finalizer]
  }
}

/** Claims grow only when they are bound and their class allows it. */
export class PersistentVolumeClaimResize implements AdmissionPlugin {
  readonly name = 'PersistentVolumeClaimResize'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  validate(request: AdmissionRequest): void {
    const { operation, object, old } = request
    if (operation !== 'UPDATE' || old === null || !concerns(request, 'persistentvolumeclaims')) return
    const [before, after] = [sizeOf(old), sizeOf(object)]
    if (before === null || after === null || compareQuantities(after, before) <= 0) return
    if (objectAt(old['status'])['phase'] !== 'Bound') throw refusal(request, 'Only bound persistent volume claims can be expanded', 'validate')
    const name = old.metadata.annotations?.[CLASS_ANNOTATION] ?? text(objectAt(object['spec'])['storageClassName'])
    const storageClass = name === '' ? undefined : this.#store.collection('storageclasses').get(`/registry/storageclasses/${name}`)
    if (storageClass?.object['allowVolumeExpansion'] !== true)
      throw refusal(request, 'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize', 'validate')
  }
}

function sizeOf(claim: KubeObject): ReturnType<typeof parseQuantity> {
  const size = objectAt(objectAt(objectAt(claim['spec'])['resources'])['requests'])['storage']
  return size === undefined ? null : parseQuantity(String(size))
}
