import { isObject, type JsonObject } from '../json.ts'
import { builtinSchema, type TypeRef } from '../schema/schema.ts'
import { parseQuantity } from '../quantity.ts'

/**
 * A value as Go's `%#v` prints it, which is what field errors showed for anything but plain scalars before 1.33. Types are named
 * as upstream's internal packages name them; pointers inside are addresses there, and a constant here.
 */
export function goSyntax(value: unknown, type: string): string {
  return print(value, type)
}

/** What a printed pointer inside a value looks like; upstream prints where in memory it points. */
const ADDRESS = '0xc000000000'

/** Go's names of fields whose JSON name is not the same with a small first letter. */
const NAMES: Readonly<Record<string, string>> = {
  apiGroup: 'APIGroup',
  apiGroups: 'APIGroups',
  apiVersion: 'APIVersion',
  apiVersions: 'APIVersions',
  clusterIP: 'ClusterIP',
  clusterIPs: 'ClusterIPs',
  csi: 'CSI',
  fsType: 'FSType',
  gmsaCredentialSpec: 'GMSACredentialSpec',
  gmsaCredentialSpecName: 'GMSACredentialSpecName',
  hostIP: 'HostIP',
  hostIPC: 'HostIPC',
  hostPID: 'HostPID',
  httpGet: 'HTTPGet',
  httpHeaders: 'HTTPHeaders',
  ip: 'IP',
  nodeID: 'NodeID',
  nonResourceURLs: 'NonResourceURLs',
  podCIDR: 'PodCIDR',
  podCIDRs: 'PodCIDRs',
  podIP: 'PodIP',
  podIPs: 'PodIPs',
  seLinuxOptions: 'SELinuxOptions',
  tcpSocket: 'TCPSocket',
  tty: 'TTY',
  uid: 'UID',
  url: 'URL',
}

const INTERNAL: Readonly<Record<string, string>> = {
  core: 'core',
  apps: 'apps',
  batch: 'batch',
  rbac: 'rbac',
  storage: 'storage',
  networking: 'networking',
  policy: 'policy',
  meta: 'v1',
  autoscaling: 'autoscaling',
  admissionregistration: 'admissionregistration',
  flowcontrol: 'flowcontrol',
  discovery: 'discovery',
  certificates: 'certificates',
  scheduling: 'scheduling',
}

function packageOf(struct: string): string {
  const room = struct.split('.')[0] ?? ''
  return INTERNAL[room] ?? room
}

const typeNameOf = (struct: string): string => `${packageOf(struct)}.${struct.slice(struct.lastIndexOf('.') + 1)}`

function goType(type: TypeRef): string {
  switch (type.kind) {
    case 'struct':
      return typeNameOf(type.name)
    case 'list':
      return `[]${goType(type.of)}`
    case 'map':
      return `map[string]${goType(type.of)}`
    case 'scalar':
      return scalarTypes[type.scalar] ?? type.scalar
  }
}

const scalarTypes: Readonly<Record<string, string>> = {
  quantity: 'resource.Quantity',
  intstr: 'intstr.IntOrString',
  time: 'v1.Time',
  microtime: 'v1.MicroTime',
  duration: 'v1.Duration',
  bytes: '[]uint8',
}

function print(value: unknown, type: string): string {
  if (type.startsWith('[]')) return list(value, type)
  if (type.startsWith('map[')) return map(value, type, type.slice(type.indexOf(']') + 1))
  if (type === 'core.ResourceList') return map(value, type, 'resource.Quantity')
  switch (type) {
    case 'string':
      return JSON.stringify(typeof value === 'string' ? value : '')
    case 'intstr.IntOrString':
      return typeof value === 'string'
        ? `intstr.IntOrString{Type:1, IntVal:0, StrVal:${JSON.stringify(value)}}`
        : `intstr.IntOrString{Type:0, IntVal:${String(value ?? 0)}, StrVal:""}`
    case 'resource.Quantity':
      return goQuantity(String(value ?? '0'))
    default:
      // A named string prints as a string, and so on.
      if (typeof value === 'string') return JSON.stringify(value)
      return type.includes('.') ? struct(value, type) : String(value ?? 0)
  }
}

/** The type's name in Go: the table's names of structs stand for upstream's internal ones. */
function display(type: string): string {
  if (type.startsWith('[]')) return `[]${display(type.slice(2))}`
  if (type.startsWith('map[')) return `${type.slice(0, type.indexOf(']') + 1)}${display(type.slice(type.indexOf(']') + 1))}`
  return builtinSchema.struct(type) === null ? type : typeNameOf(type)
}

function list(value: unknown, type: string): string {
  if (!Array.isArray(value)) return `${display(type)}(nil)`
  return `${display(type)}{${(value as unknown[]).map((each) => print(each, type.slice(2))).join(', ')}}`
}

function map(value: unknown, type: string, of: string): string {
  if (!isObject(value)) return `${display(type)}(nil)`
  const items = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${print(value[key], of)}`)
  return `${display(type)}{${items.join(', ')}}`
}

/** A struct by the table's name, such as `core.v1.PodSpec`. */
function struct(value: unknown, name: string): string {
  const facts = builtinSchema.struct(name)
  if (facts === null) return `${name}{}`
  const from: JsonObject = isObject(value) ? value : {}
  const fields = [...facts.fields.values()].map((field) => {
    const goName = NAMES[field.name] ?? field.name.charAt(0).toUpperCase() + field.name.slice(1)
    const own = from[field.name]
    if (field.pointer) return `${goName}:${own === undefined || own === null ? `(*${goType(field.type)})(nil)` : `(*${goType(field.type)})(${ADDRESS})`}`
    return `${goName}:${printTyped(own, field.type)}`
  })
  return `${typeNameOf(name)}{${fields.join(', ')}}`
}

function printTyped(value: unknown, type: TypeRef): string {
  switch (type.kind) {
    case 'struct':
      return struct(value, type.name)
    case 'list':
      if (!Array.isArray(value)) return `${goType(type)}(nil)`
      return `${goType(type)}{${(value as unknown[]).map((each) => printTyped(each, type.of)).join(', ')}}`
    case 'map': {
      if (!isObject(value)) return `${goType(type)}(nil)`
      const items = Object.keys(value)
        .sort()
        .map((key) => `${JSON.stringify(key)}:${printTyped(value[key], type.of)}`)
      return `${goType(type)}{${items.join(', ')}}`
    }
    case 'scalar':
      if (type.scalar === 'bool') return String(value === true)
      return print(value, scalarTypes[type.scalar] ?? type.scalar)
  }
}

/** resource.Quantity after it was parsed: a scaled integer while 18 digits suffice. */
function goQuantity(text: string): string {
  const quantity = parseQuantity(text) ?? { mantissa: 0n, exponent: 0, format: 'decimal' as const }
  const formats = { binary: 'BinarySI', decimal: 'DecimalSI', exponent: 'DecimalExponent' }
  return `resource.Quantity{i:resource.int64Amount{value:${String(quantity.mantissa)}, scale:${String(quantity.exponent)}}, d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:"${text}", Format:"${formats[quantity.format]}"}`
}
