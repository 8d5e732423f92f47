import { LIFETIMES, OFF, SUBRESOURCE_SINCE, VERB_SINCE, type Lifetime } from './lifetimes.ts'
import { builtinSchema, type ResourceFacts } from './schema.ts'

/** A built-in resource as one Kubernetes release serves it. */
export interface ServedResource {
  group: string
  version: string
  kind: string
  plural: string
  /** As discovery names it: the kind in lower case. */
  singular: string
  namespaced: boolean
  verbs: string[]
  subresources: string[]
  shortNames: string[]
  categories: string[]
  /** The table's type name, such as `apps.v1.Deployment`. */
  type: string
  /** The group and version in which the object is stored. Events live in the core group, extensions ingresses in networking. */
  storage: { group: string; version: string }
  /** The path below `/registry/` under which upstream keeps the objects; null when nothing is stored (reviews, bindings, metrics). */
  storagePrefix: string | null
  /** How upstream encodes the stored object: custom resource definitions and API services are JSON. */
  storageEncoding: 'protobuf' | 'json'
  /** Minor releases that serve it by default. */
  lifetime: Lifetime
}

/** Upstream's names where they are not the plural. */
const PREFIXES: Readonly<Record<string, string>> = {
  '/endpoints': 'services/endpoints', '/services': 'services/specs', '/nodes': 'minions', '/replicationcontrollers': 'controllers',
  'networking.k8s.io/ingresses': 'ingress', 'apiextensions.k8s.io/customresourcedefinitions': 'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices': 'apiregistration.k8s.io/apiservices',
}

/** Groups whose objects are another group's objects. */
function storageGroup(group: string, plural: string): string {
  if (group === 'events.k8s.io') return ''
  if (group === 'extensions') return plural === 'ingresses' || plural === 'networkpolicies' ? 'networking.k8s.io' : 'apps'
  return group
}

/** Orders versions as Kubernetes does: GA before beta before alpha, then the higher number first. */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string): number[] => {
    const parts = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
    if (parts === null) return [0, 0, 0]
    const [, major = '0', stage, minor = '0'] = parts
    return [stage === undefined ? 3 : stage === 'beta' ? 2 : 1, Number(major), Number(minor)]
  }
  const [left, right] = [rank(a), rank(b)]
  for (const [index, value] of left.entries()) if (value !== right[index]) return (right[index] ?? 0) - value
  return a < b ? -1 : a > b ? 1 : 0
}

/** The minor of `1.31`, `v1.31.2`, …; NaN when it is no version of Kubernetes 1. */
export function minorOf(kubernetesVersion: string): number {
  return Number(/^v?1\.(\d+)/.exec(kubernetesVersion)?.[1] ?? Number.NaN)
}

function lifetimeOf({ group, version, plural }: ResourceFacts): Lifetime {
  const facts = LIFETIMES[`${group}/${version}`]
  return facts?.resources?.[plural] ?? facts?.all ?? OFF
}

function isServed([first, last]: Lifetime, minor: number): boolean {
  return minor >= first && (last === null || minor <= last)
}

/** Every resource that a release serves by default, in discovery's order of groups and versions. */
export function servedResources(kubernetesVersion: string): ServedResource[] {
  const minor = minorOf(kubernetesVersion)
  const served = builtinSchema.resources.filter((each) => isServed(lifetimeOf(each), minor))
  // A version is stored only from the release after the one that brought it, so that the release can be rolled back.
  const storable = builtinSchema.resources.filter((each) => isServed(lifetimeOf(each), minor) && (isServed(lifetimeOf(each), minor - 1) || minor <= 20))
  return served
    .map((each): ServedResource => {
      const group = storageGroup(each.group, each.plural)
      const candidates = (list: readonly ResourceFacts[]): string[] =>
        list.filter((other) => other.group === group && other.plural === each.plural).map((other) => other.version).sort(compareVersions)
      const version = candidates(storable)[0] ?? candidates(served)[0] ?? each.version
      // Until 1.23 autoscalers are stored as autoscaling/v1; it holds what v2 adds in annotations.
      const storage = { group, version: group === 'autoscaling' && minor < 24 ? 'v1' : version }
      const stored = each.verbs.includes('list') && each.group !== 'metrics.k8s.io' && each.plural !== 'componentstatuses'
      return {
        group: each.group, version: each.version, kind: each.kind, plural: each.plural, singular: each.kind.toLowerCase(), namespaced: each.namespaced,
        verbs: each.verbs.filter((verb) => minor >= (VERB_SINCE[`${each.plural}/${verb}`] ?? 0)), shortNames: each.shortNames, categories: each.categories, type: each.type, storage,
        subresources: each.subresources.filter((name) => minor >= (SUBRESOURCE_SINCE[`${each.plural}/${name}`] ?? 0)),
        storagePrefix: stored ? (PREFIXES[`${group}/${each.plural}`] ?? each.plural) : null,
        storageEncoding: each.group === 'apiextensions.k8s.io' || each.group === 'apiregistration.k8s.io' ? 'json' : 'protobuf', lifetime: lifetimeOf(each),
      }
    })
    .sort((a, b) => (a.group === b.group ? compareVersions(a.version, b.version) : 0))
}
