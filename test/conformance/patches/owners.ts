import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** managedFields without times, in an order of their own: two writes within a second have no order. */
export function ownersOf(body: JsonObject): unknown {
  const metadata = isObject(body['metadata']) ? body['metadata'] : {}
  const entries = Array.isArray(metadata['managedFields']) ? metadata['managedFields'].filter(isObject) : []
  return Object.fromEntries(
    entries.map((entry) => [
      [entry['operation'], entry['manager'], entry['apiVersion'], entry['subresource'] ?? ''].join(' '),
      JSON.parse(
        JSON.stringify(sorted(entry['fieldsV1']))
          .replace(UUID, 'UID')
          .replace(/10\.(?:9[6-9]|10\d|11[01])\.\d+\.\d+/g, 'SERVICE-IP'),
      ) as unknown,
    ]),
  )
}

function sorted(value: unknown): unknown {
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}

/** What of an object is the same on two servers: without uids, times, addresses and ports that are given out by chance. */
export function stableOwned(body: JsonObject): JsonObject {
  const text = JSON.stringify(body, (key, value: unknown) => {
    if (['resourceVersion', 'creationTimestamp', 'uid', 'managedFields', 'selfLink', 'lastTransitionTime', 'lastUpdateTime'].includes(key)) return undefined
    if (key === 'nodePort' || key === 'healthCheckNodePort') return typeof value === 'number' && value >= 30_000 ? 'PORT' : value
    return value
  })
  return JSON.parse(text.replace(UUID, 'UID').replace(/"10\.(?:9[6-9]|10\d|11[01])\.\d+\.\d+"/g, '"SERVICE-IP"')) as JsonObject
}
