import { isObject } from '#shared/kubernetes/json.ts'
import type { GroupVersionResource } from '#shared/kubernetes/object.ts'
import { parseGroupVersion } from '#shared/kubernetes/object.ts'
import type { RestClient } from '#electron/client/restClient.ts'

export interface DiscoveredResource {
  gvr: GroupVersionResource
  kind: string
  namespaced: boolean
}

/** Objects that two groups show alike. */
const ALIASES = new Set(['events.k8s.io/events', 'extensions/ingresses'])

/** Resources of each group's preferred version that have all the verbs. @throws StatusError */
export async function discoverResources(client: RestClient, signal: AbortSignal, verbs: readonly string[]): Promise<DiscoveredResource[]> {
  const groups = (await client.raw('/apis', signal)) as { groups?: { preferredVersion?: { groupVersion?: string } }[] }
  const groupVersions = ['v1', ...(groups.groups ?? []).flatMap(({ preferredVersion }) => preferredVersion?.groupVersion ?? [])]
  const lists = await Promise.all(groupVersions.map((each) => client.raw(each.includes('/') ? `/apis/${each}` : `/api/${each}`, signal)))
  return lists.flatMap((list, index) => {
    const { group, version } = parseGroupVersion(groupVersions[index] ?? '')
    const resources = isObject(list) && Array.isArray(list['resources']) ? list['resources'].filter(isObject) : []
    return resources.flatMap((each): DiscoveredResource[] => {
      const { name, kind, namespaced, verbs: offered } = each
      if (typeof name !== 'string' || typeof kind !== 'string' || name.includes('/') || !Array.isArray(offered)) return []
      if (ALIASES.has(`${group}/${name}`) || !verbs.every((verb) => offered.includes(verb))) return []
      return [{ gvr: { group, version, resource: name }, kind, namespaced: namespaced === true }]
    })
  })
}
