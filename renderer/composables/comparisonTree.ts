import type { ComparedObject, ObjectKey } from '#shared/contract/compare.ts'

export interface ChangeCounts {
  added: number
  removed: number
  changed: number
}

export interface KindGroup {
  /** Unique in the whole tree. */
  id: string
  kind: string
  counts: ChangeCounts
  objects: ComparedObject[]
}

/** What changed in one namespace, the Namespace object itself among it; `name` is '' for what belongs to the whole cluster. */
export interface NamespaceGroup {
  id: string
  name: string
  counts: ChangeCounts
  kinds: KindGroup[]
}

export type ComparisonRow =
  | { level: 0; id: string; group: NamespaceGroup; open: boolean }
  | { level: 1; id: string; group: KindGroup; open: boolean }
  | { level: 2; id: string; object: ComparedObject }

export interface ComparisonFilter {
  /** Also what comes and goes by itself. */
  noise: boolean
  /** Also what controllers make. */
  owned: boolean
  /** Part of a name, kind or namespace; '' = all. */
  text: string
  namespace: string
}

export const objectId = ({ group, resource, namespace, name }: Pick<ObjectKey, 'group' | 'resource' | 'namespace' | 'name'>): string =>
  `${group}/${resource}/${namespace}/${name}`

/** Whether an object can be made again: it was there before, and no controller makes it anyway. */
export const isRestorable = (object: ComparedObject): boolean => object.change !== 'added' && object.owner === '' && !object.noise

/** The namespace under which an object is told of: a Namespace is told of in its own. */
export const placeOf = ({ kind, group, namespace, name }: ComparedObject): string => (kind === 'Namespace' && group === '' ? name : namespace)

export function filterCompared(objects: readonly ComparedObject[], { noise, owned, text, namespace }: ComparisonFilter): ComparedObject[] {
  const wanted = text.trim().toLowerCase()
  return objects.filter(
    (each) =>
      (noise || !each.noise) &&
      (owned || each.owner === '') &&
      (namespace === '' || placeOf(each) === namespace) &&
      (wanted === '' || `${each.kind} ${placeOf(each)}/${each.name}`.toLowerCase().includes(wanted)),
  )
}

/** Namespaces by name, what belongs to the whole cluster last; in each the kinds by name, a Namespace first. */
export function comparisonTree(objects: readonly ComparedObject[]): NamespaceGroup[] {
  const namespaces = new Map<string, NamespaceGroup & { byKind: Map<string, KindGroup> }>()
  for (const object of objects) {
    const name = placeOf(object)
    let group = namespaces.get(name)
    if (group === undefined) namespaces.set(name, (group = { id: `n ${name}`, name, counts: noChanges(), kinds: [], byKind: new Map() }))
    const kindKey = `${object.group}/${object.resource}`
    let kind = group.byKind.get(kindKey)
    if (kind === undefined) group.byKind.set(kindKey, (kind = { id: `k ${name} ${kindKey}`, kind: object.kind, counts: noChanges(), objects: [] }))
    group.counts[object.change]++
    kind.counts[object.change]++
    kind.objects.push(object)
  }
  const first = (kind: string): number => (kind === 'Namespace' ? 0 : 1)
  return [...namespaces.values()]
    .map(({ byKind, ...group }) => ({
      ...group,
      kinds: [...byKind.values()]
        .map((kind) => ({ ...kind, objects: kind.objects.toSorted((a, b) => compareText(a.name, b.name)) }))
        .sort((a, b) => first(a.kind) - first(b.kind) || compareText(a.kind, b.kind) || compareText(a.id, b.id)),
    }))
    .sort((a, b) => Number(a.name === '') - Number(b.name === '') || compareText(a.name, b.name))
}

/** The rows to show, top down: what is in `closed` keeps its inside to itself. */
export function comparisonRows(tree: readonly NamespaceGroup[], closed: ReadonlySet<string>): ComparisonRow[] {
  const rows: ComparisonRow[] = []
  for (const group of tree) {
    rows.push({ level: 0, id: group.id, group, open: !closed.has(group.id) })
    if (closed.has(group.id)) continue
    for (const kind of group.kinds) {
      rows.push({ level: 1, id: kind.id, group: kind, open: !closed.has(kind.id) })
      if (!closed.has(kind.id)) for (const object of kind.objects) rows.push({ level: 2, id: objectId(object), object })
    }
  }
  return rows
}

/** The objects that a tick on a row chooses. */
export function restorableOf(row: ComparisonRow): ComparedObject[] {
  const objects = row.level === 0 ? row.group.kinds.flatMap((kind) => kind.objects) : row.level === 1 ? row.group.objects : [row.object]
  return objects.filter(isRestorable)
}

/** The chosen ones after a tick on a row: all of them in, or, when all were in already, all of them out. */
export function ticked(chosen: ReadonlySet<string>, row: ComparisonRow): Set<string> {
  const ids = restorableOf(row).map(objectId)
  const next = new Set(chosen)
  const all = ids.every((id) => chosen.has(id))
  for (const id of ids)
    if (all) next.delete(id)
    else next.add(id)
  return next
}

const noChanges = (): ChangeCounts => ({ added: 0, removed: 0, changed: 0 })
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
