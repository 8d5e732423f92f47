import type { DnsRecord, DnsType } from './shell/process.ts'
import type { EndpointSlice, Service, ServiceView } from './serviceView.ts'

const DOMAIN = 'cluster.local'
const TTL_SECONDS = 5
/** Of the Kubernetes DNS specification that the records follow. */
const SPECIFICATION = '1.1.0'

/** `10.244.1.2` as pods and endpoints without a hostname are named. */
const dashed = (address: string): string => address.replaceAll('.', '-')

/**
 * The records a cluster's DNS serves for its Services and pods.
 *
 * @param name full, with or without the last dot
 * @see https://github.com/kubernetes/dns/blob/master/docs/specification.md
 */
export async function dnsRecords(name: string, type: DnsType, view: ServiceView): Promise<DnsRecord[]> {
  const full = name.replace(/\.$/, '').toLowerCase()
  const record = (data: string, of: DnsType = type): DnsRecord => ({ name: `${full}.`, type: of, ttlSeconds: TTL_SECONDS, data })
  if (type === 'PTR') return (await pointers(full, view)).map((target) => record(target))
  if (type === 'TXT') return full === `dns-version.${DOMAIN}` ? [record(JSON.stringify(SPECIFICATION))] : []
  const pod = /^(\d+-\d+-\d+-\d+)\.[^.]+\.pod\.cluster\.local$/.exec(full)
  if (pod !== null) return type === 'A' ? [record((pod[1] ?? '').replaceAll('-', '.'))] : []
  if (!full.endsWith(`.svc.${DOMAIN}`)) return []
  const parts = full.slice(0, -`.svc.${DOMAIN}`.length).split('.')
  const [serviceName = '', namespace = ''] = parts.slice(-2)
  const service = await view.service(namespace, serviceName)
  if (service === undefined || parts.length < 2) return []
  const own = parts.slice(0, -2)
  const { externalName, type: kind } = service.spec ?? {}
  if (kind === 'ExternalName') {
    if (own.length > 0 || externalName === undefined) return []
    const alias = record(`${externalName}.`, 'CNAME')
    return type === 'CNAME' ? [alias] : type === 'A' ? [alias, ...(await dnsRecords(externalName, 'A', view))] : []
  }
  if (type === 'A') return (await addresses(service, own, view)).map((address) => record(address))
  return type === 'SRV' ? (await servers(full, service, own, view)).map((data) => record(data)) : []
}

const isHeadless = ({ spec }: Service): boolean => spec?.clusterIP === 'None'

async function addresses(service: Service, own: readonly string[], view: ServiceView): Promise<string[]> {
  if (own.length > 1) return []
  if (!isHeadless(service)) return own.length === 0 && (service.spec?.clusterIP ?? '') !== '' ? [service.spec?.clusterIP ?? ''] : []
  const [host] = own
  return readyEndpoints(await view.slices(service))
    .filter(({ hostname, address }) => host === undefined || (hostname ?? dashed(address)) === host)
    .map(({ address }) => address)
}

/** `_port._protocol` below the Service: priority, weight, port, target. */
async function servers(full: string, service: Service, own: readonly string[], view: ServiceView): Promise<string[]> {
  const base = `${service.metadata.name ?? ''}.${service.metadata.namespace ?? ''}.svc.${DOMAIN}.`
  const [portName, protocol] = own.map((part) => part.replace(/^_/, ''))
  const wanted = ({ name = '', protocol: own = 'TCP' }: { name?: string; protocol?: string }): boolean =>
    portName === undefined || (name === portName && own.toLowerCase() === protocol)
  if (own.length !== 0 && own.length !== 2) return []
  if (!isHeadless(service)) return (service.spec?.ports ?? []).filter(wanted).map(({ port }) => `0 100 ${String(port)} ${base}`)
  return (await view.slices(service)).flatMap((slice) =>
    (slice.ports ?? [])
      .filter(wanted)
      .flatMap(({ port = 0 }) => readyEndpoints([slice]).map(({ address, hostname }) => `0 100 ${String(port)} ${hostname ?? dashed(address)}.${base}`)),
  )
}

async function pointers(full: string, view: ServiceView): Promise<string[]> {
  const reversed = /^(\d+\.\d+\.\d+\.\d+)\.in-addr\.arpa$/.exec(full)?.[1]
  if (reversed === undefined) return []
  const address = reversed.split('.').reverse().join('.')
  const services = await view.all()
  const found = services.find(({ spec }) => spec?.clusterIP === address)
  const nameOf = ({ metadata }: Service): string => `${metadata.name ?? ''}.${metadata.namespace ?? ''}.svc.${DOMAIN}.`
  if (found !== undefined) return [nameOf(found)]
  for (const service of services.filter(isHeadless))
    for (const endpoint of readyEndpoints(await view.slices(service)))
      if (endpoint.address === address) return [`${endpoint.hostname ?? dashed(address)}.${nameOf(service)}`]
  return []
}

/** The addresses of endpoints that take connections. */
export function readyEndpoints(slices: readonly EndpointSlice[]): { address: string; hostname: string | undefined }[] {
  return slices
    .flatMap(({ endpoints = [] }) => endpoints)
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses: all = [], hostname }) => all.map((address) => ({ address, hostname })))
}
