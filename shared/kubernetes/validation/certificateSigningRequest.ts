import { fromBase64 } from '../codec/base64.ts'
import type { JsonObject } from '../json.ts'
import type { KubeObject } from '../object.ts'
import { duplicate, forbidden, invalid, notSupported, required, tooLong, withGoText, type FieldError } from './fieldError.ts'
import type { Rules, Target } from './kindRules.ts'
import { metadataErrors, metadataUpdateErrors, sameValue } from './metadata.ts'
import { anyName, dnsLabelErrors, dnsSubdomainErrors } from './names.ts'
import { objectDiff } from './objectDiff.ts'
import { byteLength, object, objects, text, texts } from './values.ts'

const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
]
const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown'
const FINAL = ['Approved', 'Denied', 'Failed']
const STATUSES = ['False', 'True', 'Unknown']
const MAX_DOMAIN = 253
const MAX_SIGNER = MAX_DOMAIN + (253 + 63 + 1) + 1
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/

/** What a write may do beside the plain rules. */
interface Options {
  beta: boolean
  approval: boolean
  certificate: boolean
}

interface PemBlock {
  type: string
  headers: boolean
  bytes: Uint8Array
}

function firstBlock(pem: string): { block: PemBlock; rest: string } | null {
  const match = BLOCK.exec(pem)
  if (match === null) return null
  const [whole, type = '', body = ''] = match
  const bytes = fromBase64(body.replace(/^[^\n:]+:.*$/gm, '').replace(/\s/g, ''))
  return bytes === null ? null : { block: { type, headers: /^[^\n:]+:/m.test(body), bytes }, rest: pem.slice(match.index + whole.length) }
}

const textOf = (base64: unknown): string => new TextDecoder().decode(fromBase64(text(base64)) ?? new Uint8Array())

function requestError(base64: unknown): string | null {
  const found = firstBlock(textOf(base64))
  if (found === null || found.block.type !== 'CERTIFICATE REQUEST') return 'PEM block type must be CERTIFICATE REQUEST'
  // A request is an ASN.1 sequence; what is in it, the signer reads.
  return found.block.bytes[0] === 0x30 ? null : "asn1: structure error: tags don't match"
}

function certificateError(base64: unknown): string | null {
  let rest = textOf(base64)
  if (rest === '') return null
  for (let count = 0; ; count++) {
    const found = firstBlock(rest)
    if (found === null) return count === 0 ? 'must contain at least one CERTIFICATE PEM block' : null
    if (found.block.type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(found.block.type)}`
    if (found.block.headers) return 'no PEM block headers are permitted'
    if (found.block.bytes.length === 0) return 'found CERTIFICATE PEM block containing 0 certificates'
    rest = found.rest
  }
}

function* signerErrors(signer: string): Iterable<FieldError> {
  const field = 'spec.signerName'
  if (signer === '') {
    yield required(field, 'signerName must be provided')
    return
  }
  const segments = signer.split('/')
  const [domain = '', path = ''] = segments
  if (segments.length !== 2) {
    yield invalid(field, signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
    return
  }
  if (byteLength(domain) > MAX_DOMAIN) yield tooLong(field, MAX_DOMAIN)
  const labels = domain.split('.')
  const badLabel = labels.find((label) => dnsLabelErrors(label).length > 0)
  if (badLabel !== undefined)
    for (const detail of dnsLabelErrors(badLabel)) yield invalid(field, domain, `validating label ${JSON.stringify(badLabel)}: ${detail}`)
  if (labels.length < 2) yield invalid(field, domain, 'should be a domain with at least two segments separated by dots')
  const badPart = path.split('.').find((part) => dnsSubdomainErrors(part).length > 0)
  if (badPart !== undefined)
    for (const detail of dnsSubdomainErrors(badPart)) yield invalid(field, path, `validating label ${JSON.stringify(badPart)}: ${detail}`)
  if (byteLength(signer) > MAX_SIGNER) yield tooLong(field, MAX_SIGNER)
}

const conditionsOf = (request: KubeObject | null): JsonObject[] => objects(object(request?.['status'])['conditions'])
const ofType = (request: KubeObject | null, type: string): JsonObject[] => conditionsOf(request).filter((each) => each['type'] === type)

function* conditionErrors(request: KubeObject, before: KubeObject | null, beta: boolean): Iterable<FieldError> {
  const old = conditionsOf(before)
  const oldTypes = old.map((each) => text(each['type']))
  const lenient = {
    empty: beta || oldTypes.includes(''),
    both: oldTypes.includes('Approved') && oldTypes.includes('Denied'),
    twice: beta || new Set(oldTypes).size < oldTypes.length,
  }
  const seen = new Set<string>()
  for (const [index, condition] of conditionsOf(request).entries()) {
    const field = `status.conditions[${String(index)}]`
    const [type, status] = [text(condition['type']), text(condition['status'])]
    if (type === '' && !lenient.empty) yield required(`${field}.type`)
    const allowed = FINAL.includes(type) ? ['True'] : STATUSES
    if (status === '') yield required(`${field}.status`)
    else if (!allowed.includes(status)) yield notSupported(`${field}.status`, status, allowed)
    if (!lenient.both && ((type === 'Approved' && seen.has('Denied')) || (type === 'Denied' && seen.has('Approved'))))
      yield invalid(`${field}.type`, type, 'Approved and Denied conditions are mutually exclusive')
    if (!lenient.twice && seen.has(type)) yield duplicate(`${field}.type`, type)
    seen.add(type)
  }
}

function* errors(request: KubeObject, before: KubeObject | null, { beta }: Options): Iterable<FieldError> {
  const [spec, status] = [object(request['spec']), object(request['status'])]
  const [oldSpec, oldStatus] = [object(before?.['spec']), object(before?.['status'])]
  yield* metadataErrors(request, { namespaced: false, name: anyName })
  const error = requestError(spec['request'])
  if (error !== null) yield invalid('spec.request', withGoText(spec['request'], goBytes(spec['request'])), error)
  const usages = texts(spec['usages'])
  const oldUsages = texts(oldSpec['usages'])
  if (usages.length === 0) yield required('spec.usages', 'usages must be provided')
  if (!beta && oldUsages.every((each) => USAGES.includes(each)))
    for (const [index, usage] of usages.entries()) if (!USAGES.includes(usage)) yield notSupported(`spec.usages[${String(index)}]`, usage, USAGES)
  if (!beta && new Set(oldUsages).size === oldUsages.length)
    for (const [index, usage] of usages.entries()) if (usages.indexOf(usage) < index) yield duplicate(`spec.usages[${String(index)}]`, usage)
  const signer = text(spec['signerName'])
  if (signer === LEGACY_SIGNER && !beta && oldSpec['signerName'] !== LEGACY_SIGNER)
    yield invalid('spec.signerName', signer, 'the legacy signerName is not allowed via this API version')
  else yield* signerErrors(signer)
  yield* conditionErrors(request, before, beta)
  const kept = before !== null && text(status['certificate']) === text(oldStatus['certificate'])
  const wasBad = before !== null && certificateError(oldStatus['certificate']) !== null
  const bad = beta || kept || wasBad ? null : certificateError(status['certificate'])
  if (bad !== null) yield invalid('status.certificate', '<certificate data>', bad)
}

/** Go's `%#v` of bytes. */
function goBytes(base64: unknown): string {
  const bytes = fromBase64(text(base64)) ?? new Uint8Array()
  return `[]byte{${[...bytes].map((byte) => `0x${byte.toString(16)}`).join(', ')}}`
}

function* updateErrors(after: KubeObject, before: KubeObject, options: Options): Iterable<FieldError> {
  yield* errors(after, before, options)
  const field = 'status.conditions'
  for (const type of FINAL)
    if (ofType(after, type).length < ofType(before, type).length) yield forbidden(field, `updates may not remove a condition of type "${type}"`)
  for (const type of options.approval ? [] : ['Approved', 'Denied']) {
    const [now, was] = [ofType(after, type), ofType(before, type)]
    if (now.length > was.length) yield forbidden(field, `updates may not add a condition of type "${type}"`)
    else if (now.length === was.length && !sameValue(now, was))
      yield forbidden(
        field,
        `updates may not modify a condition of type "${type}"\n${objectDiff(was[0], now[0], 'certificates.v1.CertificateSigningRequestCondition')}`,
      )
  }
  const [certificate, old] = [text(object(after['status'])['certificate']), text(object(before['status'])['certificate'])]
  if (certificate !== old) {
    if (!options.certificate) yield forbidden('status.certificate', 'updates may not set certificate content')
    else if (!options.beta && old !== '') yield forbidden('status.certificate', 'updates may not modify existing certificate content')
  }
  yield* metadataUpdateErrors(after, before)
}

const plain = ({ version }: Target): Options => ({ beta: version === 'v1beta1', approval: false, certificate: false })

export const certificateSigningRequestRules: Rules = {
  create: (request, target) => errors(request, null, plain(target)),
  update: (after, before, target) => updateErrors(after, before, plain(target)),
  status: (after, before, target) => updateErrors(after, before, { ...plain(target), certificate: true }),
  subresources: { approval: (after, before, target) => updateErrors(after, before, { ...plain(target), approval: true }) },
}
