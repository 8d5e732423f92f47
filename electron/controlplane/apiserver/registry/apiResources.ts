import type { ServedResource } from '#shared/kubernetes/schema/served.ts'
import { minorOf, servedResources } from '#shared/kubernetes/schema/served.ts'
import { builtinSchema, type StructType } from '#shared/kubernetes/schema/schema.ts'
import type { MergeType } from '#shared/kubernetes/apply/mergeType.ts'
import { structMergeType } from '#shared/kubernetes/apply/mergeType.ts'
import { zeroObject } from '#shared/kubernetes/codec/messageDecoder.ts'
import { groupVersion } from '#shared/kubernetes/object.ts'
import type { JsonObject } from '#shared/kubernetes/json.ts'
import type { CustomResource } from './customResource.ts'

/** A resource that is served, with what handling its objects takes. */
export interface ApiResource extends ServedResource {
  struct: StructType
  mergeType: MergeType
  zero: JsonObject
  /** Of the release that serves it. */
  kubernetesMinor: number
  /** Kind of its lists, when it is not the kind and `List`. */
  listKind?: string
  /** What a CustomResourceDefinition says of it; undefined for built-in resources. */
  custom?: CustomResource
}

/** `deployments.apps`, or `pods`: how errors name a resource. */
export function qualifiedResource({ group, plural }: { group: string; plural: string }): string {
  return group === '' ? plural : `${plural}.${group}`
}

/** `Deployment.apps`, or `Pod`. */
export function qualifiedKind({ group, kind }: { group: string; kind: string }): string {
  return group === '' ? kind : `${kind}.${group}`
}

/** The release from which on selectors and references are owned as a whole. */
const ATOMIC_SINCE = 21

/** Virtual kinds whose struct has no stored form still need one for decoding; the table has them all. */
function resourceOf(served: ServedResource, kubernetesMinor: number): ApiResource | null {
  const struct = builtinSchema.struct(served.type)
  if (struct === null) return null
  let mergeType: MergeType | null = null
  let zero: JsonObject | null = null
  return {
    ...served,
    struct,
    kubernetesMinor,
    get mergeType() {
      return (mergeType ??= structMergeType(struct, kubernetesMinor < ATOMIC_SINCE))
    },
    get zero() {
      return (zero ??= zeroObject(struct) as JsonObject)
    },
  }
}

/** What one Kubernetes release serves, by group, version and plural. */
export class ApiResources {
  readonly list: readonly ApiResource[]
  readonly #byPath = new Map<string, ApiResource>()
  readonly #groupVersions = new Set<string>()

  /** Of the release that is served. */
  readonly kubernetesMinor: number

  /** @param custom resources of CustomResourceDefinitions; a built-in one of the same name comes first. @param notServed as `--runtime-config` names it */
  constructor(kubernetesVersion: string, custom: readonly ApiResource[] = [], notServed: readonly string[] = []) {
    this.kubernetesMinor = minorOf(kubernetesVersion)
    const isOff = ({ group, version, plural }: ServedResource): boolean =>
      [groupVersion({ group, version }), `${groupVersion({ group, version })}/${plural}`].some((name) => notServed.includes(name))
    const builtin = servedResources(kubernetesVersion)
      .filter((each) => !isOff(each))
      .flatMap((served) => resourceOf(served, this.kubernetesMinor) ?? [])
    this.list = [...builtin, ...custom.filter((each) => !builtin.some((other) => other.group === each.group && other.plural === each.plural))]
    for (const resource of this.list) {
      // Definitions outlive a change of the release.
      resource.kubernetesMinor = this.kubernetesMinor
      this.#byPath.set(`${resource.group}/${resource.version}/${resource.plural}`, resource)
      this.#groupVersions.add(`${resource.group}/${resource.version}`)
    }
  }

  find(group: string, version: string, plural: string): ApiResource | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`)
  }

  hasGroupVersion(group: string, version: string): boolean {
    return this.#groupVersions.has(`${group}/${version}`)
  }

  /** Whether the release itself serves anything of a group. */
  hasBuiltinGroup(group: string): boolean {
    return this.list.some((each) => each.group === group && each.custom === undefined)
  }

  /** Whether all of a group version comes from CustomResourceDefinitions. */
  isCustomGroupVersion(group: string, version: string): boolean {
    return this.list.every((each) => each.group !== group || each.version !== version || each.custom !== undefined)
  }

  /** The resource of a kind in a group, in its preferred version. */
  byKind(group: string, kind: string): ApiResource | undefined {
    return this.list.find((each) => each.group === group && each.kind === kind)
  }
}
