import { randomUUID } from 'node:crypto'
import type { Definition } from '#shared/kubernetes/customresource/definition.ts'
import { deepCopy, isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import { fieldErrorBody, type FieldError } from '#shared/kubernetes/validation/fieldError.ts'
import { annotationErrors, labelErrors } from '#shared/kubernetes/validation/metadata.ts'

/** Posts JSON to a webhook's `clientConfig` over TLS. */
export interface WebhookCaller {
  /** @throws Error that says where it was sent and what failed */
  post(config: JsonObject, body: JsonObject, options: { timeoutSeconds: number; tellsTimeout: boolean; signal: AbortSignal }): Promise<unknown>
}

/** As upstream, which has no setting for it. */
const TIMEOUT_SECONDS = 30
const GROUP = 'apiextensions.k8s.io'
const KNOWN_REVIEWS = ['v1', 'v1beta1']

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** How Go names a JSON value's type. */
function goType(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'object') return 'map[string]interface {}'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return typeof value === 'boolean' ? 'bool' : 'string'
}

/**
 * Converts custom resources from one version to another by the webhook that their definition names: a ConversionReview goes there, and
 * what comes back is taken but for the metadata, of which only labels and annotations may change.
 */
export class WebhookConverter {
  readonly #definition: Definition
  readonly #caller: WebhookCaller

  constructor(definition: Definition, caller: WebhookCaller) {
    this.#definition = definition
    this.#caller = caller
  }

  /** Whether objects are converted by a webhook. */
  static isNamedBy({ conversion }: Definition): boolean {
    return conversion?.['strategy'] === 'Webhook'
  }

  /**
   * @param objects of one kind, in any of its versions
   * @returns them in `apiVersion`, in the same order
   * @throws StatusError 500 in upstream's words when the webhook cannot be asked or answers what no conversion may
   */
  async convert(objects: readonly KubeObject[], apiVersion: string, signal: AbortSignal): Promise<KubeObject[]> {
    const asked = objects.filter((each) => each.apiVersion !== apiVersion)
    const [first] = asked
    if (first === undefined) return [...objects]
    const failed = `conversion webhook for ${String(first.apiVersion)}, Kind=${String(first.kind)}`
    const converted = await this.#ask(asked, { apiVersion, failed, signal })
    if (converted.length !== asked.length) throw internal(`${failed} returned ${String(converted.length)} objects, expected ${String(asked.length)}`)
    const checked = converted.map((answer, index) => {
      const original = asked[index] ?? first
      const place = asked.length === 1 ? 'invalid object' : `invalid converted object at index ${String(index)}`
      return restored(original, answer, { apiVersion, failed, place })
    })
    let next = 0
    return objects.map((each) => (each.apiVersion === apiVersion ? each : (checked[next++] ?? each)))
  }

  async #ask(objects: KubeObject[], { apiVersion, failed, signal }: { apiVersion: string; failed: string; signal: AbortSignal }): Promise<unknown[]> {
    const webhook = objectAt(this.#definition.conversion?.['webhook'])
    const reviews = Array.isArray(webhook['conversionReviewVersions']) ? (webhook['conversionReviewVersions'] as unknown[]) : []
    const version = reviews.find((each) => typeof each === 'string' && KNOWN_REVIEWS.includes(each))
    if (typeof version !== 'string') throw internal('no supported conversion review versions')
    const uid = randomUUID()
    const review = { kind: 'ConversionReview', apiVersion: `${GROUP}/${version}`, request: { uid, desiredAPIVersion: apiVersion, objects } }
    try {
      const options = { timeoutSeconds: TIMEOUT_SECONDS, tellsTimeout: false, signal }
      return objectsOf(await this.#caller.post(objectAt(webhook['clientConfig']), review, options), { uid, version })
    } catch (error) {
      if (signal.aborted) throw error
      throw internal(`${failed} failed: ${error instanceof Error ? error.message : String(error)}`, error)
    }
  }
}

function internal(message: string, cause?: unknown): StatusError {
  return new StatusError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 }, { cause })
}

/** The converted objects of a review that was answered. @throws Error in upstream's words when they are not there */
function objectsOf(answer: unknown, { uid, version }: { uid: string; version: string }): unknown[] {
  const review = objectAt(answer)
  // Those of v1beta1 need not say what they are, nor what they answer.
  if (version === 'v1' && (review['apiVersion'] !== `${GROUP}/v1` || review['kind'] !== 'ConversionReview'))
    throw new Error(`expected webhook response of ${GROUP}/v1, Kind=ConversionReview, got ${text(review['apiVersion'])}, Kind=${text(review['kind'])}`)
  if (!isObject(review['response'])) throw new Error('no response provided')
  const { response } = review
  if (version === 'v1' && response['uid'] !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(text(response['uid']))}`)
  const result = objectAt(response['result'])
  if (result['status'] !== 'Success')
    throw new Error(text(result['message']) === '' ? `response.result.status was '${text(result['status'])}', not 'Success'` : text(result['message']))
  return Array.isArray(response['convertedObjects']) ? (response['convertedObjects'] as unknown[]) : []
}

interface Expected {
  apiVersion: string
  failed: string
  place: string
}

/** The converted object with the original's metadata. @throws StatusError when it is another object, or of another version or kind */
function restored(original: KubeObject, answer: unknown, { apiVersion, failed, place }: Expected): KubeObject {
  const converted = isObject(answer) ? deepCopy(answer) : {}
  if (converted['apiVersion'] !== apiVersion)
    throw internal(`${failed} returned ${place}: invalid groupVersion (expected ${apiVersion}, received ${text(converted['apiVersion'])})`)
  if (converted['kind'] !== original.kind)
    throw internal(`${failed} returned ${place}: invalid kind (expected ${String(original.kind)}, received ${text(converted['kind'])})`)
  if (!isObject(converted['metadata'])) {
    const what = 'metadata' in converted ? `invalid metadata of type ${goType(converted['metadata'])}` : 'missing metadata'
    throw internal(`${failed} returned invalid metadata: ${what} in converted object`)
  }
  const { metadata } = converted
  for (const [field, name] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [was, is] = [original.metadata[field] ?? '', text(metadata[field])]
    if (was !== is) throw internal(`${failed} returned ${place}: must have the same ${name}: ${was} != ${is}`)
  }
  const fault = metadataFault(original, metadata)
  if (fault !== null) throw internal(`${failed} returned invalid metadata: ${fault}`)
  const { labels: _, annotations: __, ...kept } = deepCopy(original.metadata)
  const own = Object.fromEntries(['labels', 'annotations'].filter((field) => isObject(metadata[field])).map((field) => [field, metadata[field]]))
  return { ...converted, apiVersion, kind: original.kind, metadata: { ...kept, ...own } } as KubeObject
}

/** What is wrong with the labels and annotations that came back; what was wrong before may stay. */
function metadataFault(original: KubeObject, metadata: JsonObject): string | null {
  for (const field of ['labels', 'annotations'] as const) {
    const value = metadata[field]
    if (value === undefined || value === null) continue
    if (!isObject(value)) return `invalid metadata.${field} of type ${goType(value)} in converted object`
    const before: Readonly<Record<string, string>> = original.metadata[field] ?? {}
    for (const [key, each] of Object.entries(value))
      if (typeof each !== 'string') return `metadata.${field}[${key}] must be a string, but is ${goType(each)} in converted object`
    const same = Object.keys(before).length === Object.keys(value).length && Object.entries(value).every(([key, each]) => before[key] === each)
    if (same) continue
    const errors: FieldError[] = [...(field === 'labels' ? labelErrors(value, 'metadata.labels') : annotationErrors(value, 'metadata.annotations'))]
    const texts = errors.map((error) => `${error.field}: ${fieldErrorBody(error)}`)
    if (texts.length > 0) return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
  }
  return null
}
