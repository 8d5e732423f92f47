import { createHash } from 'node:crypto'
import type { Member } from '#shared/etcd/rpc.ts'

/** Members of a cluster that begins anew, in the order of their ids as etcd keeps them. */
export interface Membership {
  members: Member[]
  clusterId: bigint
  /** The member the data directory is for. */
  self: Member
}

export interface MembershipOptions {
  name: string
  /** `name=peerURL` pairs, comma-separated; a name may come more than once. */
  initialCluster: string
  initialClusterToken: string
  /** Comma-separated. */
  initialAdvertisePeerUrls: string
}

/**
 * The membership `etcdutl snapshot restore` makes: ids are hashes of peer URLs and token, so that the same flags on every
 * member give the same cluster.
 * @throws Error in etcd's words when the flags contradict each other
 * @see https://github.com/etcd-io/etcd/blob/release-3.5/server/etcdserver/api/membership/cluster.go
 */
export function membershipOf(options: MembershipOptions): Membership {
  const urls = new Map<string, string[]>()
  for (const pair of options.initialCluster.split(',')) {
    const at = pair.indexOf('=')
    const [name, url] = [pair.slice(0, at), pair.slice(at + 1)]
    if (at <= 0 || url === '') throw new Error(`--initial-cluster: ${JSON.stringify(pair)} is not of the form name=peerURL`)
    urls.set(name, [...(urls.get(name) ?? []), peerUrl(url, '--initial-cluster')])
  }
  const own = urls.get(options.name)
  if (own === undefined) throw new Error(`couldn't find local name ${JSON.stringify(options.name)} in the initial cluster configuration`)
  const advertised = options.initialAdvertisePeerUrls.split(',').map((url) => peerUrl(url, '--initial-advertise-peer-urls'))
  for (const url of own)
    if (!advertised.includes(url))
      throw new Error(`--initial-cluster has ${options.name}=${url} but missing from --initial-advertise-peer-urls=${advertised.join(',')}`)
  for (const url of advertised)
    if (!own.includes(url)) throw new Error(`--initial-advertise-peer-urls has ${url} but missing from --initial-cluster=${options.initialCluster}`)
  const seen = new Map<string, string>()
  const members = [...urls].map(([name, peerUrls]): Member => {
    const sorted = peerUrls.toSorted()
    for (const url of sorted) {
      const other = seen.get(url)
      if (other !== undefined) throw new Error(`--initial-cluster gives ${url} to both ${other} and ${name}`)
      seen.set(url, name)
    }
    return {
      id: firstEight(createHash('sha1').update(sorted.join('') + options.initialClusterToken)),
      name,
      peerUrls: sorted,
      clientUrls: [],
      isLearner: false,
    }
  })
  members.sort((a, b) => (a.id < b.id ? -1 : 1))
  const hash = createHash('sha1')
  for (const { id } of members) hash.update(bigEndian(id))
  const self = members.find(({ name }) => name === options.name)
  if (self === undefined) throw new Error(`couldn't find local name ${JSON.stringify(options.name)} in the initial cluster configuration`)
  return { members, clusterId: firstEight(hash), self }
}

/** A member as etcd writes it; by hand, as an id is a JSON number above 2^53. */
export function memberJson({ id, name, peerUrls }: Member): string {
  return `{"id":${id.toString()},"peerURLs":${JSON.stringify(peerUrls)}${name === '' ? '' : `,"name":${JSON.stringify(name)}`}}`
}

function peerUrl(text: string, flag: string): string {
  let url: URL
  try {
    url = new URL(text)
  } catch (error) {
    throw new Error(`${flag}: ${JSON.stringify(text)} is no URL`, { cause: error })
  }
  if (!['http:', 'https:'].includes(url.protocol)) throw new Error(`${flag}: URL scheme must be http or https: ${text}`)
  if (url.pathname !== '/') throw new Error(`${flag}: URL must not contain a path: ${text}`)
  if (url.port === '' && !/:\d+$/.test(text)) throw new Error(`${flag}: URL address does not have the form "host:port": ${text}`)
  return text.replace(/\/$/, '')
}

function firstEight(hash: ReturnType<typeof createHash>): bigint {
  return hash.digest().readBigUInt64BE(0)
}

function bigEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}
