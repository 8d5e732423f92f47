import { isObject } from '#shared/kubernetes/json.ts'
import { forbidden, notFound } from '../registry/failures.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'

/** Nothing is created in a namespace that does not exist or is going away. */
export class NamespaceLifecycle implements AdmissionPlugin {
  readonly name = 'NamespaceLifecycle'
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async admit({ operation, resource, namespace, object, context }: AdmissionRequest): Promise<void> {
    if (operation !== 'CREATE' || !resource.namespaced || namespace === '' || context.user.username === 'system:apiserver') return
    const key = `/registry/namespaces/${namespace}`
    let entry = this.#store.collection('namespaces').get(key)
    if (entry === undefined) {
      // Somebody may just have made it in etcd.
      await this.#store.fresh(context.signal)
      entry = this.#store.collection('namespaces').get(key)
    }
    if (entry === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace)
    const status = entry.object['status']
    if (entry.object.metadata.deletionTimestamp === undefined || !isObject(status)) return
    const message = `namespace ${namespace} is being terminated`
    throw forbidden(resource, object.metadata.name ?? '', `unable to create new content in namespace ${namespace} because it is being terminated`, {
      reason: 'NamespaceTerminating',
      message,
      field: 'metadata.namespace',
    })
  }
}
