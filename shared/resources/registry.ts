import type { ResourceName } from '#shared/contract/table.ts'
import { access } from './access.ts'
import type { ResourceColumns } from './columns.ts'
import { configuration } from './configuration.ts'
import { events } from './events.ts'
import { network } from './network.ts'
import { nodes } from './nodes.ts'
import { pods } from './pods.ts'
import { workloads } from './workloads.ts'

const byName = new Map<string, ResourceColumns>(
  [pods, nodes, events, ...workloads, ...configuration, ...access, ...network].map((each) => [each.resource, each]),
)

/** The columns of a resource. Every ResourceName has some: a test holds this. */
export function resourceColumns(resource: ResourceName): ResourceColumns {
  const found = byName.get(resource)
  if (found === undefined) throw new RangeError(`no columns are registered for ${resource}`)
  return found
}
