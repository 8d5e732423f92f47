import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { trackUpdate } from '#shared/kubernetes/apply/fieldManager.ts'
import { inFieldOrder, keepEmptied } from '#shared/kubernetes/codec/canonical.ts'
import { isTyped } from '#shared/kubernetes/customresource/typedErrors.ts'
import { deepCopy, deepEqual } from '#shared/kubernetes/json.ts'
import { groupVersion, type KubeObject, type ManagedFieldsEntry } from '#shared/kubernetes/object.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import type { FieldError } from '#shared/kubernetes/validation/fieldError.ts'
import { invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import type { Admission } from '../admission/admission.ts'
import type { Entry } from '../storage/entry.ts'
import type { Store } from '../storage/store.ts'
import type { ApiResource, ApiResources } from './apiResources.ts'
import { asIfStored, fromStorage, prepareToRead, storedBytes, toStored } from './conversion.ts'
import { mergeContext } from './mergeContext.ts'
import { alreadyExists, badRequest, conflict, modified, notFound } from './failures.ts'
import { generateName, newUid } from './names.ts'
import { createErrors, updateErrors } from './objectErrors.ts'
import { asRead, complete, inForm } from './objectForm.ts'
import { trackScaledReplicas } from './scaledReplicas.ts'
import { dropDisabledFields } from './disabledFields.ts'
import { allowsUnconditionalUpdate, invalidTarget, prepareForCreate, prepareForStatusUpdate, prepareForUpdate, ttlSeconds } from './strategy.ts'

/** Who writes, how, and what it was told on the way. */
export interface WriteContext {
  user: UserInfo
  /** '' for the main resource. */
  subresource: string
  fieldManager: string
  dryRun: boolean
  /** `Warning` headers of the answer. */
  warnings: string[]
  /** The API server's own objects are not validated: its endpoint may well be on the loopback, which nobody else's may. */
  unchecked?: boolean
  /** Of the audit event. */
  annotations: Record<string, string>
  signal: AbortSignal
}

/** What validation finds; the rules live elsewhere. */
export interface Validation {
  create(object: KubeObject, resource: ApiResource): FieldError[]
  update(before: KubeObject, after: KubeObject, resource: ApiResource, subresource: string): FieldError[]
}

export interface RestStoreOptions {
  store: Store
  admission: Admission
  validation: Validation
  clock: Clock
  random: Random
  logger: Logger
}

export interface UpdateOptions {
  /** True when `mutate` may be called again with a newer object after somebody else wrote. */
  retry: boolean
  /** The update already carries its managedFields (server-side apply). */
  managed?: boolean
  /** What `mutate` returns is in canonical form already. */
  canonical?: boolean
  /** `mutate` does not look at the current object, and need not get a copy of it. */
  replaces?: boolean
  /** `mutate` changes nothing in the object it is given, and returns one that has in common with it all that stays; what it sets is in canonical form. */
  shares?: boolean
  preconditions?: { uid?: string | undefined; resourceVersion?: string | undefined }
}

const NAME_ATTEMPTS = 8
const UPDATE_ATTEMPTS = 20

/** Reads and writes the objects of one resource as upstream's generic registry does; objects in and out are in the request's version. */
export class RestStore {
  readonly store: Store
  readonly #options: RestStoreOptions

  constructor(options: RestStoreOptions) {
    this.store = options.store
    this.#options = options
  }

  keyOf(resource: ApiResource, namespace: string, name: string): string {
    return `${this.prefixOf(resource, namespace)}${name}`
  }

  /** The prefix of all keys of a collection, ending in `/`. */
  prefixOf(resource: ApiResource, namespace: string): string {
    return `/registry/${resource.storagePrefix ?? ''}/${namespace === '' ? '' : `${namespace}/`}`
  }

  /** @throws StatusError NotFound */
  entry(resource: ApiResource, namespace: string, name: string): Entry {
    const entry = this.find(resource, namespace, name)
    if (entry === undefined) throw notFound(resource, name)
    return entry
  }

  find(resource: ApiResource, namespace: string, name: string): Entry | undefined {
    return this.store.collection(resource.storagePrefix ?? '').get(this.keyOf(resource, namespace, name))
  }

  /** @throws StatusError NotFound */
  get(resource: ApiResource, namespace: string, name: string): KubeObject {
    return fromStorage(this.entry(resource, namespace, name).object, resource)
  }

  /** @param options.canonical the object is in canonical form already, and is changed here */
  async create(
    resource: ApiResource,
    namespace: string,
    sent: KubeObject,
    context: WriteContext,
    options: { managed?: boolean; canonical?: boolean } = {},
  ): Promise<KubeObject> {
    const generated = (sent.metadata.name ?? '') === '' && (sent.metadata.generateName ?? '') !== ''
    for (let attempt = 1; ; attempt++) {
      const object = options.canonical === true && !generated ? sent : deepCopy(sent)
      if (generated) object.metadata.name = generateName(sent.metadata.generateName ?? '', this.#options.random)
      try {
        return await this.#create(resource, namespace, object, context, options)
      } catch (error) {
        const taken = error instanceof StatusError && error.reason === 'AlreadyExists'
        if (!generated || !taken || attempt >= NAME_ATTEMPTS) throw error
      }
    }
  }

  async #create(
    resource: ApiResource,
    namespace: string,
    sent: KubeObject,
    context: WriteContext,
    { managed, canonical }: { managed?: boolean; canonical?: boolean },
  ): Promise<KubeObject> {
    const { admission, validation, random } = this.#options
    let object = sent
    const { metadata } = object
    if ((metadata.resourceVersion ?? '') !== '')
      throw new StatusError({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'resourceVersion should not be set on objects to be created',
        code: 500,
      })
    if (resource.namespaced) {
      if ((metadata.namespace ?? '') === '') metadata.namespace = namespace
      else if (metadata.namespace !== namespace) throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
    } else delete metadata.namespace
    for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'selfLink', 'resourceVersion'] as const)
      Reflect.deleteProperty(metadata, field)
    // Told before anything is allocated for it.
    const taken = metadata.name === undefined || resource.custom !== undefined ? undefined : this.find(resource, namespace, metadata.name)
    if (taken !== undefined) throw alreadyExists(resource, metadata.name ?? '', taken.object.metadata.deletionTimestamp !== undefined)
    metadata.uid = newUid(random)
    metadata.creationTimestamp = this.now()
    object = complete(canonical === true ? object : inForm(object, resource), resource)
    withoutRepeatedOwners(object, context)
    // Who owns what is settled before admission and the strategies: what those add belongs to nobody.
    if (managed !== true) setManagers(object, this.#track(null, object, resource, context))
    await admission.admit({ operation: 'CREATE', resource, namespace, name: '', object, old: null, context })
    prepareForCreate(object, resource, context.user)
    dropDisabledFields(object, null, resource)
    const tracked = inForm(object, resource)
    const errors = context.unchecked === true ? [] : createErrors(validation, tracked, resource, context)
    if (errors.length > 0) throw new StatusError(invalidStatus(invalidTarget(resource, object.metadata.name ?? ''), errors))
    const release = admission.allocate({ operation: 'CREATE', resource, namespace, name: '', object: tracked, old: null, context })
    try {
      return await this.#insert(resource, namespace, tracked, context)
    } finally {
      release()
    }
  }

  async #insert(resource: ApiResource, namespace: string, validated: KubeObject, context: WriteContext): Promise<KubeObject> {
    await this.#options.admission.validate({ operation: 'CREATE', resource, namespace, name: '', object: validated, old: null, context })
    const name = validated.metadata.name ?? ''
    // A status that was reset gets its first phase.
    const tracked = complete(asRead(validated, resource), resource)
    if (context.dryRun) {
      const taken = this.find(resource, namespace, name)
      if (taken !== undefined) throw alreadyExists(resource, name, taken.object.metadata.deletionTimestamp !== undefined)
      return asIfStored(tracked, resource)
    }
    const stored = await toStored(tracked, resource, context.signal)
    const ttl = ttlSeconds(resource)
    const entry = await this.store.create(this.keyOf(resource, namespace, name), stored, storedBytes(stored, resource, null), {
      signal: context.signal,
      ...(ttl === undefined ? {} : { ttlSeconds: ttl }),
    })
    if (entry === null) throw alreadyExists(resource, name, this.find(resource, namespace, name)?.object.metadata.deletionTimestamp !== undefined)
    await prepareToRead([entry.object], resource, context.signal)
    return fromStorage(entry.object, resource)
  }

  /**
   * Reads, changes and writes one object.
   *
   * @param mutate gets a copy of the current object and returns what it should be
   * @throws StatusError NotFound, Conflict, Invalid
   */
  async update(
    resource: ApiResource,
    namespace: string,
    name: string,
    mutate: (current: KubeObject) => KubeObject | Promise<KubeObject>,
    options: UpdateOptions,
    context: WriteContext,
  ): Promise<KubeObject> {
    for (let attempt = 1; ; attempt++) {
      const entry = this.entry(resource, namespace, name)
      const outcome = await this.#updateOnce(entry, resource, namespace, mutate, options, context)
      if (outcome !== null) return outcome
      if (!options.retry || attempt >= UPDATE_ATTEMPTS) throw modified(resource, name)
    }
  }

  /** @returns null when somebody else wrote in between */
  async #updateOnce(
    entry: Entry,
    resource: ApiResource,
    namespace: string,
    mutate: (current: KubeObject) => KubeObject | Promise<KubeObject>,
    options: UpdateOptions,
    context: WriteContext,
  ): Promise<KubeObject | null> {
    const { admission, validation } = this.#options
    await prepareToRead([entry.object], resource, context.signal)
    const before = fromStorage(entry.object, resource)
    const name = before.metadata.name ?? ''
    this.#checkPreconditions(options.preconditions, before, entry.key, resource)
    const shares = options.shares === true && resource.custom === undefined
    const mutated = await mutate(options.replaces === true || shares ? before : deepCopy(before))
    this.#checkVersion(mutated, before, resource, context)
    let after = shares ? { ...mutated } : complete(options.canonical === true ? mutated : inForm(mutated, resource), resource)
    after.metadata = { ...after.metadata }
    withoutRepeatedOwners(after, context)
    if (options.managed !== true) setManagers(after, this.#track(before, after, resource, context))
    await admission.admit({ operation: 'UPDATE', resource, namespace, name, object: after, old: before, context })
    after.metadata = keepSystemFields(after, before, resource.namespaced)
    const statusOnly = context.subresource === 'status' || context.subresource === 'approval'
    if (statusOnly) after = keepEmptied(prepareForStatusUpdate(after, before, resource, context.subresource, this.now()), after, 'status')
    else if (context.subresource === 'finalize') after = { ...before, spec: after['spec'] }
    else if (context.subresource !== 'binding') {
      prepareForUpdate(after, before, resource)
      dropDisabledFields(after, before, resource)
    }
    // Admission gives an object that it changes other parts.
    const isAsShared = shares && after['spec'] === mutated['spec'] && after['status'] === mutated['status']
    const tracked = isAsShared ? inFieldOrder(after, resource.struct) : inForm(after, resource)
    const errors = context.unchecked === true ? [] : updateErrors(validation, before, tracked, resource, context)
    if (errors.length > 0) throw new StatusError(invalidStatus(invalidTarget(resource, name), errors))
    const release = admission.allocate({ operation: 'UPDATE', resource, namespace, name, object: tracked, old: before, context })
    try {
      await admission.validate({ operation: 'UPDATE', resource, namespace, name, object: tracked, old: before, context })
      return await this.#replace(entry, before, tracked, resource, context)
    } finally {
      release()
    }
  }

  /** @returns null when somebody else wrote in between */
  async #replace(entry: Entry, before: KubeObject, validated: KubeObject, resource: ApiResource, context: WriteContext): Promise<KubeObject | null> {
    const tracked = asRead(validated, resource)
    if (tracked.metadata.deletionTimestamp !== undefined && (tracked.metadata.finalizers ?? []).length === 0 && canBeRemoved(tracked)) {
      if (context.dryRun) return tracked
      return (await this.store.remove(entry, context.signal)) === null ? null : tracked
    }
    if (sameObject(before, tracked) && !this.store.isStale(entry.key)) return before
    if (context.dryRun) return asIfStored(tracked, resource)
    const stored = await toStored(tracked, resource, context.signal)
    const written = await this.store.update(entry, stored, storedBytes(stored, resource, entry), context.signal)
    if (written === null) return null
    await prepareToRead([written.object], resource, context.signal)
    return fromStorage(written.object, resource)
  }

  /** Writes objects the API server itself owns, as they should be now. */
  async replaceOwn(resources: ApiResources, objects: readonly KubeObject[], own: WriteContext): Promise<void> {
    const context: WriteContext = { ...own, unchecked: true }
    for (const object of objects) {
      const resource = resources.list.find((each) => groupVersion(each) === object.apiVersion && each.kind === object.kind)
      if (resource === undefined) continue
      const { namespace = '', name = '' } = object.metadata
      if (this.find(resource, namespace, name) === undefined) await this.create(resource, namespace, object, context)
      else
        await this.update(
          resource,
          namespace,
          name,
          (live) => ({ ...live, ...object, metadata: { ...live.metadata, ...object.metadata } }),
          { retry: true },
          context,
        )
    }
  }

  /** Removes without any grace. @returns false when it was written meanwhile */
  async removeNow(entry: Entry, context: Pick<WriteContext, 'dryRun' | 'signal'>): Promise<boolean> {
    return context.dryRun || (await this.store.remove(entry, context.signal)) !== null
  }

  /** metav1.Time of now. */
  now(): string {
    return `${new Date(this.#options.clock.now()).toISOString().slice(0, 19)}Z`
  }

  nowMs(): number {
    return this.#options.clock.now()
  }

  /** Who owns what of an object about to be written; nobody anything when a custom resource is not of its schema's shape. */
  #track(before: KubeObject | null, after: KubeObject, resource: ApiResource, context: WriteContext): ManagedFieldsEntry[] {
    const writer = { manager: context.fieldManager, apiVersion: groupVersion(resource), subresource: context.subresource, now: this.now() }
    if (context.subresource === 'scale' && before !== null) return trackScaledReplicas(before, after, resource, writer)
    const { schema } = resource.custom ?? {}
    if (schema !== undefined && [before, after].some((each) => each !== null && !isTyped(each, schema))) return []
    return trackUpdate(before, after, writer, mergeContext(resource, context.subresource)).metadata.managedFields ?? []
  }

  #checkPreconditions(preconditions: UpdateOptions['preconditions'], before: KubeObject, key: string, resource: ApiResource): void {
    const uid = preconditions?.uid
    if (uid !== undefined && uid !== '' && uid !== before.metadata.uid)
      throw conflict(
        resource,
        before.metadata.name ?? '',
        `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid ?? ''}`,
      )
    const version = preconditions?.resourceVersion
    if (version !== undefined && version !== '' && version !== before.metadata.resourceVersion) throw modified(resource, before.metadata.name ?? '')
  }

  #checkVersion(after: KubeObject, before: KubeObject, resource: ApiResource, context: WriteContext): void {
    const version = after.metadata.resourceVersion ?? ''
    const name = before.metadata.name ?? ''
    if (version === '' || version === '0') {
      if (allowsUnconditionalUpdate(resource) || context.subresource === 'status') return
      throw new StatusError(
        // The plural stands where others name the kind, as in upstream.
        invalidStatus({ group: resource.group, kind: resource.plural, name }, [
          { type: 'Invalid', field: 'metadata.resourceVersion', value: resource.custom === undefined ? '0x0' : '0', detail: 'must be specified for an update' },
        ]),
      )
    }
    if (version !== before.metadata.resourceVersion) throw modified(resource, name)
  }
}

function setManagers({ metadata }: KubeObject, entries: ManagedFieldsEntry[]): void {
  if (entries.length === 0) delete metadata.managedFields
  else metadata.managedFields = entries
}

/** Drops owner references that are there more than once, with upstream's warning. @see apiserver handlers/rest.go dedupOwnerReferences */
function withoutRepeatedOwners({ metadata }: KubeObject, { warnings }: WriteContext): void {
  const owners = metadata.ownerReferences ?? []
  const kept = owners.filter((owner, index) => owners.findIndex((each) => deepEqual(each, owner)) === index)
  if (kept.length === owners.length) return
  const repeated = new Set(owners.filter((owner) => !kept.includes(owner)).map(({ uid }) => uid))
  metadata.ownerReferences = kept
  const warning = `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...repeated].join(', ')}`
  if (!warnings.includes(warning)) warnings.push(warning)
}

/** Metadata that an update cannot change; what it tries to change of the rest, validation tells. */
function keepSystemFields(after: KubeObject, before: KubeObject, namespaced: boolean): KubeObject['metadata'] {
  const metadata = { ...after.metadata }
  const keep = (field: 'uid' | 'creationTimestamp' | 'deletionTimestamp' | 'deletionGracePeriodSeconds' | 'resourceVersion' | 'generation'): void => {
    const value = before.metadata[field]
    if (value === undefined) Reflect.deleteProperty(metadata, field)
    else Object.assign(metadata, { [field]: value })
  }
  if ((metadata.uid ?? '') === '') keep('uid')
  keep('creationTimestamp')
  keep('resourceVersion')
  keep('generation')
  if (before.metadata.deletionTimestamp !== undefined) keep('deletionTimestamp')
  if (metadata.deletionGracePeriodSeconds === undefined) keep('deletionGracePeriodSeconds')
  if (!namespaced) delete metadata.namespace
  else if ((metadata.namespace ?? '') === '' && before.metadata.namespace !== undefined) metadata.namespace = before.metadata.namespace
  delete metadata.selfLink
  return metadata
}

/** Namespaces go when their content has gone, which /finalize tells; pods and the rest when no grace is left. */
function canBeRemoved(object: KubeObject): boolean {
  const finalizers = object.kind === 'Namespace' ? (object['spec'] as { finalizers?: string[] } | undefined)?.finalizers : undefined
  return (finalizers ?? []).length === 0 && (object.metadata.deletionGracePeriodSeconds ?? 0) === 0
}

/** Equal but for the times of managers that own what they owned before. */
function sameObject(before: KubeObject, after: KubeObject): boolean {
  const strip = ({ metadata: { managedFields: _, ...metadata }, ...rest }: KubeObject): unknown => ({ ...rest, metadata })
  const owners = ({ metadata }: KubeObject): unknown => (metadata.managedFields ?? []).map(({ time: _, ...entry }) => entry)
  return deepEqual(strip(before), strip(after)) && deepEqual(owners(before), owners(after))
}
