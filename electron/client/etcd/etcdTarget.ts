import { readFile } from 'node:fs/promises'

export interface EtcdTarget {
  /** `https://host:port`, `http://host:port`, or `host:port` (TLS when a CA or certificate is given, as etcdctl). */
  endpoint: string
  caFile?: string | undefined
  certFile?: string | undefined
  keyFile?: string | undefined
}

/** PEM. Without a CA the system's are trusted. */
export interface EtcdTls {
  ca?: Buffer
  cert?: Buffer
  key?: Buffer
}

export function etcdAddress({ endpoint, caFile, certFile }: EtcdTarget): { scheme: 'http' | 'https'; address: string } {
  const [scheme, address] = endpoint.includes('://')
    ? (endpoint.split('://') as [string, string])
    : [caFile !== undefined || certFile !== undefined ? 'https' : 'http', endpoint]
  return { scheme: scheme === 'https' ? 'https' : 'http', address: address.replace(/\/+$/, '') }
}

/** @throws the system's error when a file cannot be read */
export async function readTls({ caFile, certFile, keyFile }: EtcdTarget): Promise<EtcdTls> {
  const pem = (path: string | undefined): Promise<Buffer | null> => (path === undefined || path === '' ? Promise.resolve(null) : readFile(path))
  const [ca, cert, key] = await Promise.all([pem(caFile), pem(certFile), pem(keyFile)])
  return { ...(ca === null ? {} : { ca }), ...(cert === null ? {} : { cert }), ...(key === null ? {} : { key }) }
}
