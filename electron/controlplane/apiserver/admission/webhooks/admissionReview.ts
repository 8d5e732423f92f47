import type { Random } from '#shared/base/random.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { fromStorage, toStorage } from '../../registry/conversion.ts'
import { newUid } from '../../registry/names.ts'
import type { AdmissionRequest } from '../admission.ts'
import type { Match } from './admissionMatching.ts'

/** What a webhook is sent, and what its answer must carry. */
export interface Review {
  uid: string
  version: 'v1' | 'v1beta1'
  body: JsonObject
}

/** A webhook's answer that could be read. */
export interface ReviewAnswer {
  allowed: boolean
  /** JSON patch; null when the object stays. */
  patch: unknown
  status: JsonObject | null
  warnings: string[]
  auditAnnotations: Record<string, string>
}

/** An object in the version the hook asked for. */
export function inVersion(object: KubeObject, request: AdmissionRequest, match: Match): KubeObject {
  if (match.resource === request.resource || request.kind !== undefined) return object
  return fromStorage(toStorage(object, request.resource), match.resource)
}

/** Back to the version of the request. */
export function inRequestVersion(object: KubeObject, request: AdmissionRequest, match: Match): KubeObject {
  if (match.resource === request.resource || request.kind !== undefined) return object
  return fromStorage(toStorage(object, match.resource), request.resource)
}

/** The `request` of an AdmissionReview; expressions see the same. */
export function admissionRequestOf(request: AdmissionRequest, match: Match, uid: string): JsonObject {
  const { operation, resource, namespace, name, object, old, context } = request
  const kindOf = (each: typeof resource): JsonObject => request.kind ?? { group: each.group, version: each.version, kind: each.kind }
  const resourceOf = (each: typeof resource): JsonObject => ({ group: each.group, version: each.version, resource: each.plural })
  const subresource = context.subresource === '' ? {} : { subResource: context.subresource, requestSubResource: context.subresource }
  const { username, uid: userUid, groups, extra } = context.user
  const optionsKind = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions', CONNECT: null }[operation]
  return {
    uid,
    kind: kindOf(match.resource),
    resource: resourceOf(match.resource),
    ...subresource,
    requestKind: kindOf(resource),
    requestResource: resourceOf(resource),
    name: name === '' ? (object.metadata.name ?? '') : name,
    ...(namespace === '' ? {} : { namespace }),
    operation,
    userInfo: { username, ...(userUid === undefined ? {} : { uid: userUid }), groups, ...(extra === undefined ? {} : { extra }) },
    object: operation === 'DELETE' ? null : inVersion(object, request, match),
    oldObject: operation === 'CREATE' || operation === 'CONNECT' || old === null ? null : inVersion(old, request, match),
    dryRun: context.dryRun,
    options:
      optionsKind === null
        ? null
        : {
            kind: optionsKind,
            apiVersion: 'meta.k8s.io/v1',
            ...(context.dryRun ? { dryRun: ['All'] } : {}),
            ...(operation === 'DELETE' ? {} : { fieldManager: context.fieldManager }),
          },
  }
}

/** @returns null when the hook takes no version that is spoken here */
export function newReview(versions: readonly string[], request: AdmissionRequest, match: Match, random: Random): Review | null {
  const version = versions.find((each) => each === 'v1' || each === 'v1beta1')
  if (version === undefined) return null
  const uid = newUid(random)
  return {
    uid,
    version,
    body: { kind: 'AdmissionReview', apiVersion: `admission.k8s.io/${version}`, request: admissionRequestOf(request, match, uid) },
  }
}

/** @throws Error in upstream's words when the answer is none */
export function readAnswer(answer: unknown, { uid, version }: Review, mutating: boolean): ReviewAnswer {
  const response = isObject(answer) ? answer['response'] : undefined
  if (!isObject(answer) || !isObject(response)) throw new Error('webhook response was absent')
  if (version === 'v1') {
    if (response['uid'] !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'] ?? '')}`)
    const got = `${String(answer['apiVersion'] ?? '')}, Kind=${String(answer['kind'] ?? '')}`
    const wanted = 'admission.k8s.io/v1, Kind=AdmissionReview'
    if (got !== wanted) throw new Error(`expected webhook response of ${wanted}, got ${got}`)
  }
  const { patch, patchType } = response
  const patched = typeof patch === 'string' && patch !== ''
  if (version === 'v1' && !mutating && patched) throw new Error('validating webhook may not return response.patch')
  if (version === 'v1' && !mutating && patchType !== undefined && patchType !== null) throw new Error('validating webhook may not return response.patchType')
  if (version === 'v1' && mutating) {
    const typed = patchType !== undefined && patchType !== null
    if (patched && !typed) throw new Error('webhook returned response.patch but not response.patchType')
    if (!patched && typed) throw new Error('webhook returned response.patchType but not response.patch')
    if (typed && patchType !== 'JSONPatch') throw new Error(`unsupported patch type ${JSON.stringify(patchType)}`)
  }
  const annotations = isObject(response['auditAnnotations']) ? response['auditAnnotations'] : {}
  return {
    allowed: response['allowed'] === true,
    patch: mutating && patched ? (JSON.parse(Buffer.from(patch, 'base64').toString('utf8')) as unknown) : null,
    status: isObject(response['status']) ? response['status'] : null,
    warnings: Array.isArray(response['warnings']) ? response['warnings'].filter((each) => typeof each === 'string') : [],
    auditAnnotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key, String(value)])),
  }
}
