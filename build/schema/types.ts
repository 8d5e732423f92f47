import type { ApiPackage } from './sources.ts'

/** Types whose JSON form is not their Go structure; codecs treat each by name. */
const SPECIAL: Readonly<Record<string, string>> = {
  'apimachinery.pkg.api.resource.Quantity': 'quantity',
  'apimachinery.pkg.util.intstr.IntOrString': 'intstr',
  'apimachinery.pkg.apis.meta.v1.Time': 'time',
  'apimachinery.pkg.apis.meta.v1.MicroTime': 'microtime',
  'apimachinery.pkg.apis.meta.v1.Duration': 'duration',
  'apimachinery.pkg.runtime.RawExtension': 'raw',
  'apimachinery.pkg.apis.meta.v1.FieldsV1': 'fieldsv1',
  'apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'json',
  'apiextensions-apiserver.pkg.apis.apiextensions.v1beta1.JSON': 'json',
}

const SCALAR = /^(string|bool|int|int8|int16|int32|int64|uint8|uint32|uint64|float32|float64|bytes|quantity|intstr|time|microtime|duration|raw|fieldsv1|json)$/

export const isSpecial = (fullName: string): boolean => SPECIAL[fullName] !== undefined
export const isScalar = (type: string): boolean => SCALAR.test(type)
/** Without the brackets of lists and maps. */
export const leafOf = (type: string): string => type.replace(/^(\[\]|\{\})+/, '')

/** The names that the table uses: `core.v1` for `api.core.v1`, `meta` for `apimachinery.pkg.apis.meta.v1`. */
export function shorten(type: string): string {
  if (/^(\[\]|\{\})/.test(type)) return type.slice(0, 2) + shorten(type.slice(2))
  return type
    .replace(/^api\./, '')
    .replace(/^apimachinery\.pkg\.apis\.meta\.v1\./, 'meta.')
    .replace(/^apimachinery\.pkg\.runtime\./, 'runtime.')
    .replace(/^apiextensions-apiserver\.pkg\.apis\.apiextensions\./, 'apiextensions.')
    .replace(/^metrics\.pkg\.apis\./, '')
    .replace(/^kube-aggregator\.pkg\.apis\.apiregistration\./, 'apiregistration.')
}

/** The packages that a type's name is looked up in. */
export type Packages = ReadonlyMap<string, ApiPackage>

/** Package and name of a Go type without brackets. */
export function locate(goType: string, within: ApiPackage, packages: Packages): [owner: ApiPackage | undefined, name: string] {
  const [first = '', second] = goType.split('.')
  return second === undefined ? [within, first] : [packages.get(within.imports.get(first) ?? first), second]
}

/** A Go type as the table's: `[]T`, `{}T` (a map whose keys are texts), a scalar, or `package.Name`. Aliases are followed. */
export function resolve(goType: string, within: ApiPackage, packages: Packages): string {
  const type = goType.trim().replace(/^\*/, '')
  if (type === '[]byte') return 'bytes'
  if (type === 'interface{}' || type === 'any') return 'json'
  if (type.startsWith('[]')) return `[]${resolve(type.slice(2), within, packages)}`
  const value = /^map\[[^\]]+\](.+)$/.exec(type)?.[1]
  if (value !== undefined) return `{}${resolve(value, within, packages)}`
  if (isScalar(type)) return type
  if (type === 'byte') return 'uint8'
  // UID and NodeName.
  if (/^types\.\w+$/.test(type)) return 'string'
  const [owner, name] = locate(type, within, packages)
  const full = `${owner?.path ?? within.imports.get(type.split('.')[0] ?? '') ?? '?'}.${name}`
  const special = SPECIAL[full]
  if (special !== undefined) return special
  const alias = owner === undefined || owner.structs.has(name) ? undefined : owner.aliases.get(name)
  return alias === undefined || owner === undefined ? full : resolve(alias.target, owner, packages)
}
