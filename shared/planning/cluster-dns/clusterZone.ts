import type { KubeObject } from '../../kubernetes/object.ts'
import { objectsAt, specOf, textAt } from '../scheduling/pod.ts'
import type { DnsAnswer, DnsRecord, DnsType } from './records.ts'
import { objectAt } from '../../kubernetes/json.ts'

/** What names are made from, as it is known now. */
export interface ClusterNames {
  service(namespace: string, name: string): KubeObject | undefined
  /** Services with this cluster address. */
  servicesAt(address: string): KubeObject[]
  /** EndpointSlices of a Service. */
  slices(namespace: string, service: string): KubeObject[]
  /** EndpointSlices with an endpoint of this address. */
  slicesAt(address: string): KubeObject[]
  hasNamespace(name: string): boolean
  /** Rises with every change. */
  serial: number
}

export interface ZoneOptions {
  /** `cluster.local` */
  domain: string
  ttlSeconds: number
  /** Namespace and name of the Service that answers questions. */
  dnsService: { namespace: string; name: string }
}

/** Where something answers: one address with one port; a name for what ExternalName leads to. */
interface Found {
  host: string
  port: number
  /** Below the zone. */
  owner: string
}

type Lookup = { found: Found[]; exists: boolean }
const NOTHING: Lookup = { found: [], exists: false }
const EMPTY: Lookup = { found: [], exists: true }
/** Of the Kubernetes DNS specification that the names follow. */
const SPECIFICATION = '1.1.0'
const VERSION_TTL_SECONDS = 28_800
const MAX_ALIASES = 8

const isV6 = (address: string): boolean => address.includes(':')
const dashed = (address: string): string => address.replace(/[.:]/g, '-')

/**
 * Answers questions as CoreDNS' kubernetes plugin does with kubeadm's Corefile: `pods insecure`, reverse zones, names of the
 * cluster only.
 *
 * @see https://github.com/kubernetes/dns/blob/master/docs/specification.md and https://coredns.io/plugins/kubernetes
 */
export class ClusterZone {
  readonly #names: ClusterNames
  readonly #options: ZoneOptions

  constructor(names: ClusterNames, options: ZoneOptions) {
    this.#names = names
    this.#options = options
  }

  /** @param name in any case, with or without the last dot; answers repeat it as it was asked */
  answer(name: string, type: DnsType | string): DnsAnswer {
    const asked = name.endsWith('.') ? name : `${name}.`
    const full = asked.slice(0, -1).toLowerCase()
    const { domain } = this.#options
    if (full === domain || full.endsWith(`.${domain}`)) return this.#inZone(asked, full, type)
    const reverse = reverseAddress(full)
    if (reverse === null) return { status: 'REFUSED', answers: [], authority: [], additional: [] }
    return this.#reversed(asked, reverse, type)
  }

  #inZone(asked: string, full: string, type: string): DnsAnswer {
    const { domain, ttlSeconds } = this.#options
    const below = full === domain ? '' : full.slice(0, -domain.length - 1)
    const server = `ns.dns.${domain}.`
    if (below === '') {
      if (type === 'SOA') return this.#with([this.#soa()])
      if (type === 'NS') return this.#with([{ name: asked, type: 'NS', ttlSeconds, data: server }], this.#addresses(server, this.#serverAddresses(), null))
      return this.#without(true)
    }
    if (below === 'dns-version') {
      return type === 'TXT' ? this.#with([{ name: asked, type: 'TXT', ttlSeconds: VERSION_TTL_SECONDS, data: SPECIFICATION }]) : this.#without(true)
    }
    if (below === 'ns.dns') return this.#withAddresses(asked, this.#serverAddresses(), type)
    const { found, exists } = this.#lookUp(below)
    if (!exists) return this.#without(false)
    const alias = found.find(({ port }) => port < 0)
    if (alias !== undefined) return this.#aliased(asked, `${alias.host}.`, type)
    if (type === 'SRV') return this.#servers(asked, found)
    return this.#withAddresses(
      asked,
      found.map(({ host }) => host),
      type,
    )
  }

  /** What is below the domain: `…svc` or `…pod`. */
  #lookUp(below: string): Lookup {
    const labels = below.split('.').reverse()
    const [kind = '', namespace, name, ...rest] = labels
    if (kind !== 'svc' && kind !== 'pod') return NOTHING
    if (namespace === undefined) return EMPTY
    if (name === undefined) return this.#names.hasNamespace(namespace) ? EMPTY : NOTHING
    if (kind === 'svc') return this.#service(namespace, name, rest)
    return rest.length === 0 && this.#names.hasNamespace(namespace) ? podAddress(name) : NOTHING
  }

  /** @param own labels before the Service's: none, an endpoint's name, or protocol and port */
  #service(namespace: string, name: string, own: readonly string[]): Lookup {
    const service = this.#names.service(namespace, name)
    if (service === undefined || own.length > 2) return NOTHING
    const spec = specOf(service)
    if (spec['type'] === 'ExternalName')
      return own.length > 0 ? NOTHING : { found: [{ host: textAt(spec['externalName']), port: -1, owner: '' }], exists: true }
    const endpoint = own.length === 1 ? own[0] : undefined
    const [protocol, portName] = own.length === 2 ? own.map((label) => label.replace(/^_/, '')) : []
    const wanted = (port: Record<string, unknown>): boolean =>
      portName === undefined || (textAt(port['name']) === portName && (textAt(port['protocol']) || 'TCP').toLowerCase() === protocol)
    const base = `${name}.${namespace}.svc`
    const headless = spec['clusterIP'] === 'None'
    const found = headless || endpoint !== undefined ? this.#endpoints(namespace, name, { endpoint, wanted, base }) : clusterAddresses(spec, wanted, base)
    return { found, exists: found.length > 0 }
  }

  #endpoints(
    namespace: string,
    name: string,
    { endpoint, wanted, base }: { endpoint: string | undefined; wanted: (port: Record<string, unknown>) => boolean; base: string },
  ): Found[] {
    return this.#names.slices(namespace, name).flatMap((slice) => {
      const ports = objectsAt(slice['ports'])
      // A headless Service without ports has endpoints all the same.
      const numbers = ports.length === 0 ? [0] : ports.filter(wanted).map(({ port }) => (typeof port === 'number' ? port : 0))
      return readyEndpoints(slice).flatMap(({ address, label }) =>
        endpoint === undefined || endpoint === label ? numbers.map((port) => ({ host: address, port, owner: `${label}.${base}` })) : [],
      )
    })
  }

  /** The target's records, when it is one of the cluster, follow the alias. */
  #aliased(asked: string, target: string, type: string): DnsAnswer {
    if (!['A', 'AAAA', 'CNAME'].includes(type)) return this.#without(true)
    const chain: DnsRecord[] = [{ name: asked, type: 'CNAME', ttlSeconds: this.#options.ttlSeconds, data: target }]
    if (type === 'CNAME') return this.#with(chain)
    let at = target
    while (chain.length < MAX_ALIASES) {
      const full = at.slice(0, -1).toLowerCase()
      if (!full.endsWith(`.${this.#options.domain}`)) break
      const { found } = this.#lookUp(full.slice(0, -this.#options.domain.length - 1))
      const next = found.find(({ port }) => port < 0)
      if (next === undefined) {
        const hosts = found.map(({ host }) => host)
        return this.#with([...chain, ...this.#addresses(at, hosts, type)])
      }
      chain.push({ name: at, type: 'CNAME', ttlSeconds: this.#options.ttlSeconds, data: `${next.host}.` })
      at = `${next.host}.`
    }
    return this.#with(chain)
  }

  /** Every target gets the same part of 100, as CoreDNS counts. */
  #servers(asked: string, found: readonly Found[]): DnsAnswer {
    const { domain, ttlSeconds } = this.#options
    const weight = Math.max(1, Math.floor(100 / Math.max(1, found.length)))
    const records = found.map(({ port, owner }): DnsRecord => ({
      name: asked,
      type: 'SRV',
      ttlSeconds,
      data: { priority: 0, weight, port, target: `${owner}.${domain}.` },
    }))
    const additional = found.flatMap(({ host, owner }) => this.#addresses(`${owner}.${domain}.`, [host], null))
    return this.#with(distinct(records), distinct(additional))
  }

  #reversed(asked: string, address: string, type: string): DnsAnswer {
    const { domain, ttlSeconds } = this.#options
    const nameOf = ({ metadata }: KubeObject): string => `${metadata.name ?? ''}.${metadata.namespace ?? ''}.svc.${domain}.`
    const [service] = this.#names.servicesAt(address)
    const targets =
      service !== undefined
        ? [nameOf(service)]
        : this.#names.slicesAt(address).flatMap((slice) => {
            const owner = `${slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''}.${slice.metadata.namespace ?? ''}.svc.${domain}.`
            return readyEndpoints(slice).flatMap((each) => (each.address === address ? [`${each.label}.${owner}`] : []))
          })
    const records = targets.map((data): DnsRecord => ({ name: asked, type: 'PTR', ttlSeconds, data }))
    if (records.length === 0) return this.#without(false)
    return type === 'PTR' ? this.#with(distinct(records)) : this.#without(true)
  }

  #withAddresses(asked: string, hosts: readonly string[], type: string): DnsAnswer {
    const records = type === 'A' || type === 'AAAA' ? this.#addresses(asked, hosts, type) : []
    return records.length > 0 ? this.#with(records) : this.#without(true)
  }

  /** @param type null for those of either family */
  #addresses(name: string, hosts: readonly string[], type: string | null): DnsRecord[] {
    const { ttlSeconds } = this.#options
    const records = hosts.map((data): DnsRecord => ({ name, type: isV6(data) ? 'AAAA' : 'A', ttlSeconds, data }))
    return distinct(records.filter((record) => type === null || record.type === type))
  }

  #serverAddresses(): string[] {
    const { namespace, name } = this.#options.dnsService
    const service = this.#names.service(namespace, name)
    return service === undefined ? [] : clusterAddresses(specOf(service), () => true, '').map(({ host }) => host)
  }

  #with(answers: DnsRecord[], additional: DnsRecord[] = []): DnsAnswer {
    return { status: 'NOERROR', answers, authority: [], additional }
  }

  /** Whoever remembers that there is nothing learns from the SOA record for how long. */
  #without(exists: boolean): DnsAnswer {
    return { status: exists ? 'NOERROR' : 'NXDOMAIN', answers: [], authority: [this.#soa()], additional: [] }
  }

  #soa(): DnsRecord {
    const { domain, ttlSeconds } = this.#options
    const times = { refresh: 7200, retry: 1800, expire: 86_400, minimum: ttlSeconds }
    return {
      name: `${domain}.`,
      type: 'SOA',
      ttlSeconds,
      data: { mname: `ns.dns.${domain}.`, rname: `hostmaster.${domain}.`, serial: this.#names.serial, ...times },
    }
  }
}

function clusterAddresses(spec: Record<string, unknown>, wanted: (port: Record<string, unknown>) => boolean, owner: string): Found[] {
  const all = Array.isArray(spec['clusterIPs']) ? spec['clusterIPs'].filter((each) => typeof each === 'string') : []
  const addresses = (all.length > 0 ? all : [textAt(spec['clusterIP'])]).filter((address) => address !== '' && address !== 'None')
  return objectsAt(spec['ports'])
    .filter(wanted)
    .flatMap(({ port }) => addresses.map((host) => ({ host, port: typeof port === 'number' ? port : 0, owner })))
}

/** Ready endpoints with the label that each has below its Service. */
function readyEndpoints(slice: KubeObject): { address: string; label: string }[] {
  return objectsAt(slice['endpoints'])
    .filter(({ conditions }) => objectAt(conditions)['ready'] !== false)
    .flatMap(({ addresses, hostname }) =>
      (Array.isArray(addresses) ? addresses : []).flatMap((address) =>
        typeof address === 'string' ? [{ address, label: textAt(hostname) === '' ? dashed(address) : textAt(hostname) }] : [],
      ),
    )
}

/** `10-244-1-2`: whether there is such a pod is not asked. */
function podAddress(label: string): Lookup {
  const four = /^\d{1,3}(-\d{1,3}){3}$/.test(label)
  const address = label.replaceAll('-', four ? '.' : ':')
  const valid = four ? address.split('.').every((part) => Number(part) <= 255) : isIPv6(address)
  return valid ? { found: [{ host: address, port: 0, owner: '' }], exists: true } : NOTHING
}

function isIPv6(text: string): boolean {
  const halves = text.split('::')
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  if (halves.length > 2 || groups.some((group) => !/^[0-9a-f]{1,4}$/.test(group))) return false
  return halves.length === 2 ? groups.length < 8 : groups.length === 8
}

/** The address of a name below in-addr.arpa or ip6.arpa; '' for one that is no whole address, null for another name. */
function reverseAddress(full: string): string | null {
  const four = /^((?:\d{1,3}\.){3}\d{1,3})\.in-addr\.arpa$/.exec(full)?.[1]
  if (four !== undefined) return four.split('.').reverse().join('.')
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(full)?.[1]
  if (six !== undefined) return shortV6(six.replaceAll('.', '').split('').reverse().join(''))
  return /(^|\.)(in-addr|ip6)\.arpa$/.test(full) ? '' : null
}

/** 32 hexadecimal digits in the form in which addresses are written. */
function shortV6(digits: string): string {
  const groups = (digits.match(/.{4}/g) ?? []).map((group) => group.replace(/^0{1,3}/, ''))
  const runs = groups.map((group, at) => {
    const end = groups.findIndex((other, index) => index >= at && other !== '0')
    return { at, length: group === '0' ? (end < 0 ? groups.length : end) - at : 0 }
  })
  const longest = runs.toSorted((a, b) => b.length - a.length || a.at - b.at)[0]
  if (longest === undefined || longest.length < 2) return groups.join(':')
  return `${groups.slice(0, longest.at).join(':')}::${groups.slice(longest.at + longest.length).join(':')}`
}

function distinct(records: readonly DnsRecord[]): DnsRecord[] {
  const seen = new Set<string>()
  return records.filter((record) => {
    const key = JSON.stringify(record)
    return !seen.has(key) && seen.add(key)
  })
}
