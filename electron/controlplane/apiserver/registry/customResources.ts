import { customResourceMergeType, type MergeType } from '#shared/kubernetes/apply/mergeType.ts'
import { isCondition, parseDefinition, type Definition } from '#shared/kubernetes/customresource/definition.ts'
import { deepEqual } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { builtinSchema } from '#shared/kubernetes/schema/schema.ts'
import type { Collection, StoreEvent } from '../storage/collection.ts'
import type { ApiResource } from './apiResources.ts'
import { CustomResource } from './customResource.ts'
import { WebhookConverter, type WebhookCaller } from './webhookConverter.ts'

export const DEFINITIONS = 'apiextensions.k8s.io/customresourcedefinitions'

const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']
const TERMINATING_VERBS = ['delete', 'deletecollection', 'get', 'list', 'watch']

interface Served {
  /** What the resources were made of; while it stays, they stay. */
  spec: unknown
  names: unknown
  terminating: boolean
  resources: ApiResource[]
  end: AbortController
}

/** The resources that CustomResourceDefinitions add, kept up with the stored definitions. */
export class CustomResources {
  readonly #served = new Map<string, Served>()
  readonly #collection: Collection
  readonly #webhooks: WebhookCaller
  readonly #onChange: () => void

  /** @param onChange called whenever what is served has changed */
  constructor(collection: Collection, webhooks: WebhookCaller, onChange: () => void) {
    this.#collection = collection
    this.#webhooks = webhooks
    this.#onChange = onChange
  }

  /** Every served version of every established definition, in the order of names. */
  get list(): ApiResource[] {
    return [...this.#served].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, { resources }]) => resources)
  }

  /** Takes the stored definitions, and every change from now on. @returns how to stop */
  follow(): () => void {
    for (const { object } of this.#collection.values()) this.#take(object)
    this.#onChange()
    return this.#collection.onEvent((event) => {
      if (this.#changed(event)) this.#onChange()
    })
  }

  #changed({ type, entry }: StoreEvent): boolean {
    if (type !== 'DELETED') return this.#take(entry.object)
    return this.#drop(entry.object.metadata.name ?? '')
  }

  #drop(name: string): boolean {
    const served = this.#served.get(name)
    if (served === undefined) return false
    this.#served.delete(name)
    served.end.abort(new Error('the custom resource definition has gone'))
    return true
  }

  #take(object: KubeObject): boolean {
    const definition = parseDefinition(object)
    // Served as soon as the names are accepted or were once, as upstream's handler does.
    if (!isCondition(definition, 'NamesAccepted') && !isCondition(definition, 'Established')) return this.#drop(definition.name)
    const names = (object['status'] as { acceptedNames?: unknown } | undefined)?.acceptedNames
    const terminating = isCondition(definition, 'Terminating')
    const old = this.#served.get(definition.name)
    const same = old !== undefined && deepEqual(old.spec, object['spec']) && deepEqual(old.names, names)
    if (same && old.terminating === terminating) return false
    const end = same ? old.end : new AbortController()
    this.#served.set(definition.name, {
      spec: object['spec'],
      names,
      terminating,
      resources: resourcesOf(definition, terminating, { ended: end.signal, webhooks: this.#webhooks }),
      end,
    })
    if (!same) old?.end.abort(new Error('the custom resource definition has changed'))
    return true
  }
}

function resourcesOf(definition: Definition, terminating: boolean, { ended, webhooks }: { ended: AbortSignal; webhooks: WebhookCaller }): ApiResource[] {
  const { group, names, acceptedNames, versions, namespaced } = definition
  const storage = versions.find((each) => each.storage)
  const struct = builtinSchema.struct('meta.ObjectMeta')
  if (storage === undefined || struct === null) return []
  const webhook = WebhookConverter.isNamedBy(definition) ? new WebhookConverter(definition, webhooks) : null
  const announced = acceptedNames.plural === '' ? names : acceptedNames
  return versions
    .filter(({ served }) => served)
    .map((version): ApiResource => {
      const custom = new CustomResource(definition, version, { ended, webhook })
      let mergeType: MergeType | null = null
      return {
        group,
        version: version.name,
        kind: announced.kind,
        listKind: announced.listKind,
        plural: names.plural,
        singular: announced.singular,
        namespaced,
        verbs: terminating ? TERMINATING_VERBS : VERBS,
        subresources: [...(version.status ? ['status'] : []), ...(version.scale === null ? [] : ['scale'])],
        shortNames: announced.shortNames,
        categories: announced.categories,
        type: '',
        storage: { group, version: storage.name },
        storagePrefix: `${group}/${names.plural}`,
        storageEncoding: 'json',
        lifetime: [0, null],
        kubernetesMinor: 0,
        struct,
        get mergeType() {
          return (mergeType ??= customResourceMergeType(version.schema))
        },
        zero: {},
        custom,
      }
    })
}
