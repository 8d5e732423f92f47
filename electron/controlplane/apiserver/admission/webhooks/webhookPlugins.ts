import type { Random } from '#shared/base/random.ts'
import type { Logger } from '#shared/base/logger.ts'
import { applyDefaults } from '#shared/kubernetes/defaults/defaults.ts'
import { deepEqual, isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { applyJsonPatch } from '#shared/kubernetes/patch/jsonPatch.ts'
import { failure, StatusError, type Status } from '#shared/kubernetes/status.ts'
import type { ApiServerMetrics } from '../../metrics/apiServerMetrics.ts'
import { badRequest } from '../../registry/failures.ts'
import type { ApiResources } from '../../registry/apiResources.ts'
import type { Store } from '../../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts'
import type { MatchConditions } from '../expressions/matchConditions.ts'
import { matchAdmission, type Match } from './admissionMatching.ts'
import { inRequestVersion, inVersion, newReview, readAnswer, type ReviewAnswer } from './admissionReview.ts'
import type { WebhookClient } from './webhookClient.ts'

export interface WebhooksOptions {
  store: Store
  resources: () => ApiResources
  client: WebhookClient
  conditions: MatchConditions
  random: Random
  metrics: ApiServerMetrics
  logger: Logger
}

const DEFAULT_TIMEOUT_SECONDS = 10
const MUTATING = 'mutatingwebhookconfigurations'
const VALIDATING = 'validatingwebhookconfigurations'

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** One webhook of a configuration that takes a request. */
interface Call {
  configuration: string
  hook: JsonObject
  match: Match
  index: number
}

/** A hook could not be asked, or answered nonsense: its failurePolicy says what that means. */
class CallFailure extends Error {
  override readonly name = 'CallFailure'
}

/** What mutating and validating webhooks have in common. */
class Hooks {
  readonly options: WebhooksOptions
  readonly #prefix: string

  constructor(options: WebhooksOptions, prefix: string) {
    this.options = options
    this.#prefix = prefix
  }

  /** In the order of the configurations' names. */
  matching(request: AdmissionRequest): Call[] {
    const { store, resources } = this.options
    const configurations = [...store.collection(this.#prefix).range(`/registry/${this.#prefix}/`)].map(({ object }) => object)
    return configurations.flatMap((configuration) =>
      objects(configuration['webhooks']).flatMap((hook, index): Call[] => {
        const match = matchAdmission(hook, { rules: hook['rules'] }, request, { store, resources: resources() })
        return match === null ? [] : [{ configuration: configuration.metadata.name ?? '', hook, match, index }]
      }),
    )
  }

  /** @returns null when the hook does not apply or failed and may be ignored; @throws StatusError */
  async ask(call: Call, request: AdmissionRequest, mutating: boolean): Promise<ReviewAnswer | null> {
    const { metrics, logger } = this.options
    const { hook } = call
    const name = text(hook['name'])
    const started = performance.now()
    let rejected = true
    const labels = [name, mutating ? 'admit' : 'validating', request.operation]
    try {
      if (!this.#conditionsHold(call, request)) {
        rejected = false
        return null
      }
      const answer = await this.#post(call, request, mutating)
      for (const [key, value] of Object.entries(answer.auditAnnotations)) request.context.annotations[`${name}/${key}`] = value
      request.context.warnings.push(...answer.warnings)
      if (!answer.allowed) {
        const status = deniedStatus(name, answer.status)
        metrics.now.webhookRejections.add([...labels, 'no_error', String(status.code ?? 400)])
        throw new StatusError(status)
      }
      rejected = false
      return answer
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error
      if (hook['failurePolicy'] === 'Ignore') {
        rejected = false
        logger.warn('calling a webhook failed; its policy lets the request through', { webhook: name, error: error.message })
        request.context.annotations[`failed-open.${mutating ? 'mutating' : 'validating'}.webhook.admission.k8s.io/round_0_index_${String(call.index)}`] = name
        return null
      }
      metrics.now.webhookRejections.add([...labels, 'calling_webhook_error', '0'])
      const message = `failed calling webhook ${JSON.stringify(name)}: ${error.message}`
      throw new StatusError(failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }), { cause: error })
    } finally {
      metrics.now.webhookDurations.observe([...labels, String(rejected)], (performance.now() - started) / 1000)
    }
  }

  #conditionsHold({ hook, match }: Call, request: AdmissionRequest): boolean {
    const outcome = this.options.conditions.evaluate(hook['matchConditions'], request, match)
    if (typeof outcome === 'boolean') return outcome
    throw new CallFailure(outcome.error)
  }

  async #post({ hook, match }: Call, request: AdmissionRequest, mutating: boolean): Promise<ReviewAnswer> {
    const { client, random } = this.options
    const name = text(hook['name'])
    if (request.context.dryRun && hook['sideEffects'] !== 'None' && hook['sideEffects'] !== 'NoneOnDryRun')
      throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`)
    const review = newReview(texts(hook['admissionReviewVersions']), request, match, random)
    if (review === null) throw new CallFailure('webhook does not accept known AdmissionReview versions (v1, v1beta1)')
    const timeoutSeconds = typeof hook['timeoutSeconds'] === 'number' ? hook['timeoutSeconds'] : DEFAULT_TIMEOUT_SECONDS
    try {
      const config = isObject(hook['clientConfig']) ? hook['clientConfig'] : {}
      return readAnswer(await client.post(config, review.body, { timeoutSeconds, signal: request.context.signal }), review, mutating)
    } catch (error) {
      request.context.signal.throwIfAborted()
      const why = error instanceof Error ? error.message : String(error)
      throw new CallFailure(why.startsWith('Post ') ? `failed to call webhook: ${why}` : why, { cause: error })
    }
  }
}

/** What a hook's refusal becomes; its own code and reason stay when they say failure. */
function deniedStatus(name: string, given: JsonObject | null): Status {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`
  const { message, reason, code } = given ?? {}
  const told = text(message) === '' ? text(reason) : text(message)
  return {
    ...(given ?? {}),
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: told === '' ? `${by} without explanation` : `${by}: ${told}`,
    code: typeof code === 'number' && code >= 400 ? code : 400,
  } as Status
}

/** Webhooks that may change what is written, one after the other; those that ask for it see what later ones changed. */
export class MutatingAdmissionWebhook implements AdmissionPlugin {
  readonly name = 'MutatingAdmissionWebhook'
  readonly #hooks: Hooks

  constructor(options: WebhooksOptions) {
    this.#hooks = new Hooks(options, MUTATING)
  }

  async admit(request: AdmissionRequest): Promise<void> {
    const called = new Map<string, number>()
    let changes = 0
    for (const [position, call] of this.#hooks.matching(request).entries()) {
      const changed = await this.#invoke(call, request, { round: 0, position })
      if (changed) changes++
      if (call.hook['reinvocationPolicy'] === 'IfNeeded') called.set(hookKey(call), changes)
    }
    // Whoever was called before the last change is called once more.
    for (const [position, call] of this.#hooks.matching(request).entries()) {
      const seen = called.get(hookKey(call))
      if (seen === undefined || seen >= changes) continue
      if (await this.#invoke(call, request, { round: 1, position })) changes++
    }
  }

  async #invoke(call: Call, request: AdmissionRequest, { round, position }: { round: number; position: number }): Promise<boolean> {
    const answer = await this.#hooks.ask(call, request, true)
    if (answer === null) return false
    const webhook = text(call.hook['name'])
    const key = `round_${String(round)}_index_${String(position)}`
    const changed = answer.patch === null ? false : this.#patch(call, request, answer.patch)
    const { configuration } = call
    request.context.annotations[`mutation.webhook.admission.k8s.io/${key}`] = JSON.stringify({ configuration, webhook, mutated: changed })
    if (changed)
      request.context.annotations[`patch.webhook.admission.k8s.io/${key}`] = JSON.stringify({
        configuration,
        webhook,
        patch: answer.patch,
        patchType: 'JSONPatch',
      })
    return changed
  }

  #patch({ hook, match }: Call, request: AdmissionRequest, patch: unknown): boolean {
    const broken = (why: string, cause?: unknown): StatusError =>
      new StatusError(failure(500, 'InternalError', `Internal error occurred: ${why}`, { causes: [{ message: why }] }), { cause })
    if (request.operation === 'DELETE')
      throw broken(`admission webhook ${JSON.stringify(text(hook['name']))} attempted to modify the object, which is not supported for this operation`)
    const before = inVersion(request.object, request, match)
    let after: unknown
    try {
      after = applyJsonPatch(before, patch)
    } catch (error) {
      throw broken(error instanceof Error ? error.message : String(error), error)
    }
    if (!isObject(after) || !isObject(after['metadata'])) throw broken('the patched object is no Kubernetes object')
    if (deepEqual(after, before)) return false
    replace(request.object, defaulted(inRequestVersion(after as KubeObject, request, match), request))
    return true
  }
}

/** What a hook adds gets its defaults too. */
function defaulted(object: KubeObject, { resource, kind }: AdmissionRequest): KubeObject {
  if (kind !== undefined) return object
  if (resource.custom === undefined) applyDefaults(object, resource.kubernetesMinor)
  else resource.custom.applyDefaults(object)
  return object
}

const hookKey = ({ configuration, hook }: Call): string => `${configuration}/${text(hook['name'])}`

/** Gives `target` the fields of `source`, in place: whoever admits holds on to the object. */
function replace(target: KubeObject, source: KubeObject): void {
  for (const field of Object.keys(target)) if (!Object.hasOwn(source, field)) Reflect.deleteProperty(target, field)
  Object.assign(target, source)
}

/** Webhooks that may only refuse, all asked at once. */
export class ValidatingAdmissionWebhook implements AdmissionPlugin {
  readonly name = 'ValidatingAdmissionWebhook'
  readonly #hooks: Hooks

  constructor(options: WebhooksOptions) {
    this.#hooks = new Hooks(options, VALIDATING)
  }

  async validate(request: AdmissionRequest): Promise<void> {
    const outcomes = await Promise.allSettled(this.#hooks.matching(request).map((call) => this.#hooks.ask(call, request, false)))
    // The first by order of configurations, whoever answered first.
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }
}
