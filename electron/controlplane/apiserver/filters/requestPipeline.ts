import type { RequestAttributes } from '../authorization/attributes.ts'
import type { AuditedRequest, Auditor } from '../audit/auditor.ts'
import type { ApiServerMetrics } from '../metrics/apiServerMetrics.ts'
import type { ApiResource, ApiResources } from '../registry/apiResources.ts'
import type { ApiRequest, ApiResponse } from '../request/apiRequest.ts'
import { textResponse } from '../request/apiRequest.ts'
import { parseRequestPath, verbOf, type RequestInfo } from '../request/requestInfo.ts'
import { newRequestRecord } from '../request/requestRecord.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { InflightLimits } from './inflightLimits.ts'

/** What answers requests: whole, or up to a step. */
export interface RequestHandler {
  /** Never throws. */
  handle(request: ApiRequest): Promise<ApiResponse>
  /** The answer to a failure. */
  failed(error: unknown, request: Pick<ApiRequest, 'path' | 'method'> & { signal?: AbortSignal }): ApiResponse
}

export interface RequestPipelineOptions {
  handler: RequestHandler
  metrics: ApiServerMetrics
  limits: InflightLimits
  auditor: Auditor | null
  resources: () => ApiResources
  /** Milliseconds that only go on. */
  monotonicMs: () => number
}

const APPLY_PATCH = 'application/apply-patch+yaml'

/** Types of answers that metrics of releases before 1.21 tell apart. */
const CONTENT_TYPES = new Set([
  APPLY_PATCH,
  'application/json',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/vnd.kubernetes.protobuf',
  'application/vnd.kubernetes.protobuf;stream=watch',
  'application/yaml',
  'text/plain',
  'text/plain;charset=utf-8',
])

function knownContentType(type = ''): string {
  const normalized = type.toLowerCase().replaceAll(' ', '')
  return CONTENT_TYPES.has(normalized) ? normalized : 'other'
}

const LONG_RUNNING_SUBRESOURCES = new Set(['attach', 'exec', 'proxy', 'log', 'portforward'])

/** Requests that last as long as the client likes. */
export function isLongRunning(verb: string, info: RequestInfo): boolean {
  return info.isResource && (verb === 'watch' || LONG_RUNNING_SUBRESOURCES.has(info.subresource))
}

/** What stands around every request that was authenticated: the audit log, limits, metrics. */
export class RequestPipeline implements RequestHandler {
  readonly #options: RequestPipelineOptions

  constructor(options: RequestPipelineOptions) {
    this.#options = options
  }

  failed(error: unknown, request: Pick<ApiRequest, 'path' | 'method'> & { signal?: AbortSignal }): ApiResponse {
    return this.#options.handler.failed(error, request)
  }

  async handle(asked: ApiRequest): Promise<ApiResponse> {
    const { auditor, metrics, monotonicMs } = this.#options
    const started = monotonicMs()
    const info = parseRequestPath(asked.path)
    const verb = verbOf(asked.method, info, asked.query)
    const record = asked.record ?? newRequestRecord(uriOf(asked), [])
    const request = { ...asked, record }
    const audited = auditor?.begin(request, record, attributesOf(request, verb, info)) ?? null
    const longRunning = isLongRunning(verb, info)
    const labels = this.#labels(verb, info, request)
    // Of the release that the request came to, where another is served when it ends.
    const running = longRunning ? metrics.now.longRunning.series(labels.place) : null
    if (running !== null) running.value += 1
    const response = await this.#limited(request, verb, longRunning, labels.place)
    if (longRunning && response.status < 400) audited?.stage('ResponseStarted', response)
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      if (running !== null) running.value -= 1
      else {
        metrics.now.durations.observe(labels.request, (monotonicMs() - started) / 1000)
        if (verb === 'get' || verb === 'list') metrics.now.responseSizes.observe(labels.place, response.joined?.byteLength ?? response.body.length)
      }
      metrics.now.requests.add([...labels.request, knownContentType(response.headers['content-type']), String(response.status)])
      audited?.stage('ResponseComplete', response)
    }
    const answered = withAuditId(response, audited)
    if (response.stream === undefined && response.events === undefined && response.upgrade === undefined) {
      end()
      return answered
    }
    return { ...answered, ended: end }
  }

  async #limited(request: ApiRequest, verb: string, longRunning: boolean, place: readonly string[]): Promise<ApiResponse> {
    const { handler, limits, metrics } = this.#options
    if (longRunning) return handler.handle(request)
    let leave: () => void
    try {
      leave = limits.enter(verb, request.user)
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      metrics.now.terminations.add([...place, String(error.code)])
      // Upstream says it in plain text.
      const refusal = textResponse(error.code, `${error.message}\n`)
      return { ...refusal, headers: { ...refusal.headers, 'retry-after': String(error.status.details?.retryAfterSeconds ?? 1) } }
    }
    try {
      return await handler.handle(request)
    } finally {
      leave()
    }
  }

  /** Only names that are served become labels, or anybody could fill the memory with series. */
  #labels(verb: string, info: RequestInfo, { method, path, query, headers }: ApiRequest): { request: string[]; place: string[] } {
    const { metrics, resources } = this.#options
    const resource = info.isResource ? resources().find(info.group, info.version, info.resource) : undefined
    const { group = '', version = '', plural = '' } = resource ?? {}
    const named = info.isResource && resource !== undefined
    const subresource = named && resource.subresources.includes(info.subresource) ? info.subresource : !info.isResource && isHealthPath(path) ? path : ''
    const scope = !named ? '' : info.name !== '' || verb === 'create' ? 'resource' : info.namespace !== '' ? 'namespace' : 'cluster'
    const shown = headers['content-type'] === APPLY_PATCH && method === 'PATCH' ? 'APPLY' : metricVerb(verb, method, info)
    if (resource !== undefined) markDeprecated(metrics, resource, subresource)
    const dryRun = query.getAll('dryRun').includes('All') ? 'All' : ''
    const place = [group, version, plural, subresource, scope, 'apiserver']
    return { request: [shown, dryRun, ...place], place: [shown, ...place] }
  }
}

function markDeprecated(metrics: ApiServerMetrics, { group, version, plural, lifetime }: ApiResource, subresource: string): void {
  const [, last] = lifetime
  if (last === null) return
  metrics.now.deprecated.set([group, plural, subresource, version, `1.${String(last + 1)}`], 1)
}

const isHealthPath = (path: string): boolean => path === '/healthz' || path === '/livez' || path === '/readyz' || path === '/metrics'

function metricVerb(verb: string, method: string, info: RequestInfo): string {
  if (!info.isResource) return method
  if (LONG_RUNNING_SUBRESOURCES.has(info.subresource) && info.subresource !== 'log') return 'CONNECT'
  switch (verb) {
    case 'list':
    case 'watch':
      return verb.toUpperCase()
    case 'deletecollection':
      return 'DELETECOLLECTION'
    default:
      return method
  }
}

export function attributesOf({ user }: Pick<ApiRequest, 'user'>, verb: string, info: RequestInfo): RequestAttributes {
  if (!info.isResource) return { user, verb, path: info.path }
  const { group, version, resource, subresource, namespace, name } = info
  return { user, verb, path: info.path, resource: { group, version, resource, subresource, namespace, name } }
}

function uriOf({ path, query }: ApiRequest): string {
  const text = query.toString()
  return text === '' ? path : `${path}?${text}`
}

function withAuditId(response: ApiResponse, audited: AuditedRequest | null): ApiResponse {
  return audited === null ? response : { ...response, headers: { ...response.headers, 'audit-id': audited.auditId } }
}
