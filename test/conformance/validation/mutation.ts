import type { Random } from '#shared/base/random.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { builtinSchema, type StructType } from '#shared/kubernetes/schema/schema.ts'

/** A definition of a server's OpenAPI v2 document. */
export interface Definition {
  $ref?: string
  type?: string
  format?: string
  properties?: Record<string, Definition>
  additionalProperties?: Definition
  items?: Definition
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[]
}

/** `io.k8s.api.core.v1.Pod` is `core.v1.Pod` in the table, `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta` `meta.ObjectMeta`. */
function structOf(name: string): StructType | null {
  const parts = name.split('.')
  return builtinSchema.struct(name.includes('.meta.v1.') ? `meta.${parts.at(-1) ?? ''}` : parts.slice(-3).join('.'))
}

/** The fields that a server and the newest release know both, by which objects are changed and answers are cut. */
export class PeerSchema {
  readonly #definitions: Record<string, Definition>

  constructor(document: unknown) {
    this.#definitions = (document as { definitions: Record<string, Definition> }).definitions
    for (const [name, definition] of Object.entries(this.#definitions)) {
      const struct = structOf(name)
      if (struct === null || definition.properties === undefined) continue
      definition.properties = Object.fromEntries(
        Object.entries(definition.properties).filter(([field]) => field === 'kind' || field === 'apiVersion' || struct.fields.has(field)),
      )
    }
  }

  kind(apiVersion: string, kind: string): Definition {
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
    const found = Object.values(this.#definitions).find((each) =>
      each['x-kubernetes-group-version-kind']?.some((gvk) => gvk.group === group && gvk.version === version && gvk.kind === kind),
    )
    if (found === undefined) throw new Error(`the peer does not know ${apiVersion} ${kind}`)
    return found
  }

  resolve(definition: Definition): Definition {
    return definition.$ref === undefined ? definition : (this.#definitions[definition.$ref.slice('#/definitions/'.length)] ?? {})
  }

  nameOf(definition: Definition): string {
    return definition.$ref?.split('.').at(-1) ?? ''
  }

  /** A value without members that the schema does not have. */
  cut(value: unknown, definition: Definition): unknown {
    const type = this.resolve(definition)
    if (Array.isArray(value)) return (value as unknown[]).map((each) => this.cut(each, type.items ?? {}))
    if (!isObject(value)) return value
    const { properties, additionalProperties } = type
    if (properties === undefined) {
      return additionalProperties === undefined
        ? value
        : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.cut(each, additionalProperties)]))
    }
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, each]) => (properties[key] === undefined ? [] : [[key, this.cut(each, properties[key])] as const])),
    )
  }
}

/** Metadata that the server sets, or that would make another object. */
const FIXED = new Set([
  'apiVersion',
  'kind',
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'selfLink',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'clusterName',
  'generation',
])

const TEXTS = [
  '',
  'a',
  'web',
  'Bogus',
  'UPPER',
  'with space',
  '-bad',
  'bad-',
  'a'.repeat(63),
  'a'.repeat(64),
  'a'.repeat(254),
  'a.b',
  'a/b',
  'a/b/c',
  'example.com/x',
  '*',
  '.',
  '..',
  '..x',
  '../x',
  'x/../y',
  '/abs',
  'ünï',
  '1.2.3.4',
  '10.0.0.0/8',
  '300.1.1.1',
  '::1',
  '127.0.0.1',
  'None',
  'http',
  '8080',
  'a_b',
  'Always',
  'Never',
  'In',
  'Exists',
  'Equal',
  'NoExecute',
  'Local',
  'Recreate',
  'OnDelete',
  'RollingUpdate',
  'Cluster',
  'LoadBalancer',
  'NodePort',
  'ExternalName',
  'ClusterIP',
  'TCP',
  'SCTP',
  'Gt',
  'Kubernetes.io/x',
  'kubernetes.io/tls',
  'kubernetes.io/dockerconfigjson',
  'kubernetes.io/service-account-token',
  '@hourly',
  '*/0 * * * *',
  '61 * * * *',
  'metadata.name',
  "metadata.labels['a']",
]
const INTEGERS = [0, -1, 1, 2, 3, 100, 101, 255, 256, 1800, 1801, 3601, 65_535, 65_536, 2_147_483_647, -2_147_483_648]
const PORTS = [...INTEGERS, '5%', '150%', '0%', 'abc', '-1', 'http', 'a--b', '']
const QUANTITIES = ['0', '-1', '1', '1.5', '100m', '1Gi', '64Ki', '10', '0.5', '1k', '3']
const KEYS = [
  'a',
  'example.com/x',
  'bad key',
  '',
  'cpu',
  'memory',
  'storage',
  'pods',
  'hugepages-2Mi',
  'requests.cpu',
  'example.com/gpu',
  'services',
  '..x',
  'a/b/c',
  'kubernetes.io/os',
]

/** Changes objects at random places, as the schema lets them be changed: every value has its field's type. */
export class Mutator {
  readonly #schema: PeerSchema
  readonly #random: Random

  constructor(schema: PeerSchema, random: Random) {
    this.#schema = schema
    this.#random = random
  }

  /** Changes the object itself. @returns what was changed */
  mutate(object: JsonObject, definition: Definition, only?: string): string[] {
    const draw = this.#random.below(10)
    const count = draw < 6 ? 1 : draw < 9 ? 2 : 3
    return Array.from({ length: count }, () => this.#once(object, definition, only))
  }

  #once(object: JsonObject, definition: Definition, only?: string): string {
    const sites = this.#sites(object, definition, '').filter(({ path }) =>
      only === undefined ? !path.startsWith('status.') && path !== 'status' : path.startsWith(`${only}.`),
    )
    return sites.length === 0 ? '' : this.#pick(sites).change()
  }

  #pick<T>(items: readonly T[]): T {
    const item = items[this.#random.below(items.length)]
    if (item === undefined) throw new Error('nothing to choose from')
    return item
  }

  #sites(value: unknown, definition: Definition, path: string): { path: string; change: () => string }[] {
    const type = this.#schema.resolve(definition)
    const sites: { path: string; change: () => string }[] = []
    if (isObject(value)) {
      for (const [name, member] of Object.entries(type.properties ?? {})) {
        if (FIXED.has(name) && (path === '' || path === 'metadata')) continue
        const at = path === '' ? name : `${path}.${name}`
        const own = value[name]
        if (own === undefined) {
          // One in six absent fields: there are many.
          if (this.#random.below(6) === 0) sites.push({ path: at, change: () => this.#set(value, name, this.make(member, 0), at) })
          continue
        }
        sites.push({
          path: at,
          change: () => (this.#random.below(4) === 0 ? this.#remove(value, name, at) : this.#set(value, name, this.#near(own, member), at)),
        })
        sites.push(...this.#sites(own, member, at))
      }
      if (type.additionalProperties !== undefined) {
        const of = type.additionalProperties
        sites.push({ path: `${path}.+`, change: () => this.#set(value, this.#pick(KEYS), this.make(of, 0), path) })
        for (const key of Object.keys(value)) sites.push({ path: `${path}[${key}]`, change: () => this.#set(value, key, this.make(of, 0), `${path}[${key}]`) })
      }
    }
    if (Array.isArray(value)) {
      const list = value as unknown[]
      sites.push({ path: `${path}[+]`, change: () => this.#grow(list, type.items ?? {}, path) })
      for (const [index, item] of list.entries()) sites.push(...this.#sites(item, type.items ?? {}, `${path}[${String(index)}]`))
    }
    return sites
  }

  #set(holder: JsonObject, name: string, value: unknown, path: string): string {
    holder[name] = value
    return `${path}=${JSON.stringify(value).slice(0, 120)}`
  }

  #remove(holder: JsonObject, name: string, path: string): string {
    Reflect.deleteProperty(holder, name)
    return `-${path}`
  }

  #grow(list: unknown[], items: Definition, path: string): string {
    const twice = list.length > 0 && this.#random.below(2) === 0
    const item = twice ? structuredClone(this.#pick(list)) : this.make(items, 0)
    list.push(item)
    return `${path}+=${JSON.stringify(item).slice(0, 120)}`
  }

  /** Another value of a field: of lists and objects, sometimes an empty one. */
  #near(own: unknown, definition: Definition): unknown {
    if (isObject(own) && this.#random.below(2) === 0) return {}
    if (Array.isArray(own) && this.#random.below(2) === 0) return own.length > 1 ? (own as unknown[]).slice(1) : []
    return this.make(definition, 0)
  }

  make(definition: Definition, depth: number): unknown {
    const named = this.#schema.nameOf(definition)
    const type = this.#schema.resolve(definition)
    if (named === 'Quantity') return this.#pick(QUANTITIES)
    if (type.format === 'int-or-string') return this.#pick(PORTS)
    if (type.properties !== undefined) {
      const names = Object.keys(type.properties)
      const chosen = depth > 3 || names.length === 0 ? [] : Array.from({ length: this.#random.below(4) }, () => this.#pick(names))
      return Object.fromEntries(
        chosen.filter((name) => !FIXED.has(name) || depth > 0).map((name) => [name, this.make(type.properties?.[name] ?? {}, depth + 1)]),
      )
    }
    if (type.additionalProperties !== undefined)
      return Object.fromEntries(Array.from({ length: this.#random.below(3) }, () => [this.#pick(KEYS), this.make(type.additionalProperties ?? {}, depth + 1)]))
    switch (type.type) {
      case 'array':
        return depth > 3 ? [] : Array.from({ length: this.#random.below(3) }, () => this.make(type.items ?? {}, depth + 1))
      case 'integer':
        return this.#pick(INTEGERS)
      case 'number':
        return this.#pick([0, 1, 0.5])
      case 'boolean':
        return this.#random.below(2) === 0
      case 'string':
        if (type.format === 'date-time') return named === 'MicroTime' ? '2024-02-03T04:05:06.000000Z' : '2024-02-03T04:05:06Z'
        return type.format === 'byte' ? this.#pick(['', 'YQ==', 'e30=', 'eyJhIjox']) : this.#pick(TEXTS)
      default:
        return {}
    }
  }
}
