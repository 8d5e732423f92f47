import type { ManagedFieldsEntry } from '../object.ts'
import { difference, EMPTY, fromChildren, isEmpty, LEAF, type FieldSet } from './fieldSet.ts'
import type { Writer } from './fieldManager.ts'
import { identity, managedFieldsEntries, parseManagers, type Manager } from './managers.ts'

/** The version whose fields `/scale` has, and the number's place in it. */
const SCALE_VERSION = 'autoscaling/v1'

/** Where the number of replicas stands in a version, as FieldsV1 elements; null where it has none, undefined of versions that are not known. */
export type ReplicasPath = (apiVersion: string) => readonly string[] | null | undefined

/**
 * Who owns what after a write of `/scale`. Upstream tracks the number in the Scale alone and takes the result over: where nobody owned the
 * number nobody comes to, who owns it by an update gets an entry of its own for it, and when that came to be is not told.
 *
 * @param replicas of the Scale before and after; null where there was none. In a Scale 0 is the same as none
 * @see k8s.io/apimachinery/pkg/util/managedfields/scalehandler.go
 */
export function trackScale(
  entries: readonly ManagedFieldsEntry[] | undefined,
  replicas: { before: number | null; after: number },
  writer: Writer,
  pathIn: ReplicasPath,
): ManagedFieldsEntry[] {
  const known = parseManagers(entries)
  const owners = new Map<string, Manager>()
  for (const manager of known.values()) {
    const path = pathIn(manager.apiVersion)
    if (path === null || path === undefined || !holds(manager.set, path)) continue
    const owner = { ...manager, apiVersion: SCALE_VERSION, set: LEAF }
    owners.set(identity(owner), owner)
  }
  if (owners.size > 0 && replicas.before !== replicas.after) {
    owners.clear()
    const me: Manager = { name: writer.manager, operation: 'Update', apiVersion: SCALE_VERSION, subresource: writer.subresource, time: '', set: LEAF }
    if (replicas.after !== 0) owners.set(identity(me), me)
  }
  const kept = [...known.values()].flatMap((manager) => {
    const path = pathIn(manager.apiVersion)
    if (path === undefined) return []
    if (path === null || !holds(manager.set, path) || owners.delete(identity(manager))) return [manager]
    return [{ ...manager, set: difference(manager.set, at(path, LEAF)) }]
  })
  const own = pathIn(writer.apiVersion) ?? []
  const taken = [...owners.values()].map((owner) => ({ ...owner, apiVersion: writer.apiVersion, time: '', set: at(own, LEAF) }))
  return managedFieldsEntries(withoutEmptyOnes([...kept, ...taken]))
}

const withoutEmptyOnes = (managers: readonly Manager[]): Manager[] => managers.filter(({ set }) => !isEmpty(set))

function holds(set: FieldSet, path: readonly string[]): boolean {
  return path.reduce<FieldSet>((node, step) => node.children.get(step) ?? EMPTY, set).member
}

function at(path: readonly string[], set: FieldSet): FieldSet {
  return path.reduceRight<FieldSet>((inner, step) => fromChildren([[step, inner]]), set)
}
