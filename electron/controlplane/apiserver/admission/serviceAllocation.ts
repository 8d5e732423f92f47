import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Random } from '#shared/base/random.ts'
import { invalid, invalidStatus, type FieldError } from '#shared/kubernetes/validation/fieldError.ts'
import { StatusError } from '#shared/kubernetes/status.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'

const FIRST_NODE_PORT = 30_000
const LAST_NODE_PORT = 32_767

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

function addressNumber(address: string): number | null {
  const parts = address.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return null
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

const addressText = (number: number): string => [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')

/** The addresses of `10.96.0.0/12`. @throws RangeError when the text is no IPv4 range */
export function parseRange(cidr: string): { first: number; size: number } {
  const [address = '', bits = ''] = cidr.split('/')
  const base = addressNumber(address)
  const length = Number(bits)
  if (base === null || !Number.isInteger(length) || length < 1 || length > 30) throw new RangeError(`${cidr} is no IPv4 range`)
  const size = 2 ** (32 - length)
  return { first: base - (base % size), size }
}

/** The address of the `kubernetes` service: the first of the range. */
export const firstServiceAddress = (cidr: string): string => addressText(parseRange(cidr).first + 1)

/**
 * Gives services their cluster IP and node ports. What is taken is read from the services themselves; between reading and
 * writing, an address given out is held back so that two creations at once do not get the same.
 */
export class ServiceAllocation implements AdmissionPlugin {
  readonly name = 'ServiceAllocation'
  readonly #store: Store
  readonly #random: Random
  readonly #range: { first: number; size: number }
  readonly #cidr: string
  readonly #held = new Map<string, number>()

  constructor(store: Store, random: Random, cidr: string) {
    this.#store = store
    this.#random = random
    this.#cidr = cidr
    this.#range = parseRange(cidr)
  }

  admit({ operation, resource, object, old, context }: AdmissionRequest): void {
    if (resource.group !== '' || resource.plural !== 'services' || operation === 'DELETE' || context.subresource !== '' || !isObject(object['spec'])) return
    const spec = object['spec']
    const before = isObject(old?.['spec']) ? old['spec'] : {}
    const type = spec['type'] ?? 'ClusterIP'
    if (type === 'ExternalName') return
    const errors: FieldError[] = []
    this.#address(spec, before, object, errors)
    if (type === 'NodePort' || type === 'LoadBalancer') this.#ports(spec, before, object, errors)
    else if (old !== null) for (const port of objects(spec['ports'])) delete port['nodePort']
    if (errors.length > 0) throw new StatusError(invalidStatus({ group: '', kind: 'Service', name: object.metadata.name ?? '' }, errors))
  }

  #address(spec: JsonObject, before: JsonObject, object: KubeObject, errors: FieldError[]): void {
    // An update that says nothing keeps what the service has.
    if ((spec['clusterIP'] ?? '') === '' && before['clusterIP'] !== undefined) spec['clusterIP'] = before['clusterIP']
    const asked = typeof spec['clusterIP'] === 'string' ? spec['clusterIP'] : ''
    if (asked === '') spec['clusterIP'] = this.#freeAddress()
    else if (asked !== 'None' && asked !== before['clusterIP']) {
      const number = addressNumber(asked)
      if (number === null || number <= this.#range.first || number >= this.#range.first + this.#range.size - 1)
        errors.push(
          invalid(
            'spec.clusterIPs',
            [asked],
            `failed to allocate IP ${asked}: the provided IP is not in the valid range. The range of valid IPs is ${this.#cidr}`,
          ),
        )
      else if (this.#takenAddresses().has(asked))
        errors.push(invalid('spec.clusterIPs', [asked], `failed to allocate IP ${asked}: provided IP is already allocated`))
    }
    spec['clusterIPs'] = [spec['clusterIP']]
    if (spec['clusterIP'] !== 'None' || spec['selector'] !== undefined) {
      spec['ipFamilies'] ??= ['IPv4']
      spec['ipFamilyPolicy'] ??= 'SingleStack'
    }
    if (typeof object.metadata.name === 'string' && spec['clusterIP'] !== 'None') this.#hold(String(spec['clusterIP']))
  }

  #ports(spec: JsonObject, before: JsonObject, object: KubeObject, errors: FieldError[]): void {
    const taken = this.#takenPorts(object)
    const known = objects(before['ports'])
    for (const [index, port] of objects(spec['ports']).entries()) {
      const asked = typeof port['nodePort'] === 'number' && port['nodePort'] !== 0 ? port['nodePort'] : undefined
      const kept = known.find((each) => each['port'] === port['port'] && each['protocol'] === port['protocol'])?.['nodePort']
      const number = asked ?? (typeof kept === 'number' ? kept : undefined) ?? this.#freePort(taken)
      const field = `spec.ports[${String(index)}].nodePort`
      if (number < FIRST_NODE_PORT || number > LAST_NODE_PORT)
        errors.push(invalid(field, number, 'provided port is not in the valid range. The range of valid ports is 30000-32767'))
      else if (taken.has(number)) errors.push(invalid(field, number, 'provided port is already allocated'))
      port['nodePort'] = number
      taken.add(number)
    }
  }

  #takenAddresses(): Set<string> {
    const taken = new Set<string>(this.#held.keys())
    for (const { object } of this.#store.collection('services/specs').values())
      if (isObject(object['spec']) && typeof object['spec']['clusterIP'] === 'string') taken.add(object['spec']['clusterIP'])
    return taken
  }

  #takenPorts(own: KubeObject): Set<number> {
    const taken = new Set<number>()
    for (const { object } of this.#store.collection('services/specs').values()) {
      if (object.metadata.uid === own.metadata.uid || !isObject(object['spec'])) continue
      for (const port of objects(object['spec']['ports'])) if (typeof port['nodePort'] === 'number') taken.add(port['nodePort'])
    }
    return taken
  }

  /** The lowest addresses are left for services that ask for one by number, as upstream does. */
  #freeAddress(): string {
    const taken = this.#takenAddresses()
    const { first, size } = this.#range
    const reserved = Math.min(Math.max(16, Math.floor(size / 16)), 256)
    const span = size - 2 - reserved
    const start = this.#random.below(Math.max(1, span))
    for (let step = 0; step < span; step++) {
      const address = addressText(first + 1 + reserved + ((start + step) % span))
      if (!taken.has(address)) return address
    }
    for (let offset = 2; offset <= reserved; offset++) if (!taken.has(addressText(first + offset))) return addressText(first + offset)
    throw new RangeError('range is full')
  }

  #freePort(taken: ReadonlySet<number>): number {
    const span = LAST_NODE_PORT - FIRST_NODE_PORT + 1
    const start = this.#random.below(span)
    for (let step = 0; step < span; step++) {
      const port = FIRST_NODE_PORT + ((start + step) % span)
      if (!taken.has(port)) return port
    }
    throw new RangeError('range is full')
  }

  #hold(address: string): void {
    this.#held.set(address, (this.#held.get(address) ?? 0) + 1)
    if (this.#held.size > 64) this.#held.delete(this.#held.keys().next().value ?? '')
  }
}
