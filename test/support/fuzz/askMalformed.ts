import { isObject } from '#shared/kubernetes/json.ts'
import type { Random } from '#shared/base/random.ts'
import type { EmbeddedApi } from '../embeddedApi.ts'
import { malformedRequest, type FuzzRequest } from './malformedRequest.ts'

export interface Finding {
  request: FuzzRequest
  why: string
}

/** 5xx answers that upstream gives as well, by what they say; each names what is wrong. */
const NAMED_FAULTS = [
  /^Timeout: Too large resource version/,
  /is not built/,
  /resourceVersion should not be set on objects to be created/,
  /have no HTTP interface/,
  /no endpoints available/,
  /without impersonating a user/,
  // What the real server answers with 500 too.
  /does not contain declared merge key/,
]
const LONGEST_READ_BYTES = 64 * 1024

/** Sends malformed requests, several at a time. @returns what was answered as it should not be, and how often each status came */
export async function askMalformed(cluster: EmbeddedApi, random: Random, count: number): Promise<{ findings: Finding[]; statuses: Map<number, number> }> {
  const findings: Finding[] = []
  const statuses = new Map<number, number>()
  let sent = 0
  const one = async (): Promise<void> => {
    const request = malformedRequest(random)
    const aborter = new AbortController()
    try {
      const answer = await cluster.transport.stream({ ...request, signal: aborter.signal })
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      const endless = /watch|follow/.test(request.path)
      const parts: Uint8Array[] = []
      let length = 0
      if (!endless || answer.status !== 200)
        for await (const part of answer.body) {
          parts.push(part)
          length += part.length
          if (length > LONGEST_READ_BYTES) break
        }
      const why = wrong(answer.status, answer.headers['content-type'] ?? '', Buffer.concat(parts).toString('utf8'), length > LONGEST_READ_BYTES)
      if (why !== null) findings.push({ request, why })
    } catch (error) {
      findings.push({ request, why: `no answer: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` })
    } finally {
      aborter.abort()
    }
  }
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (sent++ < count) await one()
    }),
  )
  return { findings, statuses }
}

function wrong(status: number, type: string, text: string, cut: boolean): string | null {
  if (status < 200 || status > 599) return `status ${String(status)}`
  if (status < 400) return null
  if (status >= 500 && !NAMED_FAULTS.some((fault) => fault.test(messageOf(text)))) return `${String(status)} ${text.slice(0, 500)}`
  if (!type.startsWith('application/json') || cut) return null
  try {
    const body: unknown = JSON.parse(text)
    return isObject(body) && body['kind'] === 'Status' && body['code'] === status && body['status'] === 'Failure'
      ? null
      : `an answer ${String(status)} without its Status: ${text.slice(0, 300)}`
  } catch {
    return `an answer ${String(status)} that is no JSON: ${text.slice(0, 300)}`
  }
}

function messageOf(text: string): string {
  try {
    const body: unknown = JSON.parse(text)
    return isObject(body) && typeof body['message'] === 'string' ? body['message'] : text
  } catch {
    return text
  }
}
