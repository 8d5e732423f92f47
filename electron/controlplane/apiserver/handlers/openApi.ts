import { createHash } from 'node:crypto'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import { openApiV2Document, openApiV2Protobuf } from '#shared/kubernetes/openapi/v2.ts'
import { openApiV3Document } from '#shared/kubernetes/openapi/v3.ts'
import { jsonResponse, type ApiRequest, type ApiResponse } from '../request/apiRequest.ts'
import type { PublishedResource } from '#shared/kubernetes/openapi/definitions.ts'
import type { ApiResource, ApiResources } from '../registry/apiResources.ts'

/** Releases since which OpenAPI v3 is served. */
const V3_SINCE = 24
/** As upstream sends it: the media type that was asked for holds characters that clients' header readers refuse. */
const V2_PROTOBUF = 'application/octet-stream'

const rootOf = (group: string, version: string): string => (group === '' ? `api/${version}` : `apis/${group}/${version}`)
const hashOf = (body: string | Uint8Array): string => createHash('sha512').update(body).digest('hex').toUpperCase()

/** `/openapi/v2` and `/openapi/v3…`; null for other paths and unknown group versions. */
export function openApi(path: string, request: ApiRequest, resources: ApiResources, kubernetesVersion: string): ApiResponse | null {
  if (path === '/openapi/v2') return version2(request, resources, kubernetesVersion)
  if (!path.startsWith('/openapi/v3') || minorOf(kubernetesVersion) < V3_SINCE) return null
  const groupVersions = new Map(resources.list.map(({ group, version }) => [rootOf(group, version), { group, version }]))
  if (path === '/openapi/v3') {
    // The hash names the content: what a release serves of a group version is fixed, what definitions add is not.
    const contentOf = (root: string, wanted: { group: string; version: string }): string => {
      const members = membersOf(resources, wanted)
      return members.some((each) => each.customSchema !== undefined)
        ? JSON.stringify(openApiV3Document(members, kubernetesVersion))
        : `${kubernetesVersion} ${root}`
    }
    const paths = Object.fromEntries(
      [...groupVersions].map(([root, wanted]) => [root, { serverRelativeURL: `/openapi/v3/${root}?hash=${hashOf(contentOf(root, wanted))}` }]),
    )
    return jsonResponse(200, { paths })
  }
  const wanted = groupVersions.get(path.slice('/openapi/v3/'.length))
  if (wanted === undefined) return null
  return tagged(JSON.stringify(openApiV3Document(membersOf(resources, wanted), kubernetesVersion)), 'application/json', request)
}

function version2(request: ApiRequest, resources: ApiResources, kubernetesVersion: string): ApiResponse {
  const published = resources.list.map(asPublished)
  if ((request.headers['accept'] ?? '').includes('proto-openapi')) return tagged(openApiV2Protobuf(published, kubernetesVersion), V2_PROTOBUF, request)
  return tagged(JSON.stringify(openApiV2Document(published, kubernetesVersion)), 'application/json', request)
}

function membersOf(resources: ApiResources, wanted: { group: string; version: string }): PublishedResource[] {
  return resources.list.filter(({ group, version }) => group === wanted.group && version === wanted.version).map(asPublished)
}

function asPublished(resource: ApiResource): PublishedResource {
  const { custom } = resource
  if (custom === undefined) return resource
  return { ...resource, customSchema: custom.definition.preserveUnknownFields ? null : (custom.schema ?? null) }
}

function tagged(body: string | Uint8Array, mediaType: string, request: ApiRequest): ApiResponse {
  const etag = `"${hashOf(body)}"`
  if (request.headers['if-none-match'] === etag) return { status: 304, headers: { etag }, body: '' }
  return { status: 200, headers: { 'content-type': mediaType, etag, vary: 'Accept' }, body }
}
