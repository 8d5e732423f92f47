import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { Answer } from '../../support/apiServers.ts'

// What is left of an answer when chance, time and unstable texts are taken out.

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Texts that differ from run to run on the real server itself: uids, addresses in memory, and cmp.Diff's report, which promises no form. */
export function stableText(text: string): string {
  return (
    text
      .replace(UUID, 'UID')
      .replace(/(may not change fields other than|is immutable after creation|may not be changed|updates may not modify a condition)([^\n]*)\n[\s\S]*$/, '$1$2')
      .replace(/0xc[0-9a-f]{6,}/g, '0xADDR')
      // Go's text of a whole struct shows its memory; that of an empty list or map, whether it was ever made.
      .replace(/(Invalid|Unsupported|Duplicate) value: (\*?[\w.]+)\{[^]*\}(?=: |$)/, '$1 value: $2')
      .replace(/((?:map\[\w+\]|\[\])[\w.]+)(?:\{\}|\(nil\))/g, '$1{}')
      .replace(/core\.ResourceList\{\}|core\.ResourceList\(nil\)/g, 'core.ResourceList')
      // How the two servers were started.
      .replace(/(range of valid IPs is )[\d./]+/, '$1RANGE')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
  )
}

interface Cause {
  reason?: string
  message?: string
  field?: string
}

/** A Status without the order of its causes: upstream walks maps, whose order is by chance. */
export function stableStatus(body: unknown): JsonObject {
  if (!isObject(body)) return { body }
  const details = isObject(body['details']) ? body['details'] : {}
  const causes = (Array.isArray(details['causes']) ? (details['causes'] as Cause[]) : []).map(
    ({ reason = '', message = '', field = '' }) => `${field}|${reason}|${stableText(message)}`,
  )
  const message = typeof body['message'] === 'string' ? body['message'] : ''
  return {
    code: body['code'],
    reason: body['reason'],
    details: { ...details, causes: causes.sort() },
    // With the order gone, the same text has the same characters.
    message: causes.length > 1 ? message.slice(0, message.indexOf(':') + 1) : stableText(message),
  }
}

function stableObject(body: JsonObject): JsonObject {
  const text = JSON.stringify(body, (key, value: unknown) => {
    if (key === 'resourceVersion' || key === 'creationTimestamp' || key === 'uid' || key === 'managedFields' || key === 'selfLink' || key === 'generation')
      return undefined
    return value
  })
  return JSON.parse(text.replace(UUID, 'UID')) as JsonObject
}

/** @param cut takes away what the peer does not know */
export function stable({ status, body }: Answer, cut: (object: JsonObject) => unknown): unknown {
  if (status >= 400 || !isObject(body)) return { status, ...stableStatus(body) }
  return { status, object: cut(stableObject(body)) }
}

/** Paths where two values differ, for reports. */
export function differences(a: unknown, b: unknown, path = ''): string[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return []
  if (isObject(a) && isObject(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => differences(a[key], b[key], `${path}.${key}`))
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length)
    return (a as unknown[]).flatMap((each, index) => differences(each, (b as unknown[])[index], `${path}[${String(index)}]`))
  return [`${path}: ours ${JSON.stringify(a)} theirs ${JSON.stringify(b)}`]
}
