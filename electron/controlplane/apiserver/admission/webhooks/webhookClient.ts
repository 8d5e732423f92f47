import { request as httpsRequest } from 'node:https'
import { connect as connectTls } from 'node:tls'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import { isObject, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { NodeConnection } from '../../interface.ts'
import type { Store } from '../../storage/store.ts'

export interface WebhookClientOptions {
  store: Store
  nodes: NodeConnection
  clock: Clock
}

/** An answer may have so many bytes: an object's three megabytes, as a patch in base64, and some. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024
const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Where a hook is: its URL, and how a service's pod is reached. */
interface Destination {
  url: URL
  /** Null connects by the URL's host and port. */
  socket: ((signal: AbortSignal) => Promise<Duplex>) | null
}

/** Posts reviews to webhooks over TLS: by URL, or to one of a service's endpoints. */
export class WebhookClient {
  readonly #options: WebhookClientOptions

  constructor(options: WebhookClientOptions) {
    this.#options = options
  }

  /**
   * @param config a `clientConfig`
   * @param options.tellsTimeout whether the URL tells how long the answer may take
   * @returns the answer's JSON; @throws Error that says what the hook's address was and what failed
   */
  async post(
    config: JsonObject,
    body: JsonObject,
    { timeoutSeconds, tellsTimeout = true, signal }: { timeoutSeconds: number; tellsTimeout?: boolean; signal: AbortSignal },
  ): Promise<unknown> {
    const { url, socket } = this.#destination(config)
    if (tellsTimeout) url.searchParams.set('timeout', `${String(timeoutSeconds)}s`)
    const late = new AbortController()
    const cancel = this.#options.clock.schedule(timeoutSeconds * 1000, () => {
      late.abort(new Error('context deadline exceeded'))
    })
    const either = AbortSignal.any([signal, late.signal])
    try {
      const ca = text(config['caBundle']) === '' ? undefined : Buffer.from(text(config['caBundle']), 'base64').toString('utf8')
      const stream = socket === null ? undefined : await secured(await socket(either), { servername: url.hostname, ca, signal: either })
      const answer = await post(url, JSON.stringify(body), { ca, stream, signal: either })
      return JSON.parse(answer) as unknown
    } catch (error) {
      const why = late.signal.aborted ? 'context deadline exceeded' : error instanceof Error ? error.message : String(error)
      throw new Error(`Post ${JSON.stringify(url.href)}: ${why}`, { cause: error })
    } finally {
      cancel()
    }
  }

  #destination(config: JsonObject): Destination {
    if (text(config['url']) !== '') return { url: new URL(text(config['url'])), socket: null }
    const service = objectAt(config['service'])
    const [name, namespace] = [text(service['name']), text(service['namespace'])]
    const port = typeof service['port'] === 'number' ? service['port'] : 443
    const url = new URL(text(service['path']) === '' ? '/' : text(service['path']), `https://${name}.${namespace}.svc:${String(port)}`)
    return { url, socket: (signal) => this.#serviceSocket(namespace, name, port, signal) }
  }

  async #serviceSocket(namespace: string, name: string, port: number, signal: AbortSignal): Promise<Duplex> {
    const { store, nodes } = this.#options
    const service = store.collection('services/specs').get(`/registry/services/specs/${namespace}/${name}`)?.object
    if (service === undefined) throw new Error(`service ${JSON.stringify(name)} not found`)
    const servicePort = objects(objectAt(service['spec'])['ports']).find((each) => each['port'] === port)
    if (servicePort === undefined) throw new Error(`no service port ${String(port)} found for service ${JSON.stringify(name)}`)
    const endpoints = store.collection('services/endpoints').get(`/registry/services/endpoints/${namespace}/${name}`)?.object
    for (const subset of objects(endpoints?.['subsets'])) {
      const target = objects(subset['ports']).find((each) => text(each['name']) === text(servicePort['name']))?.['port']
      const [address] = objects(subset['addresses'])
      if (address === undefined || typeof target !== 'number') continue
      const ref = objectAt(address['targetRef'])
      const pod = ref['kind'] === 'Pod' ? store.collection('pods').get(`/registry/pods/${namespace}/${text(ref['name'])}`)?.object : undefined
      if (pod === undefined) return tcp(text(address['ip']), target, signal)
      const node = text(objectAt(pod['spec'])['nodeName'])
      return nodes.portForward({ node, namespace, name: pod.metadata.name ?? '', uid: pod.metadata.uid ?? '' }, { port: target, signal })
    }
    throw new Error(`no endpoints available for service ${JSON.stringify(name)}`)
  }
}

function tcp(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, signal })
    socket.once('connect', () => {
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

function secured(socket: Duplex, { servername, ca, signal }: { servername: string; ca: string | undefined; signal: AbortSignal }): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const stream = connectTls({ socket, servername, ...(ca === undefined ? {} : { ca }) })
    const stop = (): void => {
      stream.destroy(signal.reason as Error)
    }
    signal.addEventListener('abort', stop, { once: true })
    stream.once('secureConnect', () => {
      signal.removeEventListener('abort', stop)
      resolve(stream)
    })
    stream.once('error', reject)
  })
}

function post(url: URL, body: string, { ca, stream, signal }: { ca: string | undefined; stream: Duplex | undefined; signal: AbortSignal }): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = httpsRequest(
      url,
      {
        method: 'POST',
        signal,
        // With an agent the stream would be passed over.
        ...(stream === undefined ? { agent: false as const } : {}),
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, */*',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'kube-apiserver-admission',
        },
        ...(ca === undefined ? {} : { ca }),
        ...(stream === undefined ? {} : { createConnection: () => stream }),
      },
      (response) => {
        const parts: Buffer[] = []
        let length = 0
        response.on('data', (part: Buffer) => {
          length += part.length
          if (length > MAX_ANSWER_BYTES) call.destroy(new Error('the answer is too long'))
          else parts.push(part)
        })
        response.on('error', reject)
        response.on('end', () => {
          stream?.destroy()
          const answer = Buffer.concat(parts).toString('utf8')
          if (response.statusCode === 200) resolve(answer)
          else reject(new Error(answer.trim() === '' ? `the server answered ${String(response.statusCode)}` : answer.trim().slice(0, 1000)))
        })
      },
    )
    call.on('error', reject)
    call.end(body)
  })
}
