import { createHash } from 'node:crypto'
import { aggregatedDiscovery, aggregatedMediaType, apiGroupDocument, apiGroupList, apiResourceList, apiVersions } from '#shared/kubernetes/discovery.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import { jsonResponse, textResponse, type ApiRequest, type ApiResponse } from '../request/apiRequest.ts'
import { negotiate } from '../request/mediaType.ts'
import type { ApiResources } from '../registry/apiResources.ts'
import { noSuchResource } from '../registry/failures.ts'

/** Releases since which discovery can be had in one document. */
const AGGREGATED_SINCE = 27

/** `/api`, `/apis`, `/apis/<group>` and the lists of each group version; null for other paths. */
export function discovery(path: string, request: ApiRequest, resources: ApiResources, kubernetesVersion: string, address: string): ApiResponse | null {
  const parts = path.split('/').filter((part) => part !== '')
  const [root, second, third] = parts
  if (root !== 'api' && root !== 'apis') return null
  if (parts.length === 1) {
    const negotiated = negotiate(request.headers['accept'])
    if (negotiated.as === 'APIGroupDiscoveryList' && minorOf(kubernetesVersion) >= AGGREGATED_SINCE) {
      const version = negotiated.version === 'v2' ? 'v2' : 'v2beta1'
      return cacheable(aggregatedDiscovery(resources.list, root, version), aggregatedMediaType(version), request)
    }
    return jsonResponse(200, root === 'api' ? apiVersions(address) : apiGroupList(resources.list))
  }
  const document =
    root === 'api'
      ? parts.length === 2
        ? apiResourceList(resources.list, '', second ?? '')
        : null
      : parts.length === 2
        ? apiGroupDocument(resources.list, second ?? '')
        : parts.length === 3
          ? apiResourceList(resources.list, second ?? '', third ?? '')
          : null
  if (document !== null) return jsonResponse(200, document)
  // A group that is served answers for all of its paths.
  if (root === 'api' ? parts.length === 2 : parts.length === 3 && resources.hasBuiltinGroup(second ?? '')) throw noSuchResource()
  return parts.length <= (root === 'api' ? 2 : 3) ? textResponse(404, '404 page not found\n') : null
}

function cacheable(document: object, mediaType: string, request: ApiRequest): ApiResponse {
  const body = JSON.stringify(document)
  const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`
  const headers = { etag, vary: 'Accept', 'cache-control': 'public' }
  if (request.headers['if-none-match'] === etag) return { status: 304, headers, body: '' }
  return { status: 200, headers: { 'content-type': mediaType, ...headers }, body }
}

/** `/version`. */
export function versionInfo(kubernetesVersion: string): object {
  const [major = '1', minor = '0'] = kubernetesVersion.replace(/^v/, '').split('.')
  return {
    major,
    minor,
    gitVersion: kubernetesVersion,
    // Clients expect hexadecimal digits.
    gitCommit: '0'.repeat(40),
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: 'none',
    compiler: 'none',
    platform: 'drydock/simulated',
  }
}
