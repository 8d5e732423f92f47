import { X509Certificate } from 'node:crypto'
import type { CertificateView } from '#shared/contract/security.ts'
import { decodeCertificate } from './certificate.ts'
import { formatResidual } from './inventory.ts'

const USAGES: Readonly<Record<string, string>> = { serverAuth: 'TLS Web Server Authentication', clientAuth: 'TLS Web Client Authentication' }

interface Place {
  name: string
  node: string
  path: string
  isAuthority: boolean
  authority: string
  externallyManaged: boolean
}

/** A certificate that is missing or cannot be read: why, in words. */
export function problemView(place: Place, problem: string): CertificateView {
  return {
    ...place,
    problem,
    subject: '',
    issuer: '',
    serialNumber: '',
    notBeforeMs: 0,
    notAfterMs: 0,
    residual: '',
    dnsNames: [],
    ipAddresses: [],
    keyUsages: [],
    extendedKeyUsages: [],
    publicKey: '',
    signatureAlgorithm: '',
    sha256Fingerprint: '',
    isCa: false,
    text: '',
    pem: '',
  }
}

/** Everything a page shows of a certificate. @param pem one certificate */
export function certificateView(pem: string, place: Place, nowMs: number): CertificateView {
  try {
    const certificate = new X509Certificate(pem)
    const decoded = decodeCertificate(pem)
    const key = certificate.publicKey
    const publicKey =
      key.asymmetricKeyType === 'ec'
        ? `ECDSA ${key.asymmetricKeyDetails?.namedCurve ?? ''}`
        : `${(key.asymmetricKeyType ?? '').toUpperCase()} ${String(key.asymmetricKeyDetails?.modulusLength ?? '')}`.trim()
    const oneLine = (text: string): string => text.split('\n').join(', ')
    const extended = (certificate.keyUsage ?? []).map((oid) => (oid === '1.3.6.1.5.5.7.3.1' ? 'serverAuth' : oid === '1.3.6.1.5.5.7.3.2' ? 'clientAuth' : oid))
    const signatureAlgorithm = (certificate as { signatureAlgorithm?: string }).signatureAlgorithm ?? ''
    const view: CertificateView = {
      ...place,
      problem: '',
      subject: oneLine(certificate.subject),
      issuer: oneLine(certificate.issuer),
      serialNumber: certificate.serialNumber,
      notBeforeMs: decoded.notBeforeMs,
      notAfterMs: decoded.notAfterMs,
      residual: formatResidual(decoded.notAfterMs - nowMs),
      dnsNames: decoded.dnsNames,
      ipAddresses: decoded.ipAddresses,
      keyUsages: decoded.isCa ? ['Certificate Sign', 'CRL Sign'] : ['Digital Signature', 'Key Encipherment'],
      extendedKeyUsages: extended,
      publicKey,
      signatureAlgorithm,
      sha256Fingerprint: certificate.fingerprint256,
      isCa: certificate.ca,
      text: '',
      pem: certificate.toString(),
    }
    return { ...view, text: textOf(view) }
  } catch (error) {
    return problemView(place, `cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** In the manner of `openssl x509 -text`. */
function textOf(view: CertificateView): string {
  const names = [...view.dnsNames.map((name) => `DNS:${name}`), ...view.ipAddresses.map((address) => `IP Address:${address}`)]
  const date = (ms: number): string => new Date(ms).toUTCString()
  return [
    'Certificate:',
    '    Data:',
    `        Serial Number: ${view.serialNumber}`,
    ...(view.signatureAlgorithm === '' ? [] : [`        Signature Algorithm: ${view.signatureAlgorithm}`]),
    `        Issuer: ${view.issuer}`,
    '        Validity',
    `            Not Before: ${date(view.notBeforeMs)}`,
    `            Not After : ${date(view.notAfterMs)}`,
    `        Subject: ${view.subject}`,
    `        Public Key: ${view.publicKey}`,
    '        X509v3 extensions:',
    `            X509v3 Basic Constraints: CA:${view.isCa ? 'TRUE' : 'FALSE'}`,
    ...(view.extendedKeyUsages.length === 0
      ? []
      : [`            X509v3 Extended Key Usage: ${view.extendedKeyUsages.map((each) => USAGES[each] ?? each).join(', ')}`]),
    ...(names.length === 0 ? [] : [`            X509v3 Subject Alternative Name: ${names.join(', ')}`]),
    `    SHA-256 Fingerprint: ${view.sha256Fingerprint}`,
    '',
  ].join('\n')
}
