import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { EncodeError } from '#shared/kubernetes/codec/messageEncoder.ts'
import { DecodeError } from '#shared/kubernetes/codec/protobufReader.ts'
import { deprecationOf } from '#shared/kubernetes/schema/deprecations.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { EtcdError } from '#shared/etcd/rpc.ts'
import type { Admission } from '../admission/admission.ts'
import type { Authenticator } from '../authentication/authenticator.ts'
import { readImpersonation } from '../authentication/impersonation.ts'
import type { BoundObjects, ServiceAccountTokens } from '../authentication/serviceAccountTokens.ts'
import { forbiddenMessage, type RequestAttributes } from '../authorization/attributes.ts'
import type { Authorizer } from '../authorization/authorizer.ts'
import type { ApiServerOptions, NodeConnection } from '../interface.ts'
import type { ApiServerMetrics } from '../metrics/apiServerMetrics.ts'
import type { ApiRequest, ApiResponse } from '../request/apiRequest.ts'
import { jsonResponse, textResponse } from '../request/apiRequest.ts'
import { asKubeObject, decodeBody } from '../request/body.ts'
import { negotiate } from '../request/mediaType.ts'
import { isTrue, parseRequestPath, verbOf } from '../request/requestInfo.ts'
import type { RequestRecord } from '../request/requestRecord.ts'
import { attributesOf } from '../filters/requestPipeline.ts'
import { health, healthPaths, type HealthCheck } from './health.ts'
import type { ApiResources } from '../registry/apiResources.ts'
import { badRequest, methodNotAllowed, noSuchResource, notFound } from '../registry/failures.ts'
import type { RestStore } from '../registry/restStore.ts'
import { discovery, versionInfo } from './discovery.ts'
import { encoded, list, objectResponse } from './listing.ts'
import { builtinPrinter, toTable } from '#shared/kubernetes/printers/table.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { metrics as usage } from './metricsApi.ts'
import { openApi } from './openApi.ts'
import { proxy } from './proxying.ts'
import { review } from './reviews.ts'
import { connectOptions, streamTarget, type StreamSubresource } from '../streaming/streamTarget.ts'
import { bind, evict, finalizeNamespace, logContainer, nodeOf, scale } from './subresources.ts'
import { issueToken } from './tokenRequest.ts'
import { watch } from './watching.ts'
import { create, decodeSent, get, patch, remove, removeCollection, update, writeContext, type ResourceTarget } from './writing.ts'

const CONNECT_OPTIONS: Readonly<Record<StreamSubresource, string>> = {
  exec: 'PodExecOptions',
  attach: 'PodAttachOptions',
  portforward: 'PodPortForwardOptions',
}

export interface ApiHandlerOptions {
  rest: RestStore
  admission: Admission
  authorizer: Authorizer
  authenticator: Authenticator
  tokens: ServiceAccountTokens
  bound: BoundObjects
  random: Random
  nodes: NodeConnection
  clock: Clock
  logger: Logger
  /** What is served now; both change with an upgrade. */
  served: () => { resources: ApiResources; kubernetesVersion: string }
  /** Aborts when what is served changes: watches end as they do when upstream's server is replaced. */
  watchesEnd: () => AbortSignal
  address: () => string
  readOnly: boolean
  healthChecks: readonly HealthCheck[]
  pages: NonNullable<ApiServerOptions['pages']>
  metrics: ApiServerMetrics
  /** The text of `/metrics`. */
  metricsText: (signal: AbortSignal) => Promise<string>
}

/** Releases since which a user's uid can be impersonated. */
const UID_SINCE = 22

const TOKEN_REQUEST = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }

const NAMED_VERBS = new Set(['get', 'update', 'patch', 'delete'])
const WRITES = new Set(['create', 'update', 'patch', 'delete', 'deletecollection'])
/** Posts that change nothing. */
const REVIEW_GROUPS = new Set(['authorization.k8s.io', 'authentication.k8s.io'])

/** From an authenticated request to its answer: impersonation, authorization, and the handler of what is asked. Never throws. */
export class ApiHandler {
  readonly #options: ApiHandlerOptions

  constructor(options: ApiHandlerOptions) {
    this.#options = options
  }

  async handle(request: ApiRequest): Promise<ApiResponse> {
    const warnings: string[] = []
    try {
      const acting = this.#impersonate(request)
      return 'status' in acting ? acting : await this.#handle({ ...acting, warnings })
    } catch (error) {
      return { ...this.failed(error, request), ...(warnings.length === 0 ? {} : { warnings }) }
    }
  }

  /** The answer to a failure. */
  failed(error: unknown, request: Pick<ApiRequest, 'path' | 'method'> & { signal?: AbortSignal }): ApiResponse {
    if (error instanceof StatusError) {
      const retry = error.status.details?.retryAfterSeconds
      return jsonResponse(error.code, error.status, retry === undefined ? {} : { 'retry-after': String(retry) })
    }
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof DecodeError || error instanceof EncodeError) return jsonResponse(400, failure(400, 'BadRequest', message))
    const fromEtcd = error instanceof EtcdError
    // Who asked has gone: that is no failure of this server.
    if (request.signal?.aborted !== true)
      this.#options.logger.error('request failed', {
        method: request.method,
        path: request.path,
        error: message,
        stack: fromEtcd ? undefined : error instanceof Error ? error.stack : undefined,
      })
    return jsonResponse(500, failure(500, 'InternalError', fromEtcd ? message : `Internal error occurred: ${message}`, { causes: [{ message }] }))
  }

  #impersonate(request: ApiRequest): ApiRequest | ApiResponse {
    const wanted = readImpersonation(request.headers, minorOf(this.#options.served().kubernetesVersion) >= UID_SINCE)
    if (wanted === null) return request
    if (typeof wanted === 'string') return textResponse(500, `Internal Server Error: ${JSON.stringify(request.record?.uri ?? request.path)}: ${wanted}\n`)
    for (const { group, resource, subresource, namespace, name } of wanted.attributes)
      this.#authorize({ user: request.user, verb: 'impersonate', path: '', resource: { group, version: 'v1', resource, subresource, namespace, name } })
    if (request.record !== undefined) request.record.impersonated = wanted.user
    return { ...request, user: wanted.user }
  }

  #authorize(attributes: RequestAttributes, record?: RequestRecord): void {
    const started = performance.now()
    const { allowed, denied, reason } = this.#options.authorizer.authorize(attributes)
    if (record !== undefined) {
      const { authorizationAttempts, authorizationDurations } = this.#options.metrics.now
      const result = [allowed ? 'allowed' : denied ? 'denied' : 'no-opinion']
      authorizationAttempts.add(result)
      authorizationDurations.observe(result, (performance.now() - started) / 1000)
      record.annotations['authorization.k8s.io/decision'] = allowed ? 'allow' : 'forbid'
      record.annotations['authorization.k8s.io/reason'] = reason
    }
    if (allowed) return
    const { resource } = attributes
    const details =
      resource === undefined
        ? {}
        : { ...(resource.name === '' ? {} : { name: resource.name }), ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.resource }
    throw new StatusError(failure(403, 'Forbidden', forbiddenMessage(attributes, reason), details))
  }

  async #handle(request: ApiRequest): Promise<ApiResponse> {
    const info = parseRequestPath(request.path)
    const verb = verbOf(request.method, info, request.query)
    this.#authorize(attributesOf(request, verb, info), request.record)
    if (!info.isResource) return this.#nonResource(request)
    const { resources } = this.#options.served()
    if (!resources.hasGroupVersion(info.group, info.version)) {
      // A group that is served answers for all of its paths.
      if (resources.hasBuiltinGroup(info.group)) throw noSuchResource()
      return textResponse(404, '404 page not found\n')
    }
    const resource = resources.find(info.group, info.version, info.resource)
    // Groups of definitions have no handler of their own to say what they lack.
    if (resource === undefined && resources.isCustomGroupVersion(info.group, info.version)) return textResponse(404, '404 page not found\n')
    if (resource === undefined) throw noSuchResource()
    if (info.subresource !== '' && !resource.subresources.includes(info.subresource))
      throw resource.custom === undefined ? noSuchResource() : notFound(resource, info.name)
    if (!resource.namespaced && info.namespace !== '' && info.resource !== 'namespaces') throw noSuchResource()
    if (this.#options.readOnly && WRITES.has(verb) && !REVIEW_GROUPS.has(info.group))
      throw new StatusError(failure(403, 'Forbidden', 'this cluster was opened read-only; nothing in it can be changed'))
    const target: ResourceTarget = { resource, namespace: resource.namespaced ? info.namespace : '', name: info.name, subresource: info.subresource }
    if (resource.namespaced && target.namespace === '' && (info.name !== '' || verb === 'create'))
      throw badRequest('an empty namespace may not be set during creation')
    const answer = await (info.subresource === '' ? this.#main(verb, target, request) : this.#subresource(verb, target, request))
    const deprecated = resource.custom === undefined ? deprecationOf(resource, minorOf(this.#options.served().kubernetesVersion)) : null
    return deprecated === null ? answer : { ...answer, warnings: [deprecated, ...(answer.warnings ?? [])] }
  }

  #main(verb: string, target: ResourceTarget, request: ApiRequest): Promise<ApiResponse> | ApiResponse {
    const { rest, admission, authorizer, authenticator, nodes, clock } = this.#options
    const { resource } = target
    const negotiated = negotiate(request.headers['accept'])
    const handling = { rest, admission }
    if (resource.group === 'metrics.k8s.io') return usage(nodes, rest.store, target, request, negotiated, clock.now())
    if (resource.plural === 'componentstatuses') return this.#componentStatuses(verb, target, request)
    if (resource.group === '' && resource.plural === 'bindings' && verb === 'create' && target.name === '') {
      const pods = this.#options.served().resources.find('', 'v1', 'pods')
      if (pods === undefined) throw noSuchResource()
      return bind(handling, { ...target, resource: pods, subresource: 'binding' }, request, negotiated)
    }
    // What is only created, such as a Binding or a review, has no path with a name.
    if (target.name !== '' && !resource.verbs.some((each) => NAMED_VERBS.has(each))) throw noSuchResource()
    if (resource.storagePrefix === null) {
      if (verb !== 'create') throw methodNotAllowed()
      const answer = review(decodeSent(request, resource, writeContext(request, '')), target, { user: request.user, authorizer, authenticator })
      if (answer === null) throw methodNotAllowed()
      return encoded(answer, negotiate(request.headers['accept'], { plain: true }), 201)
    }
    if (!resource.verbs.includes(verb)) throw methodNotAllowed()
    switch (verb) {
      case 'list':
        return list(rest, resource, target.namespace, request, negotiated)
      case 'watch':
        return watch(rest, resource, target, { ...request, signal: AbortSignal.any([request.signal, this.#options.watchesEnd()]) }, negotiated, {
          clock,
          instruments: this.#options.metrics.now,
        })
      case 'get':
        return get(handling, target, request, negotiated)
      case 'create':
        if (target.name !== '') throw methodNotAllowed()
        return create(handling, target, request, negotiated)
      case 'update':
        return update(handling, target, request, negotiated)
      case 'patch':
        return patch(handling, target, request, negotiated)
      case 'delete':
        return remove(handling, target, request, negotiated)
      case 'deletecollection':
        return removeCollection(handling, target, request, negotiated)
      default:
        throw methodNotAllowed()
    }
  }

  /** The components of one process: when this answers, they are there. etcd is asked. */
  async #componentStatuses(verb: string, { resource, name }: ResourceTarget, request: ApiRequest): Promise<ApiResponse> {
    if (verb !== 'get' && verb !== 'list') throw methodNotAllowed()
    const { rest } = this.#options
    await rest.store.fresh(request.signal)
    const negotiated = negotiate(request.headers['accept'])
    const items = ['controller-manager', 'etcd-0', 'scheduler'].map((component): KubeObject => ({
      apiVersion: 'v1',
      kind: 'ComponentStatus',
      metadata: { name: component },
      conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }],
    }))
    if (name === '') {
      const list = { apiVersion: 'v1', kind: 'ComponentStatusList', metadata: {}, items }
      return negotiated.as === 'Table'
        ? encoded(
            toTable(items, builtinPrinter(resource.kind), { includeObject: 'Metadata', version: negotiated.version, nowMs: rest.nowMs(), metadata: {} }),
            negotiated,
          )
        : encoded(list, negotiated)
    }
    const found = items.find(({ metadata }) => metadata.name === name)
    if (found === undefined) throw notFound(resource, name)
    return objectResponse(found, resource, rest.nowMs(), request.query, negotiated)
  }

  async #subresource(verb: string, target: ResourceTarget, request: ApiRequest): Promise<ApiResponse> {
    const { rest, admission } = this.#options
    const { resources } = this.#options.served()
    const negotiated =
      target.subresource === 'log' || target.subresource === 'proxy'
        ? { encoding: 'json' as const, as: '' as const, version: '' }
        : negotiate(request.headers['accept'])
    const handling = { rest, admission, resources }
    switch (target.subresource) {
      case 'scale':
        return scale(handling, target, request, negotiated)
      case 'binding':
        return bind(handling, target, request, negotiated)
      case 'eviction':
        return evict(handling, target, request, negotiated)
      case 'finalize':
        return finalizeNamespace(handling, target, request, negotiated)
      case 'log':
        return this.#log(target, request)
      case 'exec':
      case 'attach':
      case 'portforward':
        return this.#streaming(verb, target.subresource, target, request)
      case 'proxy':
        if (target.resource.plural === 'nodes') throw new StatusError(failure(501, '', 'the kubelets here have no HTTP interface of their own'))
        return proxy({ rest, nodes: this.#options.nodes }, target, request)
      case 'token': {
        if (verb !== 'create') throw methodNotAllowed()
        const tokenRequest = resources.byKind('authentication.k8s.io', 'TokenReview')
        if (tokenRequest === undefined) throw noSuchResource()
        const sent = asKubeObject(decodeBody(request.body, request.headers['content-type']).value)
        const { namespace, name } = target
        const object = { ...sent, apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' }
        const context = writeContext(request, 'token')
        const asked = { operation: 'CREATE' as const, resource: target.resource, namespace, name, object, old: null, kind: TOKEN_REQUEST, context }
        await admission.admit(asked)
        await admission.validate(asked)
        const { tokens, bound, random, served } = this.#options
        const { kubernetesVersion } = served()
        return encoded(
          issueToken(object, () => rest.get(target.resource, namespace, name), { tokens, bound, random, kubernetesVersion, nowMs: rest.nowMs() }),
          negotiated,
          201,
        )
      }
      case 'status':
      case 'approval':
      case 'ephemeralcontainers':
      case 'resize':
        if (verb === 'get') return get(handling, target, request, negotiated)
        if (verb === 'update') return update(handling, target, request, negotiated)
        if (verb === 'patch') return patch(handling, target, request, negotiated)
        throw methodNotAllowed()
      default:
        throw new StatusError(failure(501, '', `the subresource ${target.subresource} is not built yet`))
    }
  }

  async #streaming(verb: string, subresource: StreamSubresource, { resource, namespace, name }: ResourceTarget, request: ApiRequest): Promise<ApiResponse> {
    if (verb !== 'create' && verb !== 'get') throw methodNotAllowed()
    const { rest, nodes, served, admission } = this.#options
    // Who may only read could otherwise run commands with a WebSocket's GET. Upstream asks for both since 1.35.
    if (verb === 'get' && minorOf(served().kubernetesVersion) >= 35)
      this.#authorize({
        user: request.user,
        verb: 'create',
        path: request.path,
        resource: { group: resource.group, version: resource.version, resource: resource.plural, subresource, namespace, name },
      })
    const upgrade = streamTarget(subresource, rest.get(resource, namespace, name), request, nodes)
    const kind = { group: '', version: 'v1', kind: CONNECT_OPTIONS[subresource] }
    const object = connectOptions(kind.kind, request.query)
    const asked = { operation: 'CONNECT' as const, resource, namespace, name, object, old: null, kind, context: writeContext(request, subresource) }
    await admission.admit(asked)
    await admission.validate(asked)
    return { ...jsonResponse(400, failure(400, 'BadRequest', 'Upgrade request required')), upgrade }
  }

  #log(target: ResourceTarget, request: ApiRequest): ApiResponse {
    const { rest, nodes } = this.#options
    const { query } = request
    const pod = rest.get(target.resource, target.namespace, target.name)
    const container = logContainer(pod, query.get('container'))
    const node = nodeOf(pod)
    if (node === '') throw badRequest(`pod ${target.name} does not have a host assigned`)
    const number = (name: string): number | undefined => {
      const text = query.get(name)
      if (text === null || text === '') return undefined
      const value = Number(text)
      if (!Number.isInteger(value) || value < 0) throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be a whole number of at least 0`)
      return value
    }
    const [tailLines, sinceSeconds, limitBytes, sinceTime] = [number('tailLines'), number('sinceSeconds'), number('limitBytes'), query.get('sinceTime')]
    const stream = nodes.logs(
      { node, namespace: target.namespace, name: target.name, uid: pod.metadata.uid ?? '' },
      {
        container,
        follow: isTrue(query.get('follow')),
        previous: isTrue(query.get('previous')),
        timestamps: isTrue(query.get('timestamps')),
        signal: request.signal,
        ...(tailLines === undefined ? {} : { tailLines }),
        ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
        ...(limitBytes === undefined ? {} : { limitBytes }),
        ...(sinceTime === null ? {} : { sinceTime }),
      },
    )
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: '', stream, upgrade: { kind: 'bytes', stream } }
  }

  async #nonResource(request: ApiRequest): Promise<ApiResponse> {
    const { path } = request
    const { resources, kubernetesVersion } = this.#options.served()
    const healthy = await health(path, request.query, this.#options.healthChecks, request.signal)
    if (healthy !== null) return healthy
    const page = this.#options.pages[path]?.(request.query, request.method) ?? null
    if (page !== null) return jsonResponse(200, page)
    switch (path) {
      case '/version':
      case '/version/':
        return jsonResponse(200, versionInfo(kubernetesVersion))
      case '/':
        return jsonResponse(200, {
          paths: [
            '/.well-known/openid-configuration',
            '/api',
            '/api/v1',
            '/apis',
            ...new Set(resources.list.filter(({ group }) => group !== '').flatMap(({ group, version }) => [`/apis/${group}`, `/apis/${group}/${version}`])),
            ...healthPaths(this.#options.healthChecks),
            '/metrics',
            '/openapi/v2',
            '/openapi/v3',
            '/openid/v1/jwks',
            '/version',
          ],
        })
      case '/openid/v1/jwks':
        return jsonResponse(200, this.#options.tokens.keySet(), { 'content-type': 'application/jwk-set+json' })
      case '/.well-known/openid-configuration':
        return jsonResponse(200, this.#options.tokens.discoveryDocument(this.#options.address()))
      case '/metrics':
        return { status: 200, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }, body: await this.#options.metricsText(request.signal) }
      default:
        return (
          discovery(path, request, resources, kubernetesVersion, this.#options.address()) ??
          openApi(path, request, resources, kubernetesVersion) ??
          textResponse(404, '404 page not found\n')
        )
    }
  }
}

function minorOf(version: string): number {
  return Number(/^v?1\.(\d+)/.exec(version)?.[1] ?? 0)
}
