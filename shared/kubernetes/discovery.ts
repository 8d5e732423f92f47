import type { ServedResource } from './schema/served.ts'
import { compareVersions } from './schema/served.ts'

/** A resource to announce: built-in, or of a custom resource definition or API service. */
export type AnnouncedResource = Pick<
  ServedResource,
  'group' | 'version' | 'kind' | 'plural' | 'singular' | 'namespaced' | 'verbs' | 'subresources' | 'shortNames' | 'categories'
>

/** Kind, group, version and verbs of a subresource. An empty group and version are those of the resource. */
interface Subresource {
  kind: string
  group?: string
  version?: string
  verbs: string[]
}

const READ_WRITE = ['get', 'patch', 'update']

/** Subresources that have a kind of their own. */
const SUBRESOURCES: Readonly<Record<string, Subresource>> = {
  scale: { kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: READ_WRITE },
  'pods/attach': { kind: 'PodAttachOptions', verbs: ['create', 'get'] },
  'pods/binding': { kind: 'Binding', verbs: ['create'] },
  'pods/eviction': { kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
  'pods/exec': { kind: 'PodExecOptions', verbs: ['create', 'get'] },
  'pods/log': { kind: 'Pod', verbs: ['get'] },
  'pods/portforward': { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
  'pods/proxy': { kind: 'PodProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
  'services/proxy': { kind: 'ServiceProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
  'nodes/proxy': { kind: 'NodeProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
  'namespaces/finalize': { kind: 'Namespace', verbs: ['update'] },
  'serviceaccounts/token': { kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] },
}

/** What a subresource takes and answers. `policyV1` says whether the server has policy/v1, which evictions then use. */
export function subresourceOf(resource: AnnouncedResource, name: string, policyV1: boolean): Subresource {
  const known = SUBRESOURCES[`${resource.plural}/${name}`] ?? SUBRESOURCES[name]
  if (known === undefined) return { kind: resource.kind, verbs: READ_WRITE }
  return name === 'eviction' && !policyV1 ? { ...known, version: 'v1beta1' } : known
}

function groupsOf(resources: readonly AnnouncedResource[]): Map<string, Map<string, AnnouncedResource[]>> {
  const groups = new Map<string, Map<string, AnnouncedResource[]>>()
  for (const resource of resources) {
    const versions = groups.get(resource.group) ?? new Map<string, AnnouncedResource[]>()
    groups.set(resource.group, versions)
    versions.set(resource.version, [...(versions.get(resource.version) ?? []), resource])
  }
  for (const [group, versions] of groups) groups.set(group, new Map([...versions].sort(([a], [b]) => compareVersions(a, b))))
  return groups
}

function hasPolicyV1(resources: readonly AnnouncedResource[]): boolean {
  return resources.some((each) => each.group === 'policy' && each.version === 'v1')
}

/** `/api`. */
export function apiVersions(serverAddress: string): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }] }
}

function apiGroup(name: string, versions: readonly string[]): object {
  const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: entries, preferredVersion: entries[0] }
}

/** `/apis`. */
export function apiGroupList(resources: readonly AnnouncedResource[]): object {
  const groups = [...groupsOf(resources)].filter(([name]) => name !== '')
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(([name, versions]) => apiGroup(name, [...versions.keys()])) }
}

/** `/apis/<group>`; null when there is no such group. */
export function apiGroupDocument(resources: readonly AnnouncedResource[], group: string): object | null {
  const versions = group === '' ? undefined : groupsOf(resources).get(group)
  return versions === undefined ? null : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, [...versions.keys()]) }
}

/** `/api/v1`, `/apis/<group>/<version>`; null when there is no such group version. */
export function apiResourceList(resources: readonly AnnouncedResource[], group: string, version: string): object | null {
  const members = groupsOf(resources).get(group)?.get(version)
  if (members === undefined) return null
  const policyV1 = hasPolicyV1(resources)
  const list = members.flatMap((each) => [
    {
      name: each.plural,
      singularName: each.singular,
      namespaced: each.namespaced,
      kind: each.kind,
      verbs: each.verbs,
      ...(each.shortNames.length === 0 ? {} : { shortNames: each.shortNames }),
      ...(each.categories.length === 0 ? {} : { categories: each.categories }),
    },
    ...each.subresources.map((name) => {
      const sub = subresourceOf(each, name, policyV1)
      return {
        name: `${each.plural}/${name}`,
        singularName: '',
        namespaced: each.namespaced,
        ...(sub.group === undefined ? {} : { group: sub.group, version: sub.version }),
        kind: sub.kind,
        verbs: sub.verbs,
      }
    }),
  ])
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: list.sort((a, b) => (a.name < b.name ? -1 : 1)),
  }
}

/** The media type that announces an aggregated answer; clients tell by it what they got. */
export function aggregatedMediaType(version: 'v2' | 'v2beta1'): string {
  return `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
}

/** Aggregated discovery of `/api` (the core group) or `/apis` (all others). */
export function aggregatedDiscovery(resources: readonly AnnouncedResource[], root: 'api' | 'apis', version: 'v2' | 'v2beta1'): object {
  const policyV1 = hasPolicyV1(resources)
  const groups = [...groupsOf(resources)].filter(([name]) => (name === '') === (root === 'api'))
  const responseKind = (group: string, apiVersion: string, kind: string): object => ({ group, version: apiVersion, kind })
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(([name, versions]) => ({
      metadata: { ...(name === '' ? {} : { name }), creationTimestamp: null },
      versions: [...versions].map(([apiVersion, members]) => ({
        version: apiVersion,
        freshness: 'Current',
        resources: members
          .toSorted((a, b) => (a.plural < b.plural ? -1 : 1))
          .map((each) => ({
            resource: each.plural,
            responseKind: responseKind(each.group, each.version, each.kind),
            scope: each.namespaced ? 'Namespaced' : 'Cluster',
            singularResource: each.singular,
            verbs: each.verbs,
            ...(each.shortNames.length === 0 ? {} : { shortNames: each.shortNames }),
            ...(each.categories.length === 0 ? {} : { categories: each.categories }),
            ...(each.subresources.length === 0
              ? {}
              : {
                  subresources: each.subresources.map((subresource) => {
                    const sub = subresourceOf(each, subresource, policyV1)
                    return { subresource, responseKind: responseKind(sub.group ?? each.group, sub.version ?? each.version, sub.kind), verbs: sub.verbs }
                  }),
                }),
          })),
      })),
    })),
  }
}
