import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { parseGroupVersion, type KubeObject } from '#shared/kubernetes/object.ts'
import type { Random } from '#shared/base/random.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import { invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { BoundObjects, Reference, ServiceAccountTokens } from '../authentication/serviceAccountTokens.ts'
import { badRequest, conflict, notFound } from '../registry/failures.ts'
import { newUid } from '../registry/names.ts'

const MIN_SECONDS = 600
const MAX_SECONDS = 2 ** 32
const DEFAULT_SECONDS = 3600
/** What a kubelet asks for a projected token; such a token warns after it and lives for a year, so that old clients have time. */
const WARN_SECONDS = 3607
const EXTENDED_SECONDS = 365 * 24 * 3600

/** Since when tokens carry their own id and the pod's node. */
const TOKEN_ID_SINCE = 30

export interface TokenIssuing {
  tokens: ServiceAccountTokens
  bound: BoundObjects
  random: Random
  kubernetesVersion: string
  nowMs: number
}

/** Since when the answer names its service account. */
const OWN_NAME_SINCE = 21

type BoundClaims = { pod?: Reference; secret?: Reference; node?: { name: string; uid?: string } }

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/**
 * POST of a service account's `/token`.
 *
 * @param find the service account; asked for after the request itself was found good
 * @returns the TokenRequest with its status
 * @throws StatusError 422, 404, 409, 400
 * @see kubernetes pkg/registry/core/serviceaccount/storage/token.go
 */
export function issueToken(request: KubeObject, find: () => KubeObject, issuing: TokenIssuing): KubeObject {
  const { tokens, random, kubernetesVersion, nowMs } = issuing
  const spec = isObject(request['spec']) ? request['spec'] : {}
  const asked = typeof spec['expirationSeconds'] === 'number' ? spec['expirationSeconds'] : DEFAULT_SECONDS
  checkDuration(asked)
  const account = find()
  const { name = '', namespace = '', uid = '' } = account.metadata
  const sent = Array.isArray(spec['audiences']) ? spec['audiences'].filter((each) => typeof each === 'string') : []
  const audiences = sent.length > 0 ? sent : [...tokens.audiences]
  const now = Math.floor(nowMs / 1000)
  const bound = isObject(spec['boundObjectRef']) ? boundClaims(spec['boundObjectRef'], account, issuing) : {}
  const extended = bound.pod !== undefined && asked === WARN_SECONDS
  const token = tokens.sign({
    aud: audiences,
    iat: now,
    nbf: now,
    exp: now + (extended ? EXTENDED_SECONDS : asked),
    ...(minorOf(kubernetesVersion) >= TOKEN_ID_SINCE ? { jti: newUid(random) } : {}),
    sub: `system:serviceaccount:${namespace}:${name}`,
    'kubernetes.io': { namespace, serviceaccount: { name, uid }, ...bound, ...(extended ? { warnafter: now + WARN_SECONDS } : {}) },
  })
  return {
    ...request,
    metadata: minorOf(kubernetesVersion) < OWN_NAME_SINCE ? request.metadata : { ...request.metadata, name, namespace },
    spec: { ...spec, audiences, expirationSeconds: asked, boundObjectRef: spec['boundObjectRef'] ?? null },
    status: { token, expirationTimestamp: `${new Date((now + asked) * 1000).toISOString().slice(0, 19)}Z` },
  }
}

function checkDuration(seconds: number): void {
  const detail =
    seconds < MIN_SECONDS
      ? 'may not specify a duration less than 10 minutes'
      : seconds > MAX_SECONDS
        ? 'may not specify a duration larger than 2^32 seconds'
        : ''
  if (detail === '') return
  throw new StatusError(
    invalidStatus({ group: 'authentication.k8s.io', kind: 'TokenRequest', name: '' }, [
      { type: 'Invalid', field: 'spec.expirationSeconds', value: String(seconds), detail },
    ]),
  )
}

function boundClaims(ref: JsonObject, account: KubeObject, { bound, kubernetesVersion }: TokenIssuing): BoundClaims {
  const { name: accountName = '', namespace = '' } = account.metadata
  const { group, version } = parseGroupVersion(text(ref['apiVersion']) === '' ? 'v1' : text(ref['apiVersion']))
  const [kind, name] = [text(ref['kind']), text(ref['name'])]
  const nodes = minorOf(kubernetesVersion) >= TOKEN_ID_SINCE
  const plural = kind === 'Pod' ? 'pods' : kind === 'Secret' ? 'secrets' : kind === 'Node' && nodes ? 'nodes' : null
  if (group !== '' || plural === null) throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${kind}`)
  const object = bound.find(plural, plural === 'nodes' ? '' : namespace, name)
  if (object === undefined) throw notFound({ group: '', plural }, name)
  const spec = isObject(object['spec']) ? object['spec'] : {}
  if (plural === 'pods' && text(spec['serviceAccountName']) !== accountName)
    throw badRequest(`cannot bind token for serviceaccount ${JSON.stringify(accountName)} to pod running with different serviceaccount name.`)
  const uid = uidOf(object)
  const asked = text(ref['uid'])
  if (asked !== '' && asked !== uid)
    throw conflict(
      { group: '', plural: kind },
      name,
      `the UID in the bound object reference (${asked}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  if (plural === 'secrets') return { secret: { name, uid } }
  if (plural === 'nodes') return { node: { name, uid } }
  const nodeName = text(spec['nodeName'])
  if (!nodes || nodeName === '') return { pod: { name, uid } }
  const node = bound.find('nodes', '', nodeName)
  return { pod: { name, uid }, node: { name: nodeName, ...(node === undefined ? {} : { uid: uidOf(node) }) } }
}

const uidOf = (object: JsonObject): string => (isObject(object['metadata']) ? text(object['metadata']['uid']) : '')
