import type { JsonObject } from '#shared/kubernetes/json.ts'

/** Of an entry of `metadata.managedFields`. */
export function identityOf(entry: JsonObject): string {
  return ['operation', 'manager', 'apiVersion', 'subresource'].map((field) => String(entry[field])).join(' ')
}

/** The entries of an object that is shown within a text, which go by time, in one order and without their times. */
export function withOrderedManagers(text: string): string {
  const name = '\\"managedFields\\":'
  const from = text.indexOf(name) + name.length
  if (from < name.length) return text
  let depth = 0
  let end = from
  do {
    if (text[end] === '[') depth += 1
    else if (text[end] === ']') depth -= 1
    end += 1
  } while (depth > 0 && end < text.length)
  const entries = JSON.parse(JSON.parse(`"${text.slice(from, end)}"`) as string) as JsonObject[]
  const ordered = entries
    .map((entry) => ({ ...entry, ...(entry['time'] === undefined ? {} : { time: 'T' }) }))
    .sort((a, b) => (identityOf(a) < identityOf(b) ? -1 : 1))
  return text.slice(0, from) + JSON.stringify(JSON.stringify(ordered)).slice(1, -1) + text.slice(end)
}
