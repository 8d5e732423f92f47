import type { KubeObject } from '../object.ts'
import { invalid, required, type FieldError } from './fieldError.ts'
import type { Rules, Target } from './kindRules.ts'
import { immutable, metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { dnsSubdomainErrors, qualifiedNameErrors, subdomainName } from './names.ts'
import { byteLength, has, number, object, pointer, text } from './values.ts'

/** Names that events.k8s.io gives to fields of the core Event, which errors go by. */
const CORE_NAMES: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
}

/** Both groups' events by core's names, and `reportingController` for what core calls reportingComponent. */
function core(event: KubeObject): KubeObject {
  const named = Object.entries(event).map(([name, value]) => [CORE_NAMES[name] ?? (name === 'reportingComponent' ? 'reportingController' : name), value])
  return Object.fromEntries(named) as KubeObject
}

function* longErrors(event: KubeObject, field: string, max: number): Iterable<FieldError> {
  if (byteLength(text(event[field])) > max) yield invalid(field, '', `can have at most ${String(max)} characters`)
}

function* legacyErrors(event: KubeObject): Iterable<FieldError> {
  const namespace = text(event.metadata.namespace)
  const involved = text(object(event['involvedObject'])['namespace'])
  const mismatch = invalid('involvedObject.namespace', involved, 'does not match event.namespace')
  if (!has(event['eventTime'])) {
    if (involved === '' ? namespace !== '' && namespace !== 'default' : namespace !== involved) yield mismatch
  } else {
    if (involved === '' && namespace !== 'kube-system') yield mismatch
    const controller = text(event['reportingController'])
    if (controller === '') yield required('reportingController')
    for (const detail of qualifiedNameErrors(controller)) yield invalid('reportingController', controller, detail)
    for (const field of ['reportingInstance', 'action', 'reason']) {
      if (text(event[field]) === '') yield required(field)
      yield* longErrors(event, field, 128)
    }
    yield* longErrors(event, 'message', 1024)
  }
  for (const detail of dnsSubdomainErrors(namespace)) yield invalid('namespace', namespace, detail)
}

function* seriesErrors(event: KubeObject): Iterable<FieldError> {
  const series = pointer(event['series'])
  if (series === null) return
  if (number(series['count']) < 2) yield invalid('series.count', '', 'should be at least 2')
  if (!has(series['lastObservedTime'])) yield required('series.lastObservedTime')
}

const isLegacy = ({ group, version }: Target): boolean => group === '' || version === 'v1beta1'

const FIXED: readonly (readonly [field: string, type?: string])[] = [
  ['involvedObject', 'core.v1.ObjectReference'],
  ['reason'],
  ['message'],
  ['source', 'core.v1.EventSource'],
  ['firstTimestamp'],
  ['lastTimestamp'],
  ['count'],
  ['reason'],
  ['type'],
  ['eventTime'],
  ['action'],
  ['related', 'core.v1.ObjectReference'],
  ['reportingController'],
  ['reportingInstance'],
]

/** First release that compares an event with what it was. */
const COMPARED_SINCE = 21

export const eventRules: Rules = {
  *create(sent, target) {
    const event = core(sent)
    yield* legacyErrors(event)
    if (isLegacy(target)) return
    yield* metadataErrors(event, { namespaced: true, name: subdomainName })
    yield* seriesErrors(event)
    if (!has(event['eventTime'])) yield required('eventTime')
    const type = text(event['type'])
    if (type !== 'Normal' && type !== 'Warning') yield invalid('type', '', `has invalid value: ${type}`)
    for (const field of ['firstTimestamp', 'lastTimestamp', 'count']) if (has(event[field]) && event[field] !== 0) yield invalid(field, '', 'needs to be unset')
    const source = object(event['source'])
    if (text(source['component']) !== '' || text(source['host']) !== '') yield invalid('source', '', 'needs to be unset')
  },
  *update(sent, stored, target) {
    const [after, before] = [core(sent), core(stored)]
    yield* legacyErrors(after)
    if (isLegacy(target)) return
    yield* metadataUpdateErrors(after, before)
    if (target.minor < COMPARED_SINCE) return
    if (!sameValue(after['series'], before['series'])) yield* seriesErrors(after)
    for (const [field, type] of FIXED) yield* immutable(after[field], before[field], field, type)
  },
}
