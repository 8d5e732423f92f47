import { isObject } from './json.ts'
import type { KubeObject } from './object.ts'

export interface FieldRequirement {
  field: string
  negated: boolean
  value: string
}

/** A selector from a query parameter, or the message of the 400 that upstream answers. */
export type ParsedFieldSelector = { requirements: FieldRequirement[]; error?: undefined } | { error: string }

/** Fields beyond metadata.name and metadata.namespace, by `group/plural`. Custom resources have those of their definition's selectableFields. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  '/pods': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  '/nodes': ['spec.unschedulable'],
  '/events': [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  'events.k8s.io/events': [
    'regarding.kind',
    'regarding.namespace',
    'regarding.name',
    'regarding.uid',
    'regarding.apiVersion',
    'regarding.resourceVersion',
    'regarding.fieldPath',
    'reason',
    'reportingController',
    'type',
  ],
  '/secrets': ['type'],
  '/namespaces': ['status.phase'],
  '/services': ['spec.clusterIP', 'spec.type'],
  '/replicationcontrollers': ['status.replicas'],
  'apps/replicasets': ['status.replicas'],
  'batch/jobs': ['status.successful'],
  'certificates.k8s.io/certificatesigningrequests': ['spec.signerName'],
  'resource.k8s.io/resourceslices': ['spec.nodeName', 'spec.driver'],
}

/** Splits at unescaped commas and `=`, `==`, `!=`; a backslash escapes the next character. */
export function parseFieldSelector(
  text: string,
  target: { group: string; plural: string },
  custom?: { fields: readonly string[]; namespaced: boolean },
): ParsedFieldSelector {
  const requirements: FieldRequirement[] = []
  const known = custom?.fields ?? FIELDS[`${target.group}/${target.plural}`] ?? []
  for (const term of text.match(/(?:\\.|[^\\,])+/gs) ?? []) {
    const parts = /^((?:\\.|[^\\=!])*)(!=|==|=)(.*)$/s.exec(term)
    if (parts === null) return { error: `invalid selector: '${text}'; can't understand '${term}'` }
    const [, field = '', operator = '', value = ''] = parts
    const always = field === 'metadata.name' || (field === 'metadata.namespace' && custom?.namespaced !== false)
    if (!always && !known.includes(field)) return { error: `field label not supported: ${field}` }
    requirements.push({ field, negated: operator === '!=', value: value.replace(/\\(.)/gs, '$1') })
  }
  return { requirements }
}

/** The text that a field selector compares; '' when the field is absent. */
export function selectableField(object: KubeObject, field: string): string {
  if (field === 'status.podIPs') field = 'status.podIP'
  if (field === 'status.successful') field = 'status.succeeded'
  if (field === 'source') {
    const component = at(object, ['source', 'component'])
    return component === '' ? at(object, ['reportingComponent']) : component
  }
  const text = at(object, field.split('.'))
  if (text !== '') return text
  if (field === 'spec.unschedulable' || field === 'spec.hostNetwork') return 'false'
  return field === 'status.replicas' || field === 'status.succeeded' ? '0' : ''
}

function at(value: unknown, path: string[]): string {
  let current = value
  for (const name of path) current = isObject(current) ? current[name] : undefined
  return typeof current === 'string' ? current : typeof current === 'number' || typeof current === 'boolean' ? String(current) : ''
}

export function matchesFields(requirements: readonly FieldRequirement[], object: KubeObject): boolean {
  return requirements.every(({ field, negated, value }) => (selectableField(object, field) === value) !== negated)
}
