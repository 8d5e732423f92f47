import { emptiedPaths } from '../codec/canonical.ts'
import { deepEqual, isObject, type JsonObject } from '../json.ts'
import type { KubeObject, ManagedFieldsEntry } from '../object.ts'
import type { StatusCause } from '../status.ts'
import { emptiedLeaves } from './emptied.ts'
import { difference, EMPTY, equalSets, intersection, isEmpty, paths, pathText, union, without, type FieldSet } from './fieldSet.ts'
import { capManagers, identity, managedFieldsEntries, parseManagers, sameOwnership, takeFrom, withoutEmpty, type Manager, type Managers } from './managers.ts'
import type { MergeType } from './mergeType.ts'
import { reconciled } from './mergeDiff4.ts'
import { pruned } from './pruning.ts'
import { compare, fieldsOf, merge, typeFault } from './typedValue.ts'

/** Fields that nobody owns. */
const UNOWNED: readonly (readonly string[])[] = [
  ['f:apiVersion'],
  ['f:kind'],
  ...['name', 'namespace', 'uid', 'creationTimestamp', 'generation', 'resourceVersion', 'selfLink', 'managedFields', 'clusterName'].map((name) => [
    'f:metadata',
    `f:${name}`,
  ]),
]

export interface Writer {
  manager: string
  /** The request's group and version, such as `apps/v1`. */
  apiVersion: string
  /** '' for the main resource. */
  subresource: string
  /** RFC 3339 in seconds. */
  now: string
}

export interface FieldManagerContext {
  type: MergeType
  /** What Go's zero object is in JSON (`zeroObject`); `{}` for custom resources. */
  zero: JsonObject
  /** Paths that this request cannot change, as FieldsV1 elements: `[['f:status']]` for the main resource, `[['f:spec']]` for /status. */
  resetFields: readonly (readonly string[])[]
  /** Merge as structured-merge-diff 4.0 of Kubernetes before 1.21 does. */
  version4?: boolean
  /** Adds what the served release writes to JSON and the table's does not, as it is owned too. */
  asWritten?: (object: JsonObject) => JsonObject
  /** Entries do not say which subresource was written, as before 1.22. */
  withoutSubresource?: boolean
}

/** `.` of metadata goes with the unowned fields: metadata itself is nobody's. */
function owned(set: FieldSet, context: FieldManagerContext): FieldSet {
  const stripped = without(set, [...UNOWNED, ...context.resetFields])
  const metadata = stripped.children.get('f:metadata')
  if (metadata?.member !== true) return stripped.member ? { ...stripped, member: false } : stripped
  const children = new Map(stripped.children)
  children.delete('f:metadata')
  if (metadata.children.size > 0) children.set('f:metadata', { member: false, children: metadata.children })
  return { member: false, children }
}

function withoutManagedFields(object: KubeObject | null): KubeObject | null {
  if (object === null) return null
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

function withManagers(object: KubeObject, managers: Managers): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata: managers.size === 0 ? metadata : { ...metadata, managedFields: managedFieldsEntries(managers.values()) } }
}

function isReset(entries: readonly ManagedFieldsEntry[] | null | undefined): boolean {
  return entries !== null && entries !== undefined && (entries.length === 0 || (entries.length === 1 && deepEqual(entries[0], {})))
}

/**
 * Sets managedFields of an object that is about to be written by create, update or a patch other than apply.
 *
 * @param live the stored object, null on create; both in the request's version
 * @returns the updated object with new managedFields; the writer's time stays when it owns what it owned before
 */
export function trackUpdate(live: KubeObject | null, updated: KubeObject, writer: Writer, context: FieldManagerContext): KubeObject {
  const given = updated.metadata.managedFields
  if (live !== null && writer.subresource === '' && isReset(given)) return withManagers(updated, new Map())
  const stored = parseManagers(live?.metadata.managedFields)
  // Most send back what they have read.
  const isReadBack = given !== undefined && given !== null && deepEqual(given, live?.metadata.managedFields)
  const sent = writer.subresource !== '' ? new Map<string, Manager>() : isReadBack ? stored : parseManagers(given)
  const known = sent.size > 0 ? sent : stored
  const before = context.version4 === true && live !== null ? reconciled(known, withoutManagedFields(live), context.type) : known
  // An object that was never tracked stays so until somebody applies it.
  if (live !== null && before.size === 0) return withManagers(updated, before)
  // Version 4 cannot tell items of one name or of none apart, and gives up the tracking of such an object.
  if (context.version4 === true && (typeFault(updated, context.type) ?? typeFault(live, context.type)) !== null) return withManagers(updated, new Map())
  const asWritten = (object: JsonObject): JsonObject => context.asWritten?.(object) ?? object
  const [was, is] = [withoutManagedFields(live) ?? context.zero, withoutManagedFields(updated) ?? {}]
  const comparison = compare(asWritten(was), asWritten(is), context.type)
  const emptied = live === null ? EMPTY : emptiedLeaves(emptiedPaths(updated), is, context.type)
  const [added, modified, removed] = [comparison.added, union(comparison.modified, emptied), comparison.removed].map((set) => owned(set, context)) as [
    FieldSet,
    FieldSet,
    FieldSet,
  ]
  const me: Manager = {
    name: writer.manager,
    operation: 'Update',
    apiVersion: writer.apiVersion,
    subresource: context.withoutSubresource === true ? '' : writer.subresource,
    time: writer.now,
    set: EMPTY,
  }
  const key = identity(me)
  const changed = union(added, modified)
  const managers = new Map(takeFrom(before, union(changed, removed), key))
  const mine = known.get(key)
  const set = union(difference(before.get(key)?.set ?? EMPTY, removed), changed)
  // Earlier releases leave the time of who owns what it owned before; later ones that of who changed nothing.
  const same = mine !== undefined && (isEmpty(changed) || (context.version4 === true && equalSets(mine.set, set)))
  managers.set(key, { ...me, set, time: same ? mine.time : writer.now })
  return withManagers(updated, capManagers(withoutEmpty(managers)))
}

/** What an apply comes to: the object to write (equal to the live one when nothing changed), or who stands against it. */
export type ApplyOutcome =
  | {
      kind: 'applied'
      object: KubeObject
      /** False when only who owns what has changed: upstream then goes on with the object as it was read. */
      changed: boolean
    }
  | { kind: 'conflict'; message: string; causes: StatusCause[] }
  /** The lists of one of the objects have items that are named alike, or not at all. */
  | { kind: 'untyped'; message: string }

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * Server-side apply.
 *
 * @param live the stored object in the request's version, null when there is none
 * @param applied the configuration as sent
 */
export function applyConfiguration(
  live: KubeObject | null,
  applied: KubeObject,
  writer: Writer & { force: boolean },
  context: FieldManagerContext,
): ApplyOutcome {
  const base = withoutManagedFields(live)
  const version4 = context.version4 === true
  let before = parseManagers(live?.metadata.managedFields)
  const named = without(fieldsOf(applied, context.type, version4), context.resetFields)
  const me: Manager = {
    name: writer.manager,
    operation: 'Apply',
    apiVersion: writer.apiVersion,
    subresource: context.withoutSubresource === true ? '' : writer.subresource,
    time: writer.now,
    set: owned(named, context),
  }
  const former = before
  const liveFault = version4 && base !== null ? typeFault(base, context.type) : null
  if (base !== null && before.size === 0) {
    if (liveFault !== null) {
      const kind = `${writer.apiVersion.includes('/') ? '' : '/'}${writer.apiVersion}, Kind=${String(base.kind)}`
      return { kind: 'untyped', message: `failed to create manager for existing fields: failed to convert new object (${kind}) to smd typed: ${liveFault}` }
    }
    const { added, modified } = compare(context.zero, context.asWritten?.(base) ?? base, context.type)
    const found = owned(union(added, modified), context)
    const first: Manager = { ...me, name: 'before-first-apply', operation: 'Update', set: found }
    before = new Map([[identity(first), first]])
  }
  if (version4) before = reconciled(before, base, context.type)
  for (const [what, fault] of [
    ['patch', version4 ? typeFault(applied, context.type) : null],
    ['live', liveFault],
  ] as const)
    if (fault !== null) return { kind: 'untyped', message: `failed to create typed ${what} object: ${fault}` }
  const key = identity(me)
  const last = before.get(key)
  const managers = new Map(before).set(key, me)
  const merged = merge(base ?? undefined, applied, context.type, version4)
  const others = [...managers].filter(([id]) => id !== key).map(([, { set }]) => set)
  const result = (
    last === undefined || isEmpty(last.set) ? merged : pruned(merged as JsonObject, { last: last.set, applied: named, others, version4 }, context.type)
  ) as KubeObject
  const comparison = compare(base ?? context.zero, result, context.type)
  const changed = owned(union(comparison.added, comparison.modified), context)
  const conflicts = [...managers].flatMap(([id, manager]) => {
    const overlap = id === key ? EMPTY : intersection(manager.set, changed)
    return isEmpty(overlap) ? [] : [{ manager, overlap }]
  })
  const standing = writer.force ? [] : withoutWaived(conflicts, base, writer.manager, context)
  if (standing.length > 0) return conflictOutcome(standing)
  const after = withoutEmpty(takeFrom(managers, union(changed, owned(comparison.removed, context)), key))
  const unchanged = live !== null && isEmpty(changed) && isEmpty(owned(comparison.removed, context))
  // Upstream looks at the whole: an empty status that the main resource drops again is a change too.
  const sameObject = unchanged && (version4 || deepEqual(base, result))
  // Times alone are no change: an apply that says nothing new leaves the object as it is.
  if (sameObject && live.metadata.managedFields !== undefined && sameOwnership(former, after)) return { kind: 'applied', object: live, changed: false }
  // Who changed nothing keeps the time at which they last did, or has none.
  const mine = after.get(key)
  const timed = sameObject && mine !== undefined && context.version4 !== true ? new Map(after).set(key, { ...mine, time: last?.time ?? '' }) : after
  return { kind: 'applied', object: withManagers(result, capManagers(timed)), changed: !sameObject }
}

interface Conflict {
  manager: Manager
  overlap: FieldSet
}

/**
 * Who migrates from client-side apply with kubectl meets no conflict over what the annotation says it had applied, as long as the
 * live object still has it so.
 */
function withoutWaived(conflicts: Conflict[], live: KubeObject | null, manager: string, { type, version4 }: FieldManagerContext): Conflict[] {
  const text = live?.metadata.annotations?.[LAST_APPLIED]
  if (conflicts.length === 0 || manager !== 'kubectl' || text === undefined) return conflicts
  let annotation: unknown
  try {
    annotation = JSON.parse(text)
  } catch {
    return conflicts
  }
  if (!isObject(annotation)) return conflicts
  const { added, modified, removed } = compare(annotation, live, type)
  const own = difference(fieldsOf(annotation, type, version4 === true), union(union(added, modified), removed))
  return conflicts.map(({ manager: each, overlap }) => ({ manager: each, overlap: difference(overlap, own) })).filter(({ overlap }) => !isEmpty(overlap))
}

/** What upstream tells managers in the order of: the entry's JSON, without times and fields, and of who applied without a version. */
function orderedText({ name, operation, apiVersion, subresource }: Manager): string {
  return JSON.stringify({
    ...{ manager: name, operation },
    ...(operation === 'Apply' ? {} : { apiVersion }),
    ...(subresource === '' ? {} : { subresource }),
  })
}

function conflictOutcome(conflicts: Conflict[]): ApplyOutcome {
  const named = conflicts
    .map(({ manager, overlap }) => {
      const subresource = manager.subresource === '' ? '' : ` with subresource "${manager.subresource}"`
      const using = manager.operation === 'Apply' ? '' : ` using ${manager.apiVersion}`
      const [order, fields] = [orderedText(manager), paths(overlap).map(pathText)]
      return { who: `conflict with "${manager.name}"${subresource}${using}`, order, fields }
    })
    .sort((a, b) => (a.order < b.order ? -1 : 1))
  const causes = named.flatMap(({ who, fields }) => fields.map((field) => ({ reason: 'FieldManagerConflict', message: who, field })))
  const [first] = causes
  if (causes.length === 1 && first !== undefined) return { kind: 'conflict', causes, message: `Apply failed with 1 conflict: ${first.message}: ${first.field}` }
  const groups = named.map(({ who, fields }) => `${who.replace('conflict', 'conflicts')}:\n${fields.map((field) => `- ${field}`).join('\n')}`)
  return { kind: 'conflict', causes, message: `Apply failed with ${String(causes.length)} conflicts: ${groups.join('\n')}` }
}
