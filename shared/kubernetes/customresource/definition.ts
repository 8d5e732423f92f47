import { isObject, type JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import type { PrinterColumn } from '../printers/table.ts'
import { compareVersions } from '../schema/served.ts'
import type { SchemaNode } from './schemaNode.ts'

export interface DefinitionNames {
  plural: string
  singular: string
  kind: string
  listKind: string
  shortNames: string[]
  categories: string[]
}

export interface DefinitionVersion {
  name: string
  served: boolean
  storage: boolean
  deprecated: boolean
  deprecationWarning: string | null
  schema: SchemaNode | undefined
  status: boolean
  scale: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath: string | null } | null
  columns: PrinterColumn[]
  selectableFields: string[]
}

export interface DefinitionCondition {
  type: string
  status: string
  reason?: string
  message?: string
  lastTransitionTime?: string
}

/** A CustomResourceDefinition (apiextensions.k8s.io/v1) read into its parts; what is missing or malformed is empty. */
export interface Definition {
  name: string
  uid: string
  group: string
  namespaced: boolean
  names: DefinitionNames
  acceptedNames: DefinitionNames
  versions: DefinitionVersion[]
  preserveUnknownFields: boolean
  conversion: JsonObject | null
  conditions: DefinitionCondition[]
  finalizers: string[]
  deleting: boolean
}

const at = (value: unknown): JsonObject => (isObject(value) ? value : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])
const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

function namesOf(value: unknown): DefinitionNames {
  const names = at(value)
  return {
    plural: text(names['plural']),
    singular: text(names['singular']),
    kind: text(names['kind']),
    listKind: text(names['listKind']),
    shortNames: texts(names['shortNames']),
    categories: texts(names['categories']),
  }
}

function versionOf(version: JsonObject): DefinitionVersion {
  const { status, scale } = at(version['subresources'])
  const schema = at(version['schema'])['openAPIV3Schema']
  return {
    name: text(version['name']),
    served: version['served'] === true,
    storage: version['storage'] === true,
    deprecated: version['deprecated'] === true,
    deprecationWarning: typeof version['deprecationWarning'] === 'string' ? version['deprecationWarning'] : null,
    schema: isObject(schema) ? schema : undefined,
    status: isObject(status),
    scale: isObject(scale)
      ? {
          specReplicasPath: text(scale['specReplicasPath']),
          statusReplicasPath: text(scale['statusReplicasPath']),
          labelSelectorPath: typeof scale['labelSelectorPath'] === 'string' && scale['labelSelectorPath'] !== '' ? scale['labelSelectorPath'] : null,
        }
      : null,
    columns: objects(version['additionalPrinterColumns']) as unknown as PrinterColumn[],
    selectableFields: objects(version['selectableFields']).map((field) => text(field['jsonPath']).replace(/^\./, '')),
  }
}

export function parseDefinition(object: KubeObject): Definition {
  const [spec, status] = [at(object['spec']), at(object['status'])]
  return {
    name: object.metadata.name ?? '',
    uid: object.metadata.uid ?? '',
    group: text(spec['group']),
    namespaced: spec['scope'] === 'Namespaced',
    names: namesOf(spec['names']),
    acceptedNames: namesOf(status['acceptedNames']),
    versions: objects(spec['versions']).map(versionOf),
    preserveUnknownFields: spec['preserveUnknownFields'] === true,
    conversion: isObject(spec['conversion']) ? spec['conversion'] : null,
    conditions: objects(status['conditions']) as unknown as DefinitionCondition[],
    finalizers: object.metadata.finalizers ?? [],
    deleting: object.metadata.deletionTimestamp !== undefined,
  }
}

export function isCondition({ conditions }: Definition, type: string, status = 'True'): boolean {
  return conditions.some((each) => each.type === type && each.status === status)
}

/** The finalizer of a definition whose objects must go first. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io'

/** Replaces the condition of the same type; the time of the last change stays while the status does. */
export function setCondition(status: JsonObject, condition: DefinitionCondition): void {
  const conditions = Array.isArray(status['conditions']) ? (status['conditions'] as DefinitionCondition[]) : []
  const old = conditions.find(({ type }) => type === condition.type)
  const next =
    old?.status === condition.status && old.lastTransitionTime !== undefined ? { ...condition, lastTransitionTime: old.lastTransitionTime } : condition
  status['conditions'] = old === undefined ? [...conditions, next] : conditions.map((each) => (each === old ? next : each))
}

/** What a request of a deprecated version is warned of. */
export function deprecationWarning({ group, names, versions }: Definition, version: DefinitionVersion): string | null {
  if (!version.deprecated) return null
  if (version.deprecationWarning !== null) return version.deprecationWarning
  const better = versions
    .filter(({ name, served, deprecated }) => served && !deprecated && compareVersions(name, version.name) < 0)
    .sort((a, b) => compareVersions(a.name, b.name))[0]
  const text = `${group}/${version.name} ${names.kind} is deprecated`
  return better === undefined ? text : `${text}; use ${group}/${better.name} ${names.kind}`
}
