import { decodeProtobuf, isProtobuf } from '#shared/kubernetes/codec/codec.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import type { UserInfo } from '#shared/kubernetes/transport.ts'
import type { RequestAttributes } from '../authorization/attributes.ts'
import type { ApiServerMetrics } from '../metrics/apiServerMetrics.ts'
import { newUid } from '../registry/names.ts'
import type { ApiRequest, ApiResponse } from '../request/apiRequest.ts'
import type { RequestRecord } from '../request/requestRecord.ts'
import type { AuditLogFile } from './auditLogFile.ts'
import type { AuditDecision, AuditPolicy, AuditStage } from './auditPolicy.ts'

export interface AuditorOptions {
  policy: AuditPolicy
  log: AuditLogFile
  metrics: ApiServerMetrics
  random: Random
  nowMs(): number
  logger: Logger
}

const MAX_USER_AGENT = 1024
/** No Status is longer. */
const MAX_STATUS_BYTES = 64 * 1024

/** Writes audit events of requests, as the policy wants them. */
export class Auditor {
  readonly #options: AuditorOptions

  constructor(options: AuditorOptions) {
    this.#options = options
  }

  /** @returns null when the policy wants nothing of this request */
  begin(request: ApiRequest, record: RequestRecord, attributes: RequestAttributes): AuditedRequest | null {
    const { policy, metrics } = this.#options
    const decision = policy.decide(attributes)
    metrics.now.auditLevels.add([decision.level])
    if (decision.level === 'None') return null
    const audited = new AuditedRequest(request, { record, attributes, decision }, this.#options, (event) => {
      this.#write(event)
    })
    audited.stage('RequestReceived', null)
    return audited
  }

  close(): void {
    this.#options.log.close()
  }

  #write(event: JsonObject): void {
    const { log, metrics, logger } = this.#options
    try {
      log.append(JSON.stringify(event))
      metrics.now.audited.add([])
    } catch (error) {
      // Upstream, too, goes on serving when its log cannot be written; the count tells.
      metrics.now.auditErrors.add(['log'])
      logger.error('an audit event could not be written', { error: error instanceof Error ? error.message : String(error), auditID: event['auditID'] })
    }
  }
}

/** One request on its way through the stages. */
export class AuditedRequest {
  readonly auditId: string
  readonly #request: ApiRequest
  readonly #record: RequestRecord
  readonly #attributes: RequestAttributes
  readonly #decision: AuditDecision
  readonly #received: string
  readonly #now: () => string
  readonly #write: (event: JsonObject) => void

  constructor(
    request: ApiRequest,
    { record, attributes, decision }: { record: RequestRecord; attributes: RequestAttributes; decision: AuditDecision },
    { random, nowMs }: Pick<AuditorOptions, 'random' | 'nowMs'>,
    write: (event: JsonObject) => void,
  ) {
    this.#request = request
    this.#record = record
    this.#attributes = attributes
    this.#decision = decision
    const asked = request.headers['audit-id'] ?? ''
    this.auditId = asked === '' ? newUid(random) : asked.slice(0, 64)
    this.#now = () => microTime(nowMs())
    this.#received = this.#now()
    this.#write = write
  }

  /** @param response null before there is one */
  stage(stage: AuditStage, response: ApiResponse | null): void {
    if (this.#decision.omitStages.has(stage)) return
    const { level } = this.#decision
    const received = stage === 'RequestReceived'
    const { impersonated, sourceIps, uri, annotations } = this.#record
    const { user, verb } = this.#attributes
    const sent = received ? undefined : this.#requestObject()
    const answer =
      response === null || response.stream !== undefined || !this.#wantsAnswer(response) ? undefined : parsed(response.joined?.bytes() ?? response.body)
    const agent = this.#request.headers['user-agent'] ?? ''
    this.#write({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level,
      auditID: this.auditId,
      stage,
      requestURI: uri,
      verb,
      user: userOf(user),
      ...(impersonated === undefined || received ? {} : { impersonatedUser: userOf(impersonated) }),
      ...(sourceIps.length === 0 ? {} : { sourceIPs: sourceIps }),
      ...(agent === '' ? {} : { userAgent: agent.length > MAX_USER_AGENT ? `${agent.slice(0, MAX_USER_AGENT)}...TRUNCATED` : agent }),
      ...this.#objectRef(sent),
      ...(response === null ? {} : { responseStatus: statusOf(response, answer) }),
      ...(sent === undefined || level === 'Metadata' ? {} : { requestObject: this.#shown(sent) }),
      ...(answer === undefined || level !== 'RequestResponse' ? {} : { responseObject: this.#shown(answer) }),
      requestReceivedTimestamp: this.#received,
      stageTimestamp: received ? this.#received : this.#now(),
      ...(received || Object.keys(annotations).length === 0 ? {} : { annotations: { ...annotations } }),
    })
  }

  /** A long list is not read again for its status alone. */
  #wantsAnswer({ body, joined }: ApiResponse): boolean {
    return this.#decision.level === 'RequestResponse' || (joined === undefined && body.length <= MAX_STATUS_BYTES)
  }

  #requestObject(): unknown {
    const { body } = this.#request
    return body.length === 0 ? undefined : parsed(body)
  }

  #objectRef(sent: unknown): JsonObject {
    const { resource } = this.#attributes
    if (resource === undefined) return {}
    const metadata = isObject(sent) && isObject(sent['metadata']) ? sent['metadata'] : {}
    const ref = {
      resource: resource.resource,
      namespace: resource.namespace,
      name: resource.name === '' ? metadata['name'] : resource.name,
      uid: metadata['uid'],
      apiGroup: resource.group,
      apiVersion: resource.version,
      resourceVersion: metadata['resourceVersion'],
      subresource: resource.subresource,
    }
    return { objectRef: Object.fromEntries(Object.entries(ref).filter(([, value]) => typeof value === 'string' && value !== '')) }
  }

  #shown(object: unknown): unknown {
    if (!this.#decision.omitManagedFields || !isObject(object)) return object
    const { items } = object
    return {
      ...withoutManagedFields(object),
      ...(Array.isArray(items) ? { items: items.map((each) => (isObject(each) ? withoutManagedFields(each) : each)) } : {}),
    }
  }
}

function withoutManagedFields(object: JsonObject): JsonObject {
  if (!isObject(object['metadata'])) return object
  const { managedFields: _, ...metadata } = object['metadata']
  return { ...object, metadata }
}

function userOf({ username, uid, groups, extra }: UserInfo): JsonObject {
  return {
    username,
    ...(uid === undefined || uid === '' ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
  }
}

/** Only the bounded fields of a Status. */
function statusOf({ status }: ApiResponse, answer: unknown): JsonObject {
  if (isObject(answer) && answer['kind'] === 'Status') {
    const { status: outcome, message, reason, details } = answer
    const fields = { status: outcome, message: status >= 400 ? message : undefined, reason, details: status >= 400 ? details : undefined }
    return { metadata: {}, ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== '')), code: status }
  }
  return { metadata: {}, code: status }
}

function parsed(body: Uint8Array | string): unknown {
  try {
    if (typeof body !== 'string' && isProtobuf(body)) return decodeProtobuf(body).object
    return JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8')) as unknown
  } catch {
    // YAML patches and text answers are no objects of an event.
    return undefined
  }
}

/** metav1.MicroTime. */
function microTime(atMs: number): string {
  const micros = Math.floor(atMs * 1000) % 1000
  return `${new Date(atMs).toISOString().slice(0, 23)}${String(Math.max(0, micros)).padStart(3, '0')}Z`
}
