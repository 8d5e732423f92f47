import type { ManagedFieldsEntry } from '../object.ts'
import { difference, EMPTY, equalSets, fieldsV1, isEmpty, parseFieldsV1, union, type FieldSet } from './fieldSet.ts'

/** One manager's fields. */
export interface Manager {
  name: string
  operation: 'Apply' | 'Update'
  apiVersion: string
  subresource: string
  /** RFC 3339; '' when not known. */
  time: string
  set: FieldSet
}

/** What makes two entries the same manager: for Apply the version does not count. */
export function identity(manager: Pick<Manager, 'name' | 'operation' | 'apiVersion' | 'subresource'>): string {
  return JSON.stringify([manager.operation, manager.name, manager.subresource, manager.operation === 'Apply' ? '' : manager.apiVersion])
}

/** Managers by identity. */
export type Managers = ReadonlyMap<string, Manager>

export function parseManagers(entries: readonly ManagedFieldsEntry[] | undefined | null): Managers {
  const managers = new Map<string, Manager>()
  for (const entry of entries ?? []) {
    const manager: Manager = {
      name: entry.manager ?? '',
      operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
      apiVersion: entry.apiVersion ?? '',
      subresource: entry.subresource ?? '',
      time: entry.time ?? '',
      set: parseFieldsV1(entry.fieldsV1),
    }
    // Of two entries of one manager, which `/scale` can leave, upstream takes the last.
    managers.set(identity(manager), manager)
  }
  return managers
}

/** Upstream's order of two entries' fields. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The entries as they stand in metadata: Apply first, then by time, name, version, subresource. */
export function managedFieldsEntries(managers: Iterable<Manager>): ManagedFieldsEntry[] {
  return [...managers]
    .sort(
      (a, b) =>
        compareText(a.operation, b.operation) ||
        compareText(a.time, b.time) ||
        compareText(a.name, b.name) ||
        compareText(a.apiVersion, b.apiVersion) ||
        compareText(a.subresource, b.subresource),
    )
    .map((manager) => ({
      manager: manager.name,
      operation: manager.operation,
      apiVersion: manager.apiVersion,
      ...(manager.time === '' ? {} : { time: manager.time }),
      fieldsType: 'FieldsV1',
      fieldsV1: fieldsV1(manager.set),
      ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
    }))
}

/** Without managers that own nothing. */
export function withoutEmpty(managers: Managers): Managers {
  return new Map([...managers].filter(([, manager]) => !isEmpty(manager.set)))
}

/** Upstream keeps no more Update entries than this; older ones become one. */
const MAX_UPDATE_MANAGERS = 10
const ANCIENT = 'ancient-changes'

/** Merges the oldest Update managers beyond the limit into `ancient-changes`, per version. */
export function capManagers(managers: Managers): Managers {
  const updates = [...managers.values()]
    .filter((each) => each.operation === 'Update')
    .sort((a, b) => compareText(a.time, b.time) || compareText(a.name, b.name))
  let excess = updates.length - MAX_UPDATE_MANAGERS
  if (excess <= 0) return managers
  const result = new Map(managers)
  for (const manager of updates) {
    if (excess <= 0) break
    if (manager.name === ANCIENT) continue
    result.delete(identity(manager))
    const ancient: Manager = { ...manager, name: ANCIENT }
    const known = result.get(identity(ancient))
    result.set(
      identity(ancient),
      known === undefined ? ancient : { ...known, time: manager.time > known.time ? manager.time : known.time, set: union(known.set, manager.set) },
    )
    // The first that becomes ancient changes the name only; each further one makes one entry less.
    if (known !== undefined) excess -= 1
  }
  return result
}

/** Takes paths from every manager but one. */
export function takeFrom(managers: Managers, taken: FieldSet, except: string): Managers {
  const left = (manager: Manager): Manager => {
    const set = difference(manager.set, taken)
    return set === manager.set ? manager : { ...manager, set }
  }
  return new Map([...managers].map(([key, manager]) => [key, key === except ? manager : left(manager)]))
}

/** Whether two lists of managers own the same, whatever their times. */
export function sameOwnership(a: Managers, b: Managers): boolean {
  return (
    a.size === b.size && [...a].every(([key, manager]) => equalSets(manager.set, b.get(key)?.set ?? EMPTY) && b.get(key)?.apiVersion === manager.apiVersion)
  )
}
