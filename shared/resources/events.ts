import type { KubeObject } from '#shared/kubernetes/object.ts'
import { number, text, type ResourceColumns } from './columns.ts'
import { common, namespaced } from './commonColumns.ts'
import { numberAt, textAt, timeAt } from './fields.ts'

// Columns: name namespace uid createdAtMs; lastSeenMs, type (Normal, Warning), reason, object (`Pod/web-1`), objectNamespace,
// message, count, source (component), node (host that said it).

/** First known of: the series' last time, lastTimestamp, eventTime, creation. */
function lastSeenMs(event: KubeObject): number {
  for (const path of [['series', 'lastObservedTime'], ['lastTimestamp'], ['eventTime'], ['metadata', 'creationTimestamp']]) {
    const found = timeAt(event, ...path)
    if (!Number.isNaN(found)) return found
  }
  return Number.NaN
}

function count(event: KubeObject): number {
  const known = [numberAt(event, 'series', 'count'), numberAt(event, 'count')].find((each) => each > 0)
  return known ?? 1
}

export const events: ResourceColumns = {
  resource: 'events',
  group: '',
  version: 'v1',
  kind: 'Event',
  namespaced: true,
  columns: {
    ...common,
    ...namespaced,
    lastSeenMs: number(lastSeenMs),
    type: text((event) => textAt(event, 'type')),
    reason: text((event) => textAt(event, 'reason')),
    object: text((event) => `${textAt(event, 'involvedObject', 'kind')}/${textAt(event, 'involvedObject', 'name')}`),
    objectNamespace: text((event) => textAt(event, 'involvedObject', 'namespace')),
    message: text((event) => textAt(event, 'message')),
    count: number(count),
    source: text((event) => textAt(event, 'reportingComponent') || textAt(event, 'source', 'component')),
    node: text((event) => textAt(event, 'source', 'host')),
  },
}
