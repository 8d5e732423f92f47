import table from './kubernetes-1.36.json' with { type: 'json' }
import { parseGroupVersion } from '../object.ts'

export type Scalar =
  | 'string' | 'bool' | 'int32' | 'int64' | 'float64' | 'bytes'
  | 'quantity' | 'intstr' | 'time' | 'microtime' | 'duration' | 'raw' | 'fieldsv1' | 'json'

/** A field's type: a scalar with a JSON form of its own, a list, a map with string keys, or a struct of the table. */
export type TypeRef =
  | { kind: 'scalar'; scalar: Scalar }
  | { kind: 'list'; of: TypeRef }
  | { kind: 'map'; of: TypeRef }
  | { kind: 'struct'; name: string }

/** One JSON field of a struct. */
export interface Field {
  name: string
  type: TypeRef
  required: boolean
  /** Go's `omitempty`: zero values are left out of JSON. */
  omitEmpty: boolean
  omitZero: boolean
  pointer: boolean
  listType: 'map' | 'set' | 'atomic'
  /** Whether the table names a listType; without one, apply falls back to the patch strategy. */
  listTypeDeclared: boolean
  listMapKeys: string[]
  /** The map or struct value is one unit to apply. */
  atomic: boolean
  patchStrategies: string[]
  patchMergeKey: string | null
  default: unknown
  /** Values of an enumerated string, or null. */
  values: string[] | null
  limits: string[]
}

/** One protobuf field; `field` is null for an embedded message whose JSON fields stand in the parent. */
export interface WireField {
  number: number
  name: string
  type: TypeRef
  /** A list that is one message `{items=1}`. */
  wrapped: boolean
  omitEmpty: boolean
  pointer: boolean
  embedded: boolean
  /** The last minor release known not to have it, of a field that is written when it is zero too; null when none is. */
  absentUntil: number | null
}

export interface StructType {
  name: string
  fields: ReadonlyMap<string, Field>
  /** In ascending order of number. */
  wire: readonly WireField[]
  wireByNumber: ReadonlyMap<number, WireField>
  /** Has apiVersion and kind in JSON. */
  typed: boolean
  atomic: boolean
}

/** One resource in one group version as the table knows it. */
export interface ResourceFacts {
  group: string
  version: string
  kind: string
  plural: string
  namespaced: boolean
  verbs: string[]
  subresources: string[]
  type: string
  shortNames: string[]
  categories: string[]
}

/** A field as the table has it (build/schema/ writes it, protobuf's and Go's own words shortened); what is absent is so by default. */
export interface FieldRow {
  n?: number
  t: string
  r?: number
  oe?: number
  oz?: number
  ptr?: number
  wrap?: number
  lt?: string
  lk?: string[]
  mt?: string
  st?: string
  ps?: string
  pk?: string
  def?: unknown
  en?: string
  fg?: string
  c?: string[]
  /** The newest of the given releases that does not know it yet; told of fields that Go always writes. */
  after?: string
}
interface RawType {
  f?: Record<string, FieldRow>
  inl?: string[]
  st?: string
}
interface RawResource {
  g: string
  v: string
  kind: string
  plural: string
  ns: boolean
  verbs: string[]
  subs: string[]
  type: string
  short?: string[]
  cats?: string[]
}
/** The shape of the generated table; build/schema describes it. */
export interface SchemaTable {
  groups: Record<string, { g: string; v: string }>
  resources: RawResource[]
  enums: Record<string, string[]>
  types: Record<string, RawType>
}

const SCALARS = new Set<string>(['string', 'bool', 'int32', 'int64', 'float64', 'bytes', 'quantity', 'intstr', 'time', 'microtime', 'duration', 'raw', 'fieldsv1', 'json'])

function isScalar(text: string): text is Scalar {
  return SCALARS.has(text)
}

/** Of `1.20`. */
const minorIn = (release: string): number => Number(release.slice(release.indexOf('.') + 1))

function parseType(text: string): TypeRef {
  if (text.startsWith('[]')) return { kind: 'list', of: parseType(text.slice(2)) }
  if (text.startsWith('{}')) return { kind: 'map', of: parseType(text.slice(2)) }
  return isScalar(text) ? { kind: 'scalar', scalar: text } : { kind: 'struct', name: text }
}

/** The table of API types and resources, indexed; structs are built when first asked for. */
export class Schema {
  readonly resources: readonly ResourceFacts[]
  readonly #types: Record<string, RawType>
  readonly #enums: Record<string, string[]>
  readonly #packages = new Map<string, string>()
  readonly #structs = new Map<string, StructType>()

  constructor(raw: SchemaTable) {
    this.#types = raw.types
    this.#enums = raw.enums
    for (const [name, { g, v }] of Object.entries(raw.groups)) this.#packages.set(`${g}/${v}`, name)
    this.resources = raw.resources.map((each) => ({
      group: each.g, version: each.v, kind: each.kind, plural: each.plural, namespaced: each.ns, verbs: each.verbs,
      subresources: each.subs, type: each.type, shortNames: each.short ?? [], categories: each.cats ?? [],
    }))
  }

  /** The struct of a kind, also of kinds that every group version serves (Status, DeleteOptions, Table, …); null when unknown. */
  typeOf(apiVersion: string, kind: string): StructType | null {
    const { group, version } = parseGroupVersion(apiVersion)
    const room = this.#packages.get(`${group}/${version}`)
    return (room === undefined ? null : this.struct(`${room}.${kind}`)) ?? this.struct(`meta.${kind}`)
  }

  /** A struct by the table's name, such as `core.v1.PodSpec`; null when unknown. */
  struct(name: string): StructType | null {
    const built = this.#structs.get(name)
    if (built !== undefined) return built
    if (!Object.hasOwn(this.#types, name)) return null
    const struct = this.#build(name, this.#types[name] ?? {})
    this.#structs.set(name, struct)
    return struct
  }

  get typeNames(): string[] {
    return Object.keys(this.#types)
  }

  #build(name: string, raw: RawType): StructType {
    const fields = new Map<string, Field>()
    const wire: WireField[] = []
    const inlined = raw.inl ?? []
    for (const each of inlined) {
      if (each.endsWith('.TypeMeta')) continue
      const embedded = this.struct(each)
      for (const field of embedded?.fields.values() ?? []) fields.set(field.name, field)
      wire.push(...(embedded?.wire ?? []))
    }
    for (const [key, each] of Object.entries(raw.f ?? {})) {
      const embedded = key.startsWith('~')
      const type = parseType(each.t)
      if (each.n !== undefined)
        wire.push({
          number: each.n, name: key, type, wrapped: each.wrap === 1, omitEmpty: each.oe === 1, pointer: each.ptr === 1, embedded,
          absentUntil: each.after === undefined ? null : minorIn(each.after),
        })
      if (embedded) {
        for (const field of (type.kind === 'struct' ? this.struct(type.name) : null)?.fields.values() ?? []) fields.set(field.name, field)
      } else fields.set(key, this.#field(key, type, each))
    }
    wire.sort((a, b) => a.number - b.number)
    return {
      name, fields, wire, wireByNumber: new Map(wire.map((each) => [each.number, each])),
      typed: inlined.some((each) => each.endsWith('.TypeMeta')) || name.startsWith('runtime.TypeMeta'), atomic: raw.st === 'atomic',
    }
  }

  #field(name: string, type: TypeRef, raw: FieldRow): Field {
    const strategies = raw.ps?.split(',') ?? []
    const fallback = strategies.includes('merge') ? (raw.pk === undefined ? 'set' : 'map') : 'atomic'
    const listType = raw.lt ?? fallback
    return {
      name, type, required: raw.r === 1, omitEmpty: raw.oe === 1, omitZero: raw.oz === 1, pointer: raw.ptr === 1,
      listType: listType === 'map' || listType === 'set' ? listType : 'atomic', listTypeDeclared: raw.lt !== undefined,
      listMapKeys: raw.lk ?? (raw.pk === undefined ? [] : [raw.pk]), atomic: raw.mt === 'atomic' || raw.st === 'atomic',
      patchStrategies: strategies, patchMergeKey: raw.pk ?? null, default: raw.def,
      values: raw.en === undefined ? null : (this.#enums[raw.en] ?? null), limits: raw.c ?? [],
    }
  }
}

/** The built-in kinds: every version of Kubernetes 1.36's modules, with 1.20's versions that later releases dropped. */
export const builtinSchema = new Schema(table)
