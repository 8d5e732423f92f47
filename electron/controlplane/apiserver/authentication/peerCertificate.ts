import { X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

/** What a TLS client showed of itself, and how far it may be believed. */
export interface PeerCertificate {
  commonName: string
  organizations: string[]
  /** Why the chain does not lead to an accepted authority; null when it does. */
  fault: string | null
  /** Whose authority signed it, when the chain is good. */
  authority: 'client' | 'frontProxy' | null
  validFromMs: number
  validToMs: number
}

/** The authorities client certificates may come from. */
export class ClientAuthorities {
  readonly #frontProxy: ReadonlySet<string>

  /** @param frontProxyCa PEM of `--requestheader-client-ca-file` */
  constructor(frontProxyCa: string | undefined) {
    this.#frontProxy = new Set(frontProxyCa === undefined ? [] : certificatesIn(frontProxyCa).map(({ fingerprint256 }) => fingerprint256))
  }

  /** Reads the certificate of a finished handshake; null when the client showed none. */
  peerOf(socket: TLSSocket): PeerCertificate | null {
    const certificate = socket.getPeerCertificate(true)
    // Node gives an empty object when there is none.
    if (Object.keys(certificate).length === 0) return null
    const { CN, O } = certificate.subject as { CN?: string | string[]; O?: string | string[] }
    const fault = socket.authorized ? null : String(socket.authorizationError as unknown)
    return {
      commonName: (Array.isArray(CN) ? CN.at(-1) : CN) ?? '',
      organizations: O === undefined ? [] : Array.isArray(O) ? O : [O],
      fault,
      authority: fault !== null ? null : this.#frontProxy.has(rootOf(certificate).fingerprint256) ? 'frontProxy' : 'client',
      validFromMs: Date.parse(certificate.valid_from),
      validToMs: Date.parse(certificate.valid_to),
    }
  }
}

function rootOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate {
  let current = certificate
  // A self-signed certificate is its own issuer.
  while (
    (current.issuerCertificate as DetailedPeerCertificate | undefined) !== undefined &&
    current.issuerCertificate.fingerprint256 !== current.fingerprint256
  )
    current = current.issuerCertificate
  return current
}

/** @throws Error when a block is no certificate */
export function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []).map((block) => new X509Certificate(block))
}
