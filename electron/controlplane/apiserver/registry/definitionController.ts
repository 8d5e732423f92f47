import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import {
  CLEANUP_FINALIZER,
  isCondition,
  parseDefinition,
  setCondition,
  type Definition,
  type DefinitionCondition,
  type DefinitionNames,
} from '#shared/kubernetes/customresource/definition.ts'
import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { Admission } from '../admission/admission.ts'
import type { ApiResource, ApiResources } from './apiResources.ts'
import { DEFINITIONS } from './customResources.ts'
import { deleteObject } from './deletion.ts'
import type { RestStore, WriteContext } from './restStore.ts'

/** How often a definition that waits for its objects to go is looked at again; upstream polls as often. */
const CLEANUP_POLL_MS = 5_000
const RETRY_MS = 1_000

export interface DefinitionControllerOptions {
  rest: RestStore
  admission: Admission
  resources: () => ApiResources
  clock: Clock
  logger: Logger
}

/**
 * What the API server does by itself with CustomResourceDefinitions: accepts their names, establishes them, and removes their
 * objects before they go.
 *
 * @see k8s.io/apiextensions-apiserver/pkg/controller/{status,establish,finalizer}
 */
export class DefinitionController {
  readonly #options: DefinitionControllerOptions
  readonly #queue = new Set<string>()
  #wake: (() => void) | null = null

  constructor(options: DefinitionControllerOptions) {
    this.#options = options
  }

  /** Works until the signal aborts. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    const collection = this.#options.rest.store.collection(DEFINITIONS)
    const stop = collection.onEvent(({ entry, type }) => {
      this.#enqueue(entry.object.metadata.name ?? '')
      // Names that were freed may be what another definition of the group waits for.
      if (type !== 'ADDED') for (const { object } of collection.values()) this.#enqueue(object.metadata.name ?? '')
    })
    for (const { object } of collection.values()) this.#enqueue(object.metadata.name ?? '')
    const onAbort = (): void => {
      this.#wake?.()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!signal.aborted) {
        const [name] = this.#queue
        if (name === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          continue
        }
        this.#queue.delete(name)
        await this.#guarded(name, signal)
      }
    } finally {
      stop()
      signal.removeEventListener('abort', onAbort)
    }
  }

  #enqueue(name: string): void {
    this.#queue.add(name)
    this.#wake?.()
  }

  async #guarded(name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#sync(name, signal)
    } catch (error) {
      if (signal.aborted) return
      // Somebody else wrote or deleted it: the event of that brings it back.
      if (error instanceof StatusError && (error.reason === 'NotFound' || error.reason === 'Conflict')) return
      this.#options.logger.error('a custom resource definition could not be brought up to date', {
        name,
        error: error instanceof Error ? error.message : String(error),
      })
      this.#later(name, RETRY_MS, signal)
    }
  }

  #later(name: string, afterMs: number, signal: AbortSignal): void {
    const cancel = this.#options.clock.schedule(afterMs, () => {
      this.#enqueue(name)
    })
    signal.addEventListener('abort', cancel, { once: true })
  }

  async #sync(name: string, signal: AbortSignal): Promise<void> {
    const entry = this.#options.rest.store.collection(DEFINITIONS).get(`/registry/${DEFINITIONS}/${name}`)
    if (entry === undefined) return
    const definition = parseDefinition(entry.object)
    if (definition.deleting) {
      if (definition.finalizers.includes(CLEANUP_FINALIZER)) await this.#cleanUp(definition, signal)
      return
    }
    if (await this.#acceptNames(definition, entry.object, signal)) return
    if (isCondition(definition, 'NamesAccepted') && !isCondition(definition, 'Established'))
      await this.#updateStatus(name, signal, (status) => {
        setCondition(status, this.#condition('Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted'))
      })
  }

  /** @returns whether the status was written */
  async #acceptNames(definition: Definition, object: KubeObject, signal: AbortSignal): Promise<boolean> {
    const { names, acceptedNames } = definition
    if (deepEqual(names, acceptedNames)) return false
    const { accepted, condition } = this.#decide(definition)
    const old = definition.conditions.find(({ type }) => type === 'NamesAccepted')
    if (deepEqual(accepted, acceptedNames) && old?.status === condition.status && old.reason === condition.reason && old.message === condition.message)
      return false
    await this.#updateStatus(
      definition.name,
      signal,
      (status) => {
        status['acceptedNames'] = withoutEmpty(accepted)
        setCondition(status, condition)
        const established = definition.conditions.find(({ type }) => type === 'Established')
        if (condition.status === 'True' && established?.status !== 'True')
          setCondition(status, this.#condition('Established', 'False', 'Installing', 'the initial names have been accepted'))
        else if (established === undefined) setCondition(status, this.#condition('Established', 'False', 'NotAccepted', 'not all names are accepted'))
      },
      object.metadata.resourceVersion,
    )
    return true
  }

  #decide({ name, group, names, acceptedNames }: Definition): { accepted: DefinitionNames; condition: DefinitionCondition } {
    const resources = new Set<string>()
    const kinds = new Set<string>()
    for (const { object } of this.#options.rest.store.collection(DEFINITIONS).values()) {
      const other = parseDefinition(object)
      if (other.group !== group) continue
      const taken = other.name === name ? acceptedNames : other.acceptedNames
      for (const each of [taken.plural, taken.singular, ...taken.shortNames]) resources.add(each)
      for (const each of [taken.kind, taken.listKind]) kinds.add(each)
    }
    const accepted: DefinitionNames = { ...acceptedNames, categories: names.categories }
    let condition = this.#condition('NamesAccepted', 'True', 'NoConflicts', 'no conflicts found')
    const refuse = (reason: string, message: string): void => {
      condition = this.#condition('NamesAccepted', 'False', reason, message)
    }
    const inUse = (wanted: string, own: string, used: ReadonlySet<string>): boolean => wanted !== own && used.has(wanted)
    const decide = (field: 'plural' | 'singular' | 'kind' | 'listKind', used: ReadonlySet<string>, reason: string): void => {
      if (inUse(names[field], acceptedNames[field], used)) refuse(reason, `${JSON.stringify(names[field])} is already in use`)
      else accepted[field] = names[field]
    }
    decide('plural', resources, 'PluralConflict')
    decide('singular', resources, 'SingularConflict')
    const short = names.shortNames.filter((each) => !acceptedNames.shortNames.includes(each) && resources.has(each))
    if (short.length === 0) accepted.shortNames = names.shortNames
    else {
      const texts = short.map((each) => `${JSON.stringify(each)} is already in use`)
      refuse('ShortNamesConflict', texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`)
    }
    decide('kind', kinds, 'KindConflict')
    decide('listKind', kinds, 'ListKindConflict')
    return { accepted, condition }
  }

  /** Removes all objects of a definition that is being deleted, then lets it go. */
  async #cleanUp(definition: Definition, signal: AbortSignal): Promise<void> {
    const { name } = definition
    const progress = definition.conditions.find(({ type, status }) => type === 'Terminating' && status === 'True')
    if (progress?.reason !== 'InstanceDeletionInProgress')
      await this.#updateStatus(name, signal, (status) => {
        setCondition(status, this.#condition('Terminating', 'True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress'))
      })
    let last = this.#condition('Terminating', 'False', 'NeverEstablished', 'resource was never established')
    if (isCondition(definition, 'Established')) {
      const left = await this.#deleteObjects(definition, signal)
      if (left > 0) {
        this.#later(name, CLEANUP_POLL_MS, signal)
        return
      }
      last = this.#condition('Terminating', 'False', 'InstanceDeletionCompleted', 'removed all instances')
    }
    await this.#updateStatus(
      name,
      signal,
      (status) => {
        setCondition(status, last)
      },
      undefined,
      (object) => ({
        ...object,
        metadata: { ...object.metadata, finalizers: (object.metadata.finalizers ?? []).filter((each) => each !== CLEANUP_FINALIZER) },
      }),
    )
  }

  /** @returns how many objects still stand */
  async #deleteObjects({ group, names, versions }: Definition, signal: AbortSignal): Promise<number> {
    const { rest, admission, resources } = this.#options
    const resource = versions.map((version) => resources().find(group, version.name, names.plural)).find((each): each is ApiResource => each !== undefined)
    const collection = rest.store.collection(`${group}/${names.plural}`)
    const context = this.#context(signal)
    for (const entry of [...collection.values()]) {
      const { namespace = '', name = '' } = entry.object.metadata
      try {
        // Of no served version there is nothing to convert to: what is stored goes as it is.
        if (resource === undefined) await rest.removeNow(entry, context)
        else await deleteObject(rest, admission, resource, namespace, name, {}, context)
      } catch (error) {
        if (!(error instanceof StatusError) || error.reason !== 'NotFound') throw error
      }
    }
    return collection.size
  }

  async #updateStatus(
    name: string,
    signal: AbortSignal,
    change: (status: JsonObject) => void,
    resourceVersion?: string,
    also: (object: KubeObject) => KubeObject = (object) => object,
  ): Promise<void> {
    const { rest, resources } = this.#options
    const resource = resources().byKind('apiextensions.k8s.io', 'CustomResourceDefinition')
    if (resource === undefined) return
    await rest.update(
      resource,
      '',
      name,
      (current) => {
        const status: JsonObject = isObject(current['status']) ? structuredClone(current['status']) : {}
        change(status)
        return also({ ...current, status })
      },
      { retry: resourceVersion === undefined, preconditions: resourceVersion === undefined ? {} : { resourceVersion } },
      this.#context(signal),
    )
  }

  #context(signal: AbortSignal): WriteContext {
    return {
      user: { username: 'system:apiserver', groups: ['system:masters'] },
      subresource: 'status',
      fieldManager: 'kube-apiserver',
      dryRun: false,
      warnings: [],
      annotations: {},
      signal,
    }
  }

  #condition(type: string, status: string, reason: string, message: string): DefinitionCondition {
    return { type, status, lastTransitionTime: this.#options.rest.now(), reason, message }
  }
}

function withoutEmpty({ plural, singular, shortNames, kind, listKind, categories }: DefinitionNames): JsonObject {
  return {
    plural,
    ...(singular === '' ? {} : { singular }),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    kind,
    ...(listKind === '' ? {} : { listKind }),
    ...(categories.length === 0 ? {} : { categories }),
  }
}
