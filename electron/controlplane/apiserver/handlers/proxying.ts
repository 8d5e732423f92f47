import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { NodeConnection } from '../interface.ts'
import { badRequest } from '../registry/failures.ts'
import type { RestStore } from '../registry/restStore.ts'
import { textResponse, type ApiRequest, type ApiResponse } from '../request/apiRequest.ts'
import { belowPrefix } from './proxiedPage.ts'
import type { ResourceTarget } from './writing.ts'

const listAt = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** Headers of one connection, which do not go on to the next, and the ones that say who asks here. */
const NOT_PASSED = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'authorization',
  'accept-encoding',
  'te',
  'trailer',
  'proxy-authorization',
])

interface Backend {
  pod: KubeObject
  port: number
}

/** `[scheme:]name[:port]`; the port is a number or a port's name. */
export function proxiedName(name: string): { name: string; port: string; tls: boolean } {
  const parts = name.split(':')
  if (parts.length === 3) {
    if (parts[0] !== 'https' && parts[0] !== 'http' && parts[0] !== '') throw badRequest(`invalid proxy request ${JSON.stringify(name)}`)
    return { name: parts[1] ?? '', port: parts[2] ?? '', tls: parts[0] === 'https' }
  }
  if (parts.length > 3) throw badRequest(`invalid proxy request ${JSON.stringify(name)}`)
  return { name: parts[0] ?? '', port: parts[1] ?? '', tls: false }
}

/** Sends a request on to a pod or a service's pod, and its answer back. */
export async function proxy({ rest, nodes }: { rest: RestStore; nodes: NodeConnection }, target: ResourceTarget, request: ApiRequest): Promise<ApiResponse> {
  const [prefix = ''] = /^.*?\/(?:pods|services|nodes)\/[^/]+\/proxy/.exec(request.path) ?? []
  const path = request.path.slice(prefix.length)
  const query = request.query.size === 0 ? '' : `?${request.query.toString()}`
  // Relative links of a page are below the slash.
  if (path === '' && request.method === 'GET') return { ...textResponse(301, ''), headers: { location: `${request.path}/${query}` } }
  const backend = target.resource.plural === 'services' ? serviceBackend(rest, target) : podBackend(rest, target)
  const { name = '', namespace = '', uid = '' } = backend.pod.metadata
  const node = objectAt(backend.pod['spec'])['nodeName']
  if (typeof node !== 'string' || node === '') throw badRequest(`pod ${name} does not have a host assigned`)
  try {
    const plain = await nodes.portForward({ node, namespace, name, uid }, { port: backend.port, signal: request.signal })
    // Whose certificate it is nobody can say here, as upstream.
    const connection = proxiedName(target.name).tls ? connectTls({ socket: plain, rejectUnauthorized: false }) : plain
    const answer = await send(connection, { ...request, path: `${path === '' ? '/' : path}${query}` }, `${name}:${String(backend.port)}`)
    return await belowPrefix(answer, prefix)
  } catch (error) {
    throw new StatusError(failure(503, 'ServiceUnavailable', `error trying to reach service: ${error instanceof Error ? error.message : String(error)}`), {
      cause: error,
    })
  }
}

function podBackend(rest: RestStore, { resource, namespace, name: asked }: ResourceTarget): Backend {
  const { name, port } = proxiedName(asked)
  const pod = rest.get(resource, namespace, name)
  const ports = listAt(objectAt(pod['spec'])['containers']).flatMap((container) => listAt(container['ports']))
  const named = ports.find((each) => each['name'] === port)?.['containerPort']
  // Without a port it is the first that the pod declares.
  const number = port === '' ? (ports[0]?.['containerPort'] ?? 80) : /^\d+$/.test(port) ? Number(port) : named
  if (typeof number !== 'number') throw badRequest(`pod ${JSON.stringify(name)} has no port ${JSON.stringify(port)}`)
  return { pod, port: number }
}

function serviceBackend(rest: RestStore, { resource, namespace, name: asked }: ResourceTarget): Backend {
  const { name, port } = proxiedName(asked)
  const service = rest.get(resource, namespace, name)
  const ports = listAt(objectAt(service['spec'])['ports'])
  const wanted = port === '' ? (ports.length === 1 ? ports[0] : undefined) : ports.find((each) => each['name'] === port || String(each['port']) === port)
  const none = new StatusError(failure(503, 'ServiceUnavailable', `no endpoints available for service ${JSON.stringify(asked)}`))
  if (wanted === undefined) throw none
  for (const { object: slice } of rest.store.collection('endpointslices').range(`/registry/endpointslices/${namespace}/`)) {
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue
    const number = listAt(slice['ports']).find((each) => (each['name'] ?? '') === (wanted['name'] ?? ''))?.['port']
    for (const endpoint of listAt(slice['endpoints'])) {
      const { kind, name: podName } = objectAt(endpoint['targetRef'])
      if (kind !== 'Pod' || typeof podName !== 'string' || objectAt(endpoint['conditions'])['ready'] === false || typeof number !== 'number') continue
      const pod = rest.store.collection('pods').get(`/registry/pods/${namespace}/${podName}`)?.object
      if (pod !== undefined) return { pod, port: number }
    }
  }
  throw none
}

function send(connection: Duplex, request: ApiRequest, host: string): Promise<ApiResponse> {
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(
      ([name, value]) => value !== undefined && !NOT_PASSED.has(name) && !name.startsWith(':') && !name.startsWith('impersonate-'),
    ),
  )
  return new Promise((resolve, reject) => {
    const asked = httpRequest({
      createConnection: () => connection,
      method: request.method,
      path: request.path,
      headers: { ...headers, host, 'content-length': request.body.length },
      signal: request.signal,
    })
    asked.on('response', (response: IncomingMessage) => {
      const passed = Object.fromEntries(
        Object.entries(response.headers).flatMap(([name, value]) =>
          value === undefined || NOT_PASSED.has(name) ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
        ),
      )
      resolve({ status: response.statusCode ?? 502, headers: passed, body: '', stream: closing(response, connection) })
    })
    asked.on('error', reject)
    asked.end(request.body)
  })
}

async function* closing(response: IncomingMessage, connection: Duplex): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of response as AsyncIterable<Buffer>) yield part
  } finally {
    connection.destroy()
  }
}
