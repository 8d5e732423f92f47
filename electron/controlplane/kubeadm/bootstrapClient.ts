import { request } from 'node:https'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { KubeadmError } from './flags.ts'

/** The API server as somebody sees it who has nothing yet, or a bootstrap token. */
export interface BootstrapClient {
  /** Null when there is no such object. @throws KubeadmError with the server's words */
  get(path: string): Promise<JsonObject | null>
  /** @throws KubeadmError with the server's words */
  create(path: string, object: object): Promise<JsonObject>
}

const MAX_BYTES = 4 * 2 ** 20
const TIMEOUT_MS = 30_000
const NOT_FOUND = 404

/** @param ca null trusts whoever answers, as the first look of discovery does */
export function bootstrapClient({
  endpoint,
  ca,
  token,
  signal,
}: {
  endpoint: string
  ca: string | null
  token: string | null
  signal: AbortSignal
}): BootstrapClient {
  const call = (method: string, path: string, body?: object): Promise<{ status: number; object: JsonObject }> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, `https://${endpoint}`),
        {
          method,
          ...(ca === null ? { rejectUnauthorized: false } : { ca }),
          headers: { accept: 'application/json', 'content-type': 'application/json', ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
          agent: false,
          timeout: TIMEOUT_MS,
          signal,
        },
        (incoming) => {
          const parts: Buffer[] = []
          let size = 0
          incoming.on('data', (part: Buffer) => {
            size += part.length
            if (size > MAX_BYTES) incoming.destroy(new Error('the answer is too large'))
            else parts.push(part)
          })
          incoming.on('error', reject)
          incoming.on('end', () => {
            try {
              const parsed: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'))
              resolve({ status: incoming.statusCode ?? 0, object: isObject(parsed) ? parsed : {} })
            } catch {
              reject(new Error(`${endpoint} does not answer as an API server`))
            }
          })
        },
      )
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${endpoint} did not answer within ${String(TIMEOUT_MS / 1000)} seconds`)))
      outgoing.on('error', reject)
      outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    })
  const checked = async (method: string, path: string, body?: object): Promise<JsonObject | null> => {
    const { status, object } = await call(method, path, body).catch((error: unknown) => {
      if (signal.aborted) throw signal.reason
      throw new KubeadmError(`${method === 'GET' ? 'Get' : 'Post'} "https://${endpoint}${path}": ${error instanceof Error ? error.message : String(error)}`)
    })
    if (status === NOT_FOUND && method === 'GET') return null
    if (status >= 300) throw new KubeadmError(typeof object['message'] === 'string' ? object['message'] : `HTTP ${String(status)}`)
    return object
  }
  return {
    get: (path) => checked('GET', path),
    create: async (path, object) => (await checked('POST', path, object)) ?? {},
  }
}
