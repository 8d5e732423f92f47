import { DecodeError } from '#shared/kubernetes/codec/protobufReader.ts'
import { Correlated } from '#shared/kubernetes/customresource/correlation.ts'
import { deprecationWarning, type Definition, type DefinitionVersion } from '#shared/kubernetes/customresource/definition.ts'
import { canonicalMetadata, coerceMetadata, embeddedErrors } from '#shared/kubernetes/customresource/embedded.ts'
import { listTypeErrors } from '#shared/kubernetes/customresource/listTypes.ts'
import { applySchemaDefaults, prune, pruneNulls } from '#shared/kubernetes/customresource/objectFields.ts'
import { RuleValidator } from '#shared/kubernetes/customresource/rules.ts'
import { propertyOf, type SchemaNode } from '#shared/kubernetes/customresource/schemaNode.ts'
import { schemaErrors } from '#shared/kubernetes/customresource/schemaValidation.ts'
import { scaleErrors } from '#shared/kubernetes/customresource/scale.ts'
import { finalizerWarnings } from '#shared/kubernetes/customresource/finalizers.ts'
import { deepCopy, deepEqual, isObject } from '#shared/kubernetes/json.ts'
import { parseGroupVersion, type KubeObject } from '#shared/kubernetes/object.ts'
import { customResourcePrinter } from '#shared/kubernetes/printers/table.ts'
import type { Printer } from '#shared/kubernetes/printers/column.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { FieldError } from '#shared/kubernetes/validation/fieldError.ts'
import { genericMetadataErrors, genericMetadataUpdateErrors } from '#shared/kubernetes/validation/metadata.ts'
import { pathSegmentName, subdomainName } from '#shared/kubernetes/validation/names.ts'
import { fieldErrorBody } from '#shared/kubernetes/validation/fieldError.ts'
import { invariant } from '#shared/base/invariant.ts'
import { storedJson } from '../storage/entry.ts'
import type { WebhookConverter } from './webhookConverter.ts'

/** Errors that say the object is not even of the schema's shape; rules are not run then. */
const BLOCKING: ReadonlySet<FieldError['type']> = new Set(['NotSupported', 'Required', 'TooLong', 'TooMany', 'TypeInvalid'])
const NOT_CHECKED: FieldError = {
  type: 'Invalid',
  field: '<nil>',
  value: 'null',
  detail: 'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
}

export interface Validated {
  errors: FieldError[]
  warnings: string[]
}

/**
 * One served version of a CustomResourceDefinition: how its objects are decoded, completed, validated, read from the store and
 * printed. Lives as long as the definition's spec and names stay as they are.
 */
export class CustomResource {
  readonly definition: Definition
  readonly version: DefinitionVersion
  readonly printer: Printer
  /** Aborts when the definition changes or goes: watches end then, as upstream's do. */
  readonly ended: AbortSignal
  readonly #webhook: WebhookConverter | null
  /** What the webhook made of stored objects, by their bytes. */
  readonly #converted = new WeakMap<Uint8Array, KubeObject>()
  readonly #rules: () => RuleValidator | null

  /** @param webhook converts between versions; null where nothing but the version's name changes */
  constructor(definition: Definition, version: DefinitionVersion, { ended, webhook }: { ended: AbortSignal; webhook: WebhookConverter | null }) {
    this.#webhook = webhook
    this.definition = definition
    this.version = version
    this.ended = ended
    this.printer = customResourcePrinter(version.columns)
    let rules: RuleValidator | null | undefined
    // Compiled when the first object is written: most versions are only read.
    this.#rules = () => (rules === undefined ? (rules = RuleValidator.of(version.schema, true)) : rules)
  }

  get schema(): SchemaNode | undefined {
    return this.version.schema
  }

  get warning(): string | null {
    return deprecationWarning(this.definition, this.version)
  }

  /** The object as upstream's decoder leaves it: unknown fields and nulls gone. @throws DecodeError */
  canonicalize(object: KubeObject): { object: KubeObject; unknown: string[] } {
    return this.#coerce(object, this.schema)
  }

  #coerce(sent: KubeObject, schema: SchemaNode | undefined): { object: KubeObject; unknown: string[] } {
    const { metadata, ...rest } = sent
    const unknown: string[] = []
    const meta = canonicalMetadata(metadata)
    unknown.push(...meta.unknown.map((field) => `metadata.${field}`))
    const object = deepCopy(rest) as unknown as KubeObject
    if (!this.definition.preserveUnknownFields) {
      const pruned: string[] = []
      prune(object, schema, { isResourceRoot: true, unknown: pruned })
      unknown.push(...pruned.sort())
      pruneNulls(object, schema)
    }
    const embedded: string[] = []
    const error = coerceMetadata(object, schema, { isResourceRoot: false, unknown: embedded })
    if (error !== null) throw new DecodeError(`${error.field}: ${fieldErrorBody(error)}`)
    unknown.push(...embedded.sort())
    const { apiVersion, kind, ...body } = object as KubeObject & { apiVersion: string; kind: string }
    return { object: { apiVersion, kind, ...body, metadata: meta.metadata } as KubeObject, unknown }
  }

  /** Fills in the schema's defaults, in place. */
  applyDefaults(object: KubeObject): void {
    applySchemaDefaults(object, this.schema)
  }

  /** Whether objects of other versions must be prepared before they can be read. */
  get isConvertedByWebhook(): boolean {
    return this.#webhook !== null
  }

  /** Has the webhook convert stored objects, so that they can be read as long as they are stored so. @throws StatusError 500 */
  async prepare(stored: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    if (this.#webhook === null) return
    const needed = stored.flatMap((object) => {
      const json = storedJson(object)
      return this.#isOwn(object) || json === undefined || this.#converted.has(json) ? [] : [{ json, object: this.#asStored(object).object }]
    })
    const converted = await this.#webhook.convert(
      needed.map(({ object }) => object),
      this.#apiVersion,
      signal,
    )
    for (const [index, { json }] of needed.entries()) {
      const object = converted[index]
      if (object !== undefined) this.#converted.set(json, this.convert(object))
    }
  }

  /**
   * A stored object as it is served: pruned and completed by the schema it was stored with, then in this version. Where a webhook
   * converts, it must have been prepared.
   */
  read(stored: KubeObject): KubeObject {
    if (this.#isOwn(stored) || this.#webhook === null) {
      const { object } = this.#asStored(stored)
      if (!this.#isOwn(stored)) return this.convert(object)
      return deepEqual(object, stored) ? stored : object
    }
    const converted = this.#converted.get(storedJson(stored) ?? new Uint8Array(0))
    invariant(converted !== undefined, `${this.definition.name} was read in ${this.version.name} before the webhook had converted it`)
    return converted
  }

  get #apiVersion(): string {
    return `${this.definition.group}/${this.version.name}`
  }

  #isOwn({ apiVersion = '' }: KubeObject): boolean {
    return parseGroupVersion(apiVersion).version === this.version.name
  }

  /** By the schema of the version that it is stored in. */
  #asStored(stored: KubeObject): { object: KubeObject } {
    const from = parseGroupVersion(stored.apiVersion ?? '').version
    const source = this.definition.versions.find(({ name }) => name === from)?.schema
    const { object } = this.#coerce(stored, source)
    applySchemaDefaults(object, source)
    return { object }
  }

  /** An object with this version's name, and without what this version lacks: all there is to conversion by the strategy None. */
  convert(object: KubeObject): KubeObject {
    return this.#coerce({ ...object, apiVersion: this.#apiVersion }, this.schema).object
  }

  /** The object as it is stored: in the definition's storage version. @throws StatusError 500 when its webhook fails */
  async toStored(object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    const storage = this.definition.versions.find((each) => each.storage)
    if (storage === undefined || storage.name === this.version.name || this.#webhook === null) return this.toStorage(object)
    const [converted = object] = await this.#webhook.convert([object], `${this.definition.group}/${storage.name}`, signal)
    return this.#coerce(converted, storage.schema).object
  }

  /** The same where no webhook converts. */
  toStorage(object: KubeObject): KubeObject {
    const storage = this.definition.versions.find((each) => each.storage)
    if (storage === undefined || storage.name === this.version.name) return object
    if (this.#webhook !== null)
      throw new StatusError(
        failure(
          500,
          'InternalError',
          `Internal error occurred: admission looks at ${this.definition.name} in the version of the request only, as a webhook converts its objects: name ${this.version.name} in the rules of the webhook or policy`,
        ),
      )
    return this.#coerce({ ...object, apiVersion: `${this.definition.group}/${storage.name}` }, storage.schema).object
  }

  validateCreate(object: KubeObject): Validated {
    const errors = [
      ...genericMetadataErrors(object, { namespaced: this.definition.namespaced, name: subdomainName }),
      ...schemaErrors(object, this.schema),
      ...scaleErrors(object, this.version.scale, { spec: true }),
      ...embeddedErrors(object, this.schema, { isResourceRoot: false }),
      ...listTypeErrors(object, this.schema),
    ]
    return this.#withRules(object, null, errors, null, finalizerWarnings([], object.metadata.finalizers ?? []))
  }

  validateUpdate(before: KubeObject, after: KubeObject, subresource: string): Validated {
    const correlated = new Correlated(after, before, this.schema)
    const status = subresource === 'status'
    // Upstream looks at the metadata three times: twice as of an update, once as of an object.
    const errors = [
      ...genericMetadataUpdateErrors(after, before),
      ...genericMetadataUpdateErrors(after, before),
      ...genericMetadataErrors(after, { namespaced: this.definition.namespaced, name: pathSegmentName }),
    ]
    if (status) errors.push(...this.#statusErrors(before, after, correlated))
    else errors.push(...schemaErrors(after, this.schema, { correlated }))
    errors.push(...scaleErrors(after, this.version.scale, { spec: !status }))
    if (!status) errors.push(...embeddedErrors(after, this.schema, { isResourceRoot: false }))
    // What was no set before may stay none.
    if (listTypeErrors(before, this.schema).length === 0) errors.push(...listTypeErrors(after, this.schema))
    const warnings = status ? [] : finalizerWarnings(before.metadata.finalizers ?? [], after.metadata.finalizers ?? [])
    return this.#withRules(after, before, errors, correlated, warnings)
  }

  #statusErrors(before: KubeObject, after: KubeObject, correlated: Correlated): FieldError[] {
    const schema = this.schema === undefined ? undefined : propertyOf(this.schema, 'status')
    if (after['status'] === undefined || schema === undefined) return []
    return schemaErrors(after['status'], schema, {
      path: 'status',
      correlated: correlated.key('status') ?? new Correlated(after['status'], before['status'], schema),
    })
  }

  #withRules(object: KubeObject, before: KubeObject | null, errors: FieldError[], correlated: Correlated | null, warnings: string[]): Validated {
    const rules = this.#rules()
    const blocked = errors.some(({ type }) => BLOCKING.has(type))
    const run = rules === null || blocked ? { errors: rules === null ? [] : [NOT_CHECKED], warnings: [] } : rules.validate(object, before, { correlated })
    const all = [...errors, ...run.errors]
    // Of what is refused anyway only the rules' own warnings are told.
    return { errors: all, warnings: all.length > 0 ? run.warnings : [...run.warnings, ...warnings] }
  }

  /** Resets what the request may not set. */
  prepareForCreate(object: KubeObject): void {
    if (this.version.status) delete object['status']
    object.metadata.generation = 1
  }

  prepareForUpdate(after: KubeObject, before: KubeObject): void {
    if (this.version.status) {
      if (before['status'] === undefined) delete after['status']
      else after['status'] = before['status']
    }
    const { generation = 0 } = before.metadata
    after.metadata.generation = deepEqual(withoutMetadata(after), withoutMetadata(before)) ? generation : generation + 1
  }

  /** A write of `/status`: everything but the status stays as it was. */
  prepareForStatusUpdate(after: KubeObject, before: KubeObject): KubeObject {
    const { managedFields } = after.metadata
    const { managedFields: _, ...metadata } = before.metadata
    const kept: KubeObject = { ...before, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } }
    if (after['status'] === undefined) delete kept['status']
    else kept['status'] = after['status']
    return kept
  }
}

function withoutMetadata({ metadata: _, ...rest }: KubeObject): unknown {
  return isObject(rest) ? rest : {}
}
