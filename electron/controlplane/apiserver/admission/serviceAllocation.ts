import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Random } from '#shared/base/random.ts'
import { invalid, invalidStatus, typed, worded, type FieldError } from '#shared/kubernetes/validation/fieldError.ts'
import { externalTrafficErrors } from '#shared/kubernetes/validation/service.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { hasHealthCheck, hasNodePorts } from '../registry/serviceStrategy.ts'
import type { Store } from '../storage/store.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'

const FIRST_NODE_PORT = 30_000
const LAST_NODE_PORT = 32_767
/** The release that serves both address families, and says in a service which it has. */
const DUAL_STACK_SINCE = 21
/** Earlier releases give no cluster IP to a service that is not going to be written, and word a refusal in their own way. */
const REWRITTEN_IN = 22

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
 * Gives services their cluster IP and node ports. What is taken is read from the services themselves; until the write is done
 * or has failed, what it was given is held back from others.
 */
export class ServiceAllocation implements AdmissionPlugin {
  readonly name = 'ServiceAllocation'
  readonly #store: Store
  readonly #random: Random
  readonly #range: { first: number; size: number }
  readonly #cidr: string
  readonly #held = new Set<string | number>()

  constructor(store: Store, random: Random, cidr: string) {
    this.#store = store
    this.#random = random
    this.#cidr = cidr
    this.#range = parseRange(cidr)
  }

  /** @see pkg/registry/core/service/storage/rest.go Create, Update */
  allocate({ operation, resource, object, old, context }: AdmissionRequest): (() => void) | undefined {
    if (resource.group !== '' || resource.plural !== 'services' || operation === 'DELETE' || context.subresource !== '' || !isObject(object['spec'])) return
    const spec = object['spec']
    const before = isObject(old?.['spec']) ? old['spec'] : null
    const minor = resource.kubernetesMinor
    const given: (string | number)[] = []
    const refuse = (...errors: FieldError[]): never => {
      throw new StatusError(invalidStatus({ group: '', kind: 'Service', name: object.metadata.name ?? '' }, worded(errors, minor)))
    }
    if (spec['type'] !== 'ExternalName') {
      if (minor >= DUAL_STACK_SINCE) defaultFamilies(spec)
      const fresh = before === null || before['type'] === 'ExternalName'
      if (fresh && !(context.dryRun && minor < REWRITTEN_IN)) this.#address(spec, minor, given, refuse)
    }
    const withoutPorts = spec['type'] === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] === false
    if (hasNodePorts(spec) && !withoutPorts) this.#ports(object, spec, before, given, refuse)
    this.#healthCheckPort(object, spec, before, given, refuse)
    if (before !== null && hasNodePorts(before) && !hasNodePorts(spec)) delete spec['externalTrafficPolicy']
    const errors = [...externalTrafficErrors(spec)]
    if (errors.length > 0) refuse(...errors)
    for (const each of given) this.#held.add(each)
    return () => {
      for (const each of given) this.#held.delete(each)
    }
  }

  #address(spec: JsonObject, minor: number, given: (string | number)[], refuse: (...errors: FieldError[]) => never): void {
    const [first] = Array.isArray(spec['clusterIPs']) ? (spec['clusterIPs'] as unknown[]) : []
    const asked = typeof first === 'string' && first !== '' ? first : typeof spec['clusterIP'] === 'string' ? spec['clusterIP'] : ''
    if (asked === 'None') return
    if (asked !== '') {
      const number = addressNumber(asked)
      const outside = number === null || number <= this.#range.first || number >= this.#range.first + this.#range.size - 1
      const why = outside
        ? `provided IP is not in the valid range. The range of valid IPs is ${this.#cidr}`
        : this.#takenAddresses().has(asked)
          ? 'provided IP is already allocated'
          : ''
      const text = minor < REWRITTEN_IN ? `failed to allocated ip:${asked} with error:${why}` : `failed to allocate IP ${asked}: ${outside ? 'the ' : ''}${why}`
      if (why !== '') refuse(invalid('spec.clusterIPs', typed('[]string', [asked]), text))
    }
    const address = asked === '' ? this.#freeAddress() : asked
    spec['clusterIP'] = address
    spec['clusterIPs'] = [address]
    given.push(address)
  }

  #ports(object: KubeObject, spec: JsonObject, before: JsonObject | null, given: (string | number)[], refuse: (...errors: FieldError[]) => never): void {
    const taken = this.#takenPorts(object)
    const own = new Set(objects(before?.['ports']).map((port) => port['nodePort']))
    const byPort = new Map<unknown, number>()
    const ports = objects(spec['ports'])
    for (const [index, port] of ports.entries()) {
      const number = portNumber(port['nodePort'])
      const shared = before === null ? byPort.get(port['port']) : undefined
      // One port number under two protocols has one node port.
      const asked =
        number ??
        (before === null
          ? (shared ?? portNumber(ports.find((each) => each['port'] === port['port'] && portNumber(each['nodePort']) !== undefined)?.['nodePort']))
          : undefined)
      if (asked !== undefined && asked !== shared && !own.has(asked) && !given.includes(asked)) {
        const why = this.#portProblem(asked, taken)
        if (why !== '') refuse(invalid(`spec.ports[${String(index)}].nodePort`, asked, why))
      }
      const chosen = asked ?? this.#freePort(new Set([...taken, ...given]))
      port['nodePort'] = chosen
      byPort.set(port['port'], chosen)
      given.push(chosen)
    }
  }

  #healthCheckPort(
    object: KubeObject,
    spec: JsonObject,
    before: JsonObject | null,
    given: (string | number)[],
    refuse: (...errors: FieldError[]) => never,
  ): void {
    const [needed, needs] = [before !== null && hasHealthCheck(before), hasHealthCheck(spec)]
    const asked = portNumber(spec['healthCheckNodePort'])
    if (needed && needs && before?.['healthCheckNodePort'] !== spec['healthCheckNodePort'])
      refuse(
        invalid('spec.healthCheckNodePort', asked ?? 0, 'cannot change healthCheckNodePort on loadBalancer service with externalTraffic=Local during update'),
      )
    if (needed && !needs) delete spec['healthCheckNodePort']
    if (needed || !needs) return
    const taken = new Set([...this.#takenPorts(object), ...given])
    const why = asked === undefined ? '' : this.#portProblem(asked, taken)
    if (why !== '')
      throw new StatusError(
        failure(500, 'InternalError', `Internal error occurred: failed to allocate requested HealthCheck NodePort ${String(asked)}: ${why}`, {
          causes: [{ message: `failed to allocate requested HealthCheck NodePort ${String(asked)}: ${why}` }],
        }),
      )
    const chosen = asked ?? this.#freePort(taken)
    spec['healthCheckNodePort'] = chosen
    given.push(chosen)
  }

  #portProblem(port: number, taken: ReadonlySet<unknown>): string {
    if (port < FIRST_NODE_PORT || port > LAST_NODE_PORT) return 'provided port is not in the valid range. The range of valid ports is 30000-32767'
    return taken.has(port) ? 'provided port is already allocated' : ''
  }

  #takenAddresses(): Set<unknown> {
    const taken = new Set<unknown>(this.#held)
    for (const { object } of this.#store.collection('services/specs').values())
      if (isObject(object['spec']) && typeof object['spec']['clusterIP'] === 'string') taken.add(object['spec']['clusterIP'])
    return taken
  }

  #takenPorts(own: KubeObject): Set<unknown> {
    const taken = new Set<unknown>(this.#held)
    for (const { object } of this.#store.collection('services/specs').values()) {
      if (object.metadata.uid === own.metadata.uid || !isObject(object['spec'])) continue
      for (const port of objects(object['spec']['ports'])) if (typeof port['nodePort'] === 'number') taken.add(port['nodePort'])
      if (typeof object['spec']['healthCheckNodePort'] === 'number') taken.add(object['spec']['healthCheckNodePort'])
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

  #freePort(taken: ReadonlySet<unknown>): number {
    const span = LAST_NODE_PORT - FIRST_NODE_PORT + 1
    const start = this.#random.below(span)
    for (let step = 0; step < span; step++) {
      const port = FIRST_NODE_PORT + ((start + step) % span)
      if (!taken.has(port)) return port
    }
    throw new RangeError('range is full')
  }
}

function portNumber(value: unknown): number | undefined {
  return typeof value === 'number' && value !== 0 ? value : undefined
}

/** Which address families a service has: those of its addresses, or the one there is. A headless one without selector is for both. */
function defaultFamilies(spec: JsonObject): void {
  const headless = spec['clusterIP'] === 'None' && Object.keys(isObject(spec['selector']) ? spec['selector'] : {}).length === 0
  spec['ipFamilyPolicy'] ??= headless ? 'RequireDualStack' : 'SingleStack'
  const families = Array.isArray(spec['ipFamilies']) ? spec['ipFamilies'] : []
  if (families.length === 0) spec['ipFamilies'] = headless && spec['ipFamilyPolicy'] !== 'SingleStack' ? ['IPv4', 'IPv6'] : ['IPv4']
}
