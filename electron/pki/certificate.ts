import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import {
  der,
  derBitString,
  derBoolean,
  derExplicit,
  derInteger,
  derOid,
  derSequence,
  derText,
  derTime,
  DerTag,
  readDer,
  readDerChildren,
  readDerOid,
  readDerTime,
  type DerElement,
} from './der.ts'

/** kubeadm's `encryptionAlgorithm`. kubeadm's own default is RSA-2048; P-256 keys are made a hundred times faster. */
export type KeyAlgorithm = 'ECDSA-P256' | 'RSA-2048'

export type ExtendedKeyUsage = 'serverAuth' | 'clientAuth'

export interface Subject {
  commonName: string
  organizations: string[]
}

/** A certificate with its private key, both PEM. */
export interface KeyedCertificate {
  certificate: string
  key: string
}

export interface CertificateTemplate {
  subject: Subject
  isCa: boolean
  dnsNames: string[]
  ipAddresses: string[]
  usages: ExtendedKeyUsage[]
  notBeforeMs: number
  notAfterMs: number
}

/** What a certificate says, as far as Kubernetes reads it. */
export interface DecodedCertificate extends CertificateTemplate {
  issuer: Subject
  serialNumber: string
  /** DER of SubjectPublicKeyInfo. */
  publicKeyDer: Buffer
}

const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  sha256WithRsa: '1.2.840.113549.1.1.11',
} as const

const USAGE_OID: Record<ExtendedKeyUsage, string> = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' }

/** A new private key as PEM, in the forms kubeadm writes (SEC 1 for ECDSA, PKCS 1 for RSA). */
export function generateKey(algorithm: KeyAlgorithm): string {
  if (algorithm === 'RSA-2048') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' }).toString()
}

/** A self-signed authority. */
export function createAuthority(
  template: Pick<CertificateTemplate, 'notBeforeMs' | 'notAfterMs'> & { commonName: string },
  algorithm: KeyAlgorithm,
): KeyedCertificate {
  const key = generateKey(algorithm)
  const subject = { commonName: template.commonName, organizations: [] }
  const full: CertificateTemplate = {
    subject,
    isCa: true,
    dnsNames: [template.commonName],
    ipAddresses: [],
    usages: [],
    notBeforeMs: template.notBeforeMs,
    notAfterMs: template.notAfterMs,
  }
  const publicKey = createPublicKey(key)
  return {
    certificate: buildCertificate(full, { publicKey, issuerName: encodeName(subject), issuerKeyId: keyId(publicKey), issuerKey: createPrivateKey(key) }),
    key,
  }
}

/** A certificate with a new key, signed by the authority. */
export function issueCertificate(template: CertificateTemplate, authority: KeyedCertificate, algorithm: KeyAlgorithm): KeyedCertificate {
  const key = generateKey(algorithm)
  return { certificate: signCertificate(template, createPublicKey(key), authority), key }
}

/** A certificate for a public key whose private half is elsewhere. @returns PEM */
export function signCertificate(template: CertificateTemplate, publicKey: KeyObject, authority: KeyedCertificate): string {
  const issuer = tbsFields(authority.certificate)
  return buildCertificate(template, {
    publicKey,
    issuerName: issuer.subject.whole,
    issuerKeyId: keyId(createPublicKey(authority.certificate)),
    issuerKey: createPrivateKey(authority.key),
  })
}

/** Reads a PEM certificate (the first one in the text). @throws when it is none */
export function decodeCertificate(pem: string): DecodedCertificate {
  const { serial, issuer, validity, subject, publicKey, extensions } = tbsFields(pem)
  const [notBefore, notAfter] = readDerChildren(validity.content)
  if (notBefore === undefined || notAfter === undefined) throw new Error('the certificate has no validity')
  return {
    subject: decodeName(subject),
    issuer: decodeName(issuer),
    serialNumber: serial.content.toString('hex'),
    notBeforeMs: readDerTime(notBefore),
    notAfterMs: readDerTime(notAfter),
    publicKeyDer: publicKey.whole,
    ...decodeExtensions(extensions),
  }
}

/** The extensions Kubernetes looks at, from a SEQUENCE OF Extension's content. */
export function decodeExtensions(content: Buffer): Pick<CertificateTemplate, 'isCa' | 'dnsNames' | 'ipAddresses' | 'usages'> {
  const found = { isCa: false, dnsNames: [] as string[], ipAddresses: [] as string[], usages: [] as ExtendedKeyUsage[] }
  for (const extension of readDerChildren(content)) {
    const parts = readDerChildren(extension.content)
    const value = parts.at(-1)
    if (parts[0] === undefined || value === undefined) continue
    const oid = readDerOid(parts[0].content)
    const inner = readDer(value.content)
    if (oid === OID.basicConstraints) found.isCa = readDerChildren(inner.content)[0]?.content[0] === 0xff
    else if (oid === OID.subjectAltName)
      for (const name of readDerChildren(inner.content)) {
        if (name.tag === 0x82) found.dnsNames.push(name.content.toString())
        else if (name.tag === 0x87) found.ipAddresses.push(decodeAddress(name.content))
      }
    else if (oid === OID.extendedKeyUsage)
      for (const usage of readDerChildren(inner.content)) {
        const text = readDerOid(usage.content)
        if (text === USAGE_OID.serverAuth) found.usages.push('serverAuth')
        else if (text === USAGE_OID.clientAuth) found.usages.push('clientAuth')
      }
  }
  return found
}

/** Organizations and common name of an X.501 Name. */
export function decodeName(name: DerElement): Subject {
  const subject: Subject = { commonName: '', organizations: [] }
  for (const set of readDerChildren(name.content))
    for (const attribute of readDerChildren(set.content)) {
      const [type, value] = readDerChildren(attribute.content)
      if (type === undefined || value === undefined) continue
      const oid = readDerOid(type.content)
      if (oid === OID.commonName) subject.commonName = value.content.toString()
      else if (oid === OID.organization) subject.organizations.push(value.content.toString())
    }
  return subject
}

/** DER as PEM with 64-column lines. */
export function toPem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function tbsFields(pem: string): Record<'serial' | 'issuer' | 'validity' | 'subject' | 'publicKey', DerElement> & { extensions: Buffer } {
  const tbs = readDerChildren(readDer(new X509Certificate(pem).raw).content)[0]
  if (tbs === undefined) throw new Error('the certificate is empty')
  const all = readDerChildren(tbs.content)
  // [0] version is left out by version 1 certificates.
  const [serial, , issuer, validity, subject, publicKey] = all[0]?.tag === 0xa0 ? all.slice(1) : all
  if (serial === undefined || issuer === undefined || validity === undefined || subject === undefined || publicKey === undefined)
    throw new Error('the certificate lacks fields')
  const wrapped = all.find(({ tag }) => tag === 0xa3)
  return { serial, issuer, validity, subject, publicKey, extensions: wrapped === undefined ? Buffer.alloc(0) : readDer(wrapped.content).content }
}

function buildCertificate(template: CertificateTemplate, by: { publicKey: KeyObject; issuerName: Buffer; issuerKeyId: Buffer; issuerKey: KeyObject }): string {
  const algorithm =
    by.issuerKey.asymmetricKeyType === 'rsa' ? derSequence(derOid(OID.sha256WithRsa), der(DerTag.null)) : derSequence(derOid(OID.ecdsaWithSha256))
  // 63 bits, never zero, as RFC 5280 wants a positive serial.
  const serial = randomBytes(8)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x01
  const tbs = derSequence(
    derExplicit(0, derInteger(Buffer.from([2]))),
    derInteger(serial),
    algorithm,
    by.issuerName,
    derSequence(derTime(template.notBeforeMs), derTime(template.notAfterMs)),
    encodeName(template.subject),
    by.publicKey.export({ type: 'spki', format: 'der' }),
    derExplicit(3, derSequence(...encodeExtensions(template, by))),
  )
  return toPem('CERTIFICATE', derSequence(tbs, algorithm, derBitString(sign('sha256', tbs, by.issuerKey))))
}

function encodeExtensions(template: CertificateTemplate, by: { publicKey: KeyObject; issuerKeyId: Buffer }): Buffer[] {
  const extension = (oid: string, critical: boolean, value: Buffer): Buffer =>
    derSequence(derOid(oid), ...(critical ? [derBoolean(true)] : []), der(DerTag.octetString, value))
  // digitalSignature and keyEncipherment; an authority adds keyCertSign.
  const keyUsage = template.isCa ? Buffer.from([2, 0xa4]) : Buffer.from([5, 0xa0])
  const extensions = [extension(OID.keyUsage, true, der(DerTag.bitString, keyUsage))]
  if (template.usages.length > 0)
    extensions.push(extension(OID.extendedKeyUsage, false, derSequence(...template.usages.map((usage) => derOid(USAGE_OID[usage])))))
  extensions.push(extension(OID.basicConstraints, true, derSequence(...(template.isCa ? [derBoolean(true)] : []))))
  if (template.isCa) extensions.push(extension(OID.subjectKeyIdentifier, false, der(DerTag.octetString, keyId(by.publicKey))))
  else extensions.push(extension(OID.authorityKeyIdentifier, false, derSequence(der(0x80, by.issuerKeyId))))
  const names = [...template.dnsNames.map((name) => der(0x82, Buffer.from(name))), ...template.ipAddresses.map((address) => der(0x87, encodeAddress(address)))]
  if (names.length > 0) extensions.push(extension(OID.subjectAltName, false, derSequence(...names)))
  return extensions
}

/** An X.509 name: organizations, then the common name. */
export function encodeName({ organizations, commonName }: Subject): Buffer {
  const attribute = (oid: string, text: string): Buffer => derSequence(derOid(oid), derText(text))
  const sets: Buffer[] = []
  if (organizations.length > 0) sets.push(der(DerTag.set, ...organizations.map((name) => attribute(OID.organization, name)).sort(Buffer.compare)))
  sets.push(der(DerTag.set, attribute(OID.commonName, commonName)))
  return derSequence(...sets)
}

/** SHA-1 of the public key's bits (RFC 5280 §4.2.1.2, method 1). */
function keyId(publicKey: KeyObject): Buffer {
  const bits = readDerChildren(readDer(publicKey.export({ type: 'spki', format: 'der' })).content)[1]
  return createHash('sha1')
    .update(bits?.content.subarray(1) ?? Buffer.alloc(0))
    .digest()
}

function encodeAddress(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  if (!isIPv6(address)) throw new Error(`«${address}» is no IP address`)
  const [head = '', tail] = address.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const first = groups(head)
  const last = tail === undefined ? [] : groups(tail)
  const all = tail === undefined ? first : [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

function decodeAddress(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
