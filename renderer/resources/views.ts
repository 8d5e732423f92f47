import type { ResourceName } from '#shared/contract/table.ts'
import { resourceColumns } from '#shared/resources/registry.ts'
import type { ViewColumn } from '../composables/viewColumn.ts'

const name: ViewColumn = { id: 'name', format: 'name', width: 168, flex: 4 }
const namespace: ViewColumn = { id: 'namespace', format: 'text', width: 104, flex: 1 }
const age: ViewColumn = { id: 'createdAtMs', format: 'age', width: 66, drop: 4 }
const hide = (column: ViewColumn): ViewColumn => ({ ...column, hidden: true })

const explicit: Partial<Record<ResourceName, readonly ViewColumn[]>> = {
  pods: [
    name,
    namespace,
    { id: 'status', format: 'status', width: 168 },
    { id: 'ready', format: 'of', width: 58, whole: 'readyTotal' },
    { id: 'restarts', format: 'count', width: 72 },
    { id: 'cpuUse', format: 'cores', width: 112, whole: 'cpuLimit', mark: 'cpuRequest', drop: 19 },
    { id: 'memoryUse', format: 'bytes', width: 124, whole: 'memoryLimit', mark: 'memoryRequest', drop: 18 },
    { id: 'node', format: 'mono', width: 124, flex: 1, drop: 20 },
    age,
  ],
  nodes: [
    name,
    { id: 'status', format: 'status', width: 112, flex: 2, also: 'pressure' },
    { id: 'roles', format: 'text', width: 104 },
    { id: 'version', format: 'mono', width: 84 },
    { id: 'podCount', format: 'of', width: 72, whole: 'podCapacity' },
    { id: 'cpuUse', format: 'cores', width: 116, whole: 'cpuAllocatable', mark: 'cpuRequest', limit: 'cpuLimit' },
    { id: 'memoryUse', format: 'bytes', width: 128, whole: 'memoryAllocatable', mark: 'memoryRequest', limit: 'memoryLimit' },
    { id: 'taints', format: 'mono', width: 120, flex: 3 },
    age,
    hide({ id: 'cpuRequest', format: 'cores', width: 120, whole: 'cpuAllocatable' }),
    hide({ id: 'memoryRequest', format: 'bytes', width: 130, whole: 'memoryAllocatable' }),
  ],
  events: [
    { id: 'lastSeenMs', format: 'age', width: 92 },
    { id: 'type', format: 'level', width: 96 },
    { id: 'reason', format: 'text', width: 142 },
    { id: 'object', format: 'mono', width: 220, flex: 2 },
    { id: 'message', format: 'text', width: 260, flex: 5 },
    { id: 'count', format: 'count', width: 60 },
    namespace,
    hide(name),
  ],
}

/** Columns worth their width at once, for kinds without a view of their own; the others are in the chooser. */
const SHOWN_AT_ONCE = 9
const NEVER = new Set(['uid', 'deletingSinceMs'])
const LATE = new Set(['labels', 'images', 'selector', 'owner', 'message', 'containers'])

function guess(id: string, kind: 'number' | 'text', columns: readonly string[]): ViewColumn {
  if (kind === 'text') {
    if (id === 'status' || id === 'phase' || id === 'condition') return { id, format: 'status', width: 130 }
    return {
      id,
      format: /ip$|ips$|image|selector|labels|owner|role$|subjects|node|provisioner|signer|holder|schedule/i.test(id) ? 'mono' : 'text',
      width: 120,
      flex: 1,
    }
  }
  if (id.endsWith('Ms') || id.endsWith('At')) return { id, format: 'age', width: 92 }
  if (id.startsWith('cpu')) return { id, format: 'cores', width: 90 }
  if (/memory|capacity|storage|requestBytes|sizeBytes/i.test(id)) return { id, format: 'bytes', width: 100 }
  if (['suspended', 'aggregated', 'immutable', 'automount', 'unschedulable', 'isDefault', 'default', 'expandable'].includes(id))
    return { id, format: 'flag', width: 86 }
  if (id === 'ready' && columns.includes('desired')) return { id, format: 'of', width: 70, whole: 'desired' }
  return { id, format: 'count', width: 88 }
}

/** The columns of a resource's table, in order; those marked hidden wait in the column chooser. */
export function viewColumns(resource: ResourceName): ViewColumn[] {
  const { columns, namespaced } = resourceColumns(resource)
  const ids = Object.keys(columns)
  const shown = [...(explicit[resource] ?? [])]
  if (shown.length === 0) {
    shown.push(name, ...(namespaced ? [namespace] : []))
    const own = ids.filter((id) => !NEVER.has(id) && !LATE.has(id) && !shown.some((each) => each.id === id) && id !== 'createdAtMs')
    for (const id of own)
      shown.push(shown.length < SHOWN_AT_ONCE ? guess(id, columns[id]?.kind ?? 'text', ids) : hide(guess(id, columns[id]?.kind ?? 'text', ids)))
    shown.push(age)
  }
  const rest = ids.filter((id) => !NEVER.has(id) && !shown.some((each) => each.id === id))
  return [...shown.filter((each) => ids.includes(each.id)), ...rest.map((id) => hide(guess(id, columns[id]?.kind ?? 'text', ids)))]
}

/** kubectl's name of a resource; groups are needed only where names repeat. */
export function kubectlName(resource: ResourceName): string {
  return resource === 'events' ? 'events' : resource
}
