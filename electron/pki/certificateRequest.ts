import { createPrivateKey, createPublicKey, createVerify, sign } from 'node:crypto'
import { decodeExtensions, decodeName, encodeName, signCertificate, toPem, type ExtendedKeyUsage, type KeyedCertificate, type Subject } from './certificate.ts'
import { der, derBitString, derInteger, derOid, derSequence, readDer, readDerChildren, readDerOid, type DerElement } from './der.ts'

/** A PKCS #10 request, its signature checked. */
export interface CertificateRequest {
  subject: Subject
  dnsNames: string[]
  ipAddresses: string[]
  /** DER of SubjectPublicKeyInfo. */
  publicKeyDer: Buffer
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const SIGNATURE_HASH: Record<string, string> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
}

/** Reads a PEM `CERTIFICATE REQUEST`. @throws when it is none, or its signature is not by its own key */
export function decodeCertificateRequest(pem: string): CertificateRequest {
  const body = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([\s\S]*?)-----END/.exec(pem)?.[1]
  if (body === undefined) throw new Error('PEM block type must be CERTIFICATE REQUEST')
  const [info, algorithm, signature] = readDerChildren(readDer(Buffer.from(body, 'base64')).content)
  const [, subject, publicKey, attributes] = readDerChildren(info?.content ?? Buffer.alloc(0))
  if (info === undefined || algorithm === undefined || signature === undefined || subject === undefined || publicKey === undefined)
    throw new Error('the certificate request lacks fields')
  const oid = readDerChildren(algorithm.content)[0]
  const hash = SIGNATURE_HASH[oid === undefined ? '' : readDerOid(oid.content)]
  if (hash === undefined) throw new Error(`the certificate request's signature algorithm ${oid === undefined ? '' : readDerOid(oid.content)} is not supported`)
  const key = createPublicKey({ key: publicKey.whole, format: 'der', type: 'spki' })
  if (!createVerify(hash).update(info.whole).verify(key, signature.content.subarray(1))) throw new Error('the certificate request is not signed by its own key')
  const { dnsNames, ipAddresses } = decodeExtensions(requestedExtensions(attributes))
  return { subject: decodeName(subject), dnsNames, ipAddresses, publicKeyDer: publicKey.whole }
}

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
/** `[0]`, the request's attributes. */
const ATTRIBUTES_TAG = 0xa0

/** A PEM request for a subject without further names. @param key PEM of an ECDSA key */
export function createCertificateRequest(subject: Subject, key: string): string {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const info = derSequence(derInteger(Buffer.from([0])), encodeName(subject), publicKey, der(ATTRIBUTES_TAG))
  const signature = sign('sha256', info, createPrivateKey(key))
  return toPem('CERTIFICATE REQUEST', derSequence(info, derSequence(derOid(ECDSA_WITH_SHA256)), derBitString(signature)))
}

/** Signs a request as the cluster's signers do: subject and names are the request's. @returns PEM */
export function signCertificateRequest(
  pem: string,
  options: { authority: KeyedCertificate; usages: ExtendedKeyUsage[]; nowMs: number; lifetimeMs: number },
): string {
  const { subject, dnsNames, ipAddresses, publicKeyDer } = decodeCertificateRequest(pem)
  const publicKey = createPublicKey({ key: publicKeyDer, format: 'der', type: 'spki' })
  // Five minutes back for clocks that are behind, as upstream's signer.
  const template = {
    subject,
    dnsNames,
    ipAddresses,
    usages: options.usages,
    isCa: false,
    notBeforeMs: options.nowMs - 300_000,
    notAfterMs: options.nowMs + options.lifetimeMs,
  }
  return signCertificate(template, publicKey, options.authority)
}

function requestedExtensions(attributes: DerElement | undefined): Buffer {
  for (const attribute of readDerChildren(attributes?.content ?? Buffer.alloc(0))) {
    const [type, values] = readDerChildren(attribute.content)
    if (type !== undefined && values !== undefined && readDerOid(type.content) === EXTENSION_REQUEST) return readDer(values.content).content
  }
  return Buffer.alloc(0)
}
