/** One resource record of class IN. Names end with a dot. */
export type DnsRecord = { name: string; ttlSeconds: number } & (
  | { type: 'A' | 'AAAA' | 'CNAME' | 'NS' | 'PTR' | 'TXT'; data: string }
  | { type: 'SRV'; data: { priority: number; weight: number; port: number; target: string } }
  | { type: 'SOA'; data: { mname: string; rname: string; serial: number; refresh: number; retry: number; expire: number; minimum: number } }
)
export type DnsType = DnsRecord['type']

export interface DnsAnswer {
  /** REFUSED: the name is in none of the cluster's zones. */
  status: 'NOERROR' | 'NXDOMAIN' | 'REFUSED'
  answers: DnsRecord[]
  authority: DnsRecord[]
  additional: DnsRecord[]
}

/** A record's data as `dig` prints it. */
export function recordText(record: DnsRecord): string {
  if (record.type === 'SRV') return `${String(record.data.priority)} ${String(record.data.weight)} ${String(record.data.port)} ${record.data.target}`
  if (record.type === 'SOA') {
    const { mname, rname, serial, refresh, retry, expire, minimum } = record.data
    return [mname, rname, serial, refresh, retry, expire, minimum].join(' ')
  }
  return record.type === 'TXT' ? `"${record.data}"` : record.data
}
