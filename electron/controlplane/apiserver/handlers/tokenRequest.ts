import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { invalidStatus } from '#shared/kubernetes/validation/fieldError.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { ServiceAccountTokens } from '../authentication/serviceAccountTokens.ts'
import { notFound } from '../registry/failures.ts'
import type { Store } from '../storage/store.ts'

const MIN_SECONDS = 600
const DEFAULT_SECONDS = 3600

/** POST of a service account's `/token`. @returns the TokenRequest with its status */
export function issueToken(request: KubeObject, account: KubeObject, tokens: ServiceAccountTokens, store: Store, nowMs: number): KubeObject {
  const spec = isObject(request['spec']) ? request['spec'] : {}
  const asked = typeof spec['expirationSeconds'] === 'number' ? spec['expirationSeconds'] : DEFAULT_SECONDS
  const { name = '', namespace = '', uid = '' } = account.metadata
  if (asked < MIN_SECONDS)
    throw new StatusError(
      invalidStatus({ group: 'authentication.k8s.io', kind: 'TokenRequest', name: '' }, [
        { type: 'Invalid', field: 'spec.expirationSeconds', value: String(asked), detail: 'may not specify a duration less than 10 minutes' },
      ]),
    )
  const audiences =
    Array.isArray(spec['audiences']) && spec['audiences'].length > 0 ? spec['audiences'].filter((each) => typeof each === 'string') : [tokens.issuer]
  const now = Math.floor(nowMs / 1000)
  const bound = isObject(spec['boundObjectRef']) ? boundObject(spec['boundObjectRef'], namespace, store) : {}
  const token = tokens.sign({
    aud: audiences,
    iat: now,
    nbf: now,
    exp: now + asked,
    sub: `system:serviceaccount:${namespace}:${name}`,
    'kubernetes.io': { namespace, serviceaccount: { name, uid }, ...bound },
  })
  return {
    ...request,
    metadata: { ...request.metadata, name, namespace },
    spec: { ...spec, audiences, expirationSeconds: asked },
    status: { token, expirationTimestamp: `${new Date((now + asked) * 1000).toISOString().slice(0, 19)}Z` },
  }
}

function boundObject(
  ref: Record<string, unknown>,
  namespace: string,
  store: Store,
): { pod?: { name: string; uid: string }; secret?: { name: string; uid: string } } {
  const name = typeof ref['name'] === 'string' ? ref['name'] : ''
  const plural = ref['kind'] === 'Secret' ? 'secrets' : 'pods'
  const entry = store.collection(plural).get(`/registry/${plural}/${namespace}/${name}`)
  if (entry === undefined || (typeof ref['uid'] === 'string' && ref['uid'] !== '' && ref['uid'] !== entry.object.metadata.uid))
    throw notFound({ group: '', plural }, name)
  const found = { name, uid: entry.object.metadata.uid ?? '' }
  return plural === 'secrets' ? { secret: found } : { pod: found }
}
