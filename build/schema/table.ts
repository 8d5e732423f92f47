import type { FieldRow } from '#shared/kubernetes/schema/schema.ts'
import { marker, markers, type GoField, type GoStruct } from './goPackage.ts'
import { readResources } from './resources.ts'
import { readPackages, withEarlier, type ApiPackage, type SourceRoot } from './sources.ts'
import { isScalar, isSpecial, leafOf, locate, resolve, shorten, type Packages } from './types.ts'

interface TypeRow {
  from?: string
  st?: string
  inl?: string[]
  f: Record<string, FieldRow>
}

interface ResourceRow {
  from?: string
  g: string
  v: string
  kind: string
  plural: string
  ns: boolean
  type: string
  verbs: readonly string[]
  subs: readonly string[]
  short?: readonly string[]
  cats?: readonly string[]
  life?: Record<string, string>
}

export interface Table {
  sources: string[]
  groups: Record<string, { g: string; v: string }>
  resources: ResourceRow[]
  enums: Record<string, string[]>
  types: Record<string, TypeRow>
}

/** Builds the table of one release, with the types that only earlier ones have. */
export class TableBuilder {
  readonly warnings: string[] = []
  readonly #roots: readonly SourceRoot[]
  /** Of all roots, each type as the newest that has it. */
  readonly #packages = new Map<string, ApiPackage>()
  /** Of each root by itself, in the order given. */
  readonly #byRoot: Packages[]
  readonly #enums: Record<string, string[]> = {}

  /** @param roots the table's own release, then earlier ones, newest first */
  constructor(roots: readonly SourceRoot[]) {
    this.#roots = roots
    this.#byRoot = roots.map(readPackages)
    for (const packages of this.#byRoot)
      for (const [path, each] of packages) {
        const newer = this.#packages.get(path)
        this.#packages.set(path, newer === undefined ? each : withEarlier(newer, each))
      }
  }

  build(): Table {
    const types: Record<string, TypeRow> = {}
    for (const owner of this.#packages.values())
      for (const [name, struct] of owner.structs) if (isApiType(name, owner)) types[shorten(`${owner.path}.${name}`)] = this.#typeRow(name, struct, owner)
    const groups: Table['groups'] = {}
    for (const { group, version, path } of this.#packages.values()) if (group !== null && version !== null) groups[shorten(path)] = { g: group, v: version }
    const resources = this.#roots.flatMap((root) => this.#resourceRows(root))
    return { sources: this.#roots.map(({ version }) => version), groups, resources, enums: this.#enums, types }
  }

  #typeRow(name: string, struct: GoStruct, owner: ApiPackage): TypeRow {
    const row: TypeRow = { ...this.#from(name, owner), f: {} }
    const structType = marker(struct.markers, 'structType')
    if (structType !== null) row.st = structType
    for (const field of struct.fields) {
      const type = resolve(field.goType, owner, this.#packages)
      // Embedded without a protobuf number: the kind and apiVersion, which the envelope carries.
      if (field.inline && field.protobufNumber === null) (row.inl ??= []).push(shorten(type))
      else row.f[field.inline ? `~${shorten(type)}` : field.jsonName] = this.#fieldRow(field, type, name, owner)
    }
    return row
  }

  /** Nothing for what the table's own release has. */
  #from(name: string, { releases }: ApiPackage): { from?: string } {
    const release = releases.get(name)
    return release === undefined || release === this.#roots[0]?.version ? {} : { from: release }
  }

  #fieldRow(field: GoField, type: string, name: string, owner: ApiPackage): FieldRow {
    const { protobufNumber: number } = field
    const messages = owner.proto.get(name)
    const wire = messages?.get(number ?? -1)
    this.#check(field, type, name, owner)
    // A named list or map that is one message {items = 1}, so that null and empty differ.
    const isWrapped = wire !== undefined && !wire.map && !wire.repeated && /^(\[\]|\{\})/.test(type) && type !== 'bytes'
    const isRequired = !field.inline && (has(field, 'required') || (!has(field, 'optional') && !field.omitEmpty))
    const after = number === null || !isAlwaysWritten(field, type) ? null : this.#newestWithout(name, number, owner)
    const keys = [...new Set(markers(field.markers, 'listMapKey'))]
    const limits = limitsOf(field.markers)
    const initial = marker(field.markers, 'default')
    const values = this.#enumOf(field.goType, owner)
    return {
      t: shorten(type),
      ...(number === null ? {} : { n: number }),
      ...(isRequired ? { r: 1 } : {}),
      ...(field.omitEmpty ? { oe: 1 } : {}),
      ...(field.omitZero ? { oz: 1 } : {}),
      ...(field.pointer ? { ptr: 1 } : {}),
      ...(isWrapped ? { wrap: 1 } : {}),
      ...given({ lt: 'listType', mt: 'mapType', st: 'structType', fg: 'featureGate' }, field),
      ...(keys.length === 0 ? {} : { lk: keys }),
      ...((field.patchStrategy ?? '') === '' ? {} : { ps: field.patchStrategy ?? '' }),
      ...((field.patchMergeKey ?? '') === '' ? {} : { pk: field.patchMergeKey ?? '' }),
      ...(initial === null ? {} : { def: this.#defaultValue(initial, `${owner.path}.${name}`, owner) }),
      ...(values === null ? {} : { en: values }),
      ...(limits.length === 0 ? {} : { c: limits }),
      ...(after === null ? {} : { after }),
    }
  }

  /** Tells of what would make the table wrong. */
  #check({ jsonName, protobufNumber }: GoField, type: string, name: string, owner: ApiPackage): void {
    const leaf = leafOf(type)
    const [path, struct] = [leaf.slice(0, leaf.lastIndexOf('.')), leaf.slice(leaf.lastIndexOf('.') + 1)]
    if (!isScalar(leaf) && this.#packages.get(path)?.structs.has(struct) !== true) this.warnings.push(`${owner.path}.${name}.${jsonName}: no type ${leaf}`)
    const messages = owner.proto.get(name)
    if (messages !== undefined && !messages.has(protobufNumber ?? -1))
      this.warnings.push(`${owner.path}.${name}.${jsonName}: no field ${String(protobufNumber)} in generated.proto`)
  }

  /** The newest of the earlier releases whose type has no field of that number; null when all have it, or have no such type. */
  #newestWithout(name: string, number: number, owner: ApiPackage): string | null {
    const index = this.#byRoot.findIndex((packages) => {
      const struct = packages.get(owner.path)?.structs.get(name)
      return struct !== undefined && !struct.fields.some(({ protobufNumber }) => protobufNumber === number)
    })
    return this.#roots[index]?.version ?? null
  }

  /** `+default="TCP"` is JSON; `+default=ref(Name)` names a constant. */
  #defaultValue(text: string, place: string, { constants }: ApiPackage): unknown {
    const constant = constants.get(/^ref\((?:[\w./]*\.)?(\w+)\)$/.exec(text)?.[1] ?? '')
    if (constant !== undefined) return constant.value
    try {
      return JSON.parse(text) as unknown
    } catch {
      this.warnings.push(`${place}: default ${text} not understood`)
      return text
    }
  }

  #enumOf(goType: string, within: ApiPackage): string | null {
    const [owner, name] = locate(goType, within, this.#packages)
    if (owner?.aliases.get(name)?.isEnum !== true) return null
    const values = [...owner.constants.values()].filter(({ type }) => type === name).map(({ value }) => value)
    if (values.length === 0) return null
    const key = shorten(`${owner.path}.${name}`)
    this.#enums[key] = [...new Set(values)]
    return key
  }

  #resourceRows({ version: release, path: root }: SourceRoot): ResourceRow[] {
    const own = [...this.#packages.values()].filter(({ version, releases }) => version !== null && [...releases.values()].includes(release))
    const ofFolder = (folder: string, version: string): ApiPackage | undefined =>
      own.find(({ path }) => {
        const [parent, leaf] = path.split('.').slice(-2)
        return leaf === version && (parent === folder || (folder === 'internal' && parent === 'apiserverinternal'))
      })
    return readResources(root, (folder, version) => ofFolder(folder, version)?.group ?? null).flatMap((each) => {
      const owner = own.find(({ group, version, releases }) => group === each.group && version === each.version && releases.get(each.kind) === release)
      if (owner === undefined) return []
      const life = lifeOf(owner.structs.get(each.kind)?.markers ?? [])
      return [
        {
          ...this.#from(each.kind, owner),
          g: each.group,
          v: each.version,
          kind: each.kind,
          plural: each.plural,
          ns: each.namespaced,
          type: shorten(`${owner.path}.${each.kind}`),
          verbs: each.verbs,
          subs: each.subresources,
          ...(each.shortNames.length === 0 ? {} : { short: each.shortNames }),
          ...(each.categories.length === 0 ? {} : { cats: each.categories }),
          ...(Object.keys(life).length === 0 ? {} : { life }),
        },
      ]
    })
  }
}

/** Unexported types and the machinery of package runtime are no API types. */
function isApiType(name: string, { path, proto }: ApiPackage): boolean {
  return !isSpecial(`${path}.${name}`) && /^[A-Z]/.test(name) && (!path.startsWith('apimachinery.pkg.runtime') || proto.has(name))
}

/** Go's generated code leaves out pointers, lists and maps that are not there, and bytes; everything else is written when it is zero too. */
function isAlwaysWritten({ pointer }: GoField, type: string): boolean {
  return !pointer && type !== 'bytes' && !/^(\[\]|\{\})/.test(type)
}

const has = (field: GoField, name: string): boolean => field.markers.some((each) => each === `+${name}` || each === `+k8s:${name}`)

function given<Key extends string>(names: Readonly<Record<Key, string>>, field: GoField): Partial<Record<Key, string>> {
  const found: Partial<Record<Key, string>> = {}
  for (const key of Object.keys(names) as Key[]) {
    const value = marker(field.markers, names[key]) ?? ''
    if (value !== '') found[key] = value
  }
  return found
}

/** Declared limits: `+k8s:minimum=0`, also behind `+k8s:alpha(since: "1.36")=`. Conditional rules and those of members are left out. */
function limitsOf(lines: readonly string[]): string[] {
  const limit = /^\+(?:k8s:(?:alpha|beta)\([^)]*\)=\+)?k8s:((?:minimum|maximum|maxItems|maxLength|maxBytes|format|immutable)(?:=.*)?)$/
  return [...new Set(lines.flatMap((line) => limit.exec(line)?.[1] ?? []))]
}

function lifeOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, what, release] = /prerelease-lifecycle-gen:(introduced|deprecated|removed)=(\S+)/.exec(line) ?? []
      return what === undefined || release === undefined ? [] : [[what, release]]
    }),
  )
}
