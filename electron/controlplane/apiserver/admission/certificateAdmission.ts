import { deepEqual, objectAt, type JsonObject } from '#shared/kubernetes/json.ts'
import type { Authorizer } from '../authorization/authorizer.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { refusal } from './refusal.ts'

const GROUP = 'certificates.k8s.io'
const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client'
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const concerns = ({ resource, context }: AdmissionRequest, subresource: string): boolean =>
  resource.group === GROUP && resource.plural === 'certificatesigningrequests' && context.subresource === subresource

/** Whether the user has the verb on a signer, by its name or by all of its domain. */
function maySign(authorizer: Authorizer, { context }: AdmissionRequest, verb: string, signer: string): boolean {
  const domain = signer.slice(0, signer.indexOf('/'))
  return [signer, `${domain}/*`].some(
    (name) =>
      authorizer.authorize({
        user: context.user,
        verb,
        path: '',
        resource: { group: GROUP, version: '*', resource: 'signers', subresource: '', namespace: '', name },
      }).allowed,
  )
}

/** Approving a request takes `approve` on its signer. */
export class CertificateApproval implements AdmissionPlugin {
  readonly name = 'CertificateApproval'
  readonly #authorizer: Authorizer

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer
  }

  validate(request: AdmissionRequest): void {
    if (!concerns(request, 'approval')) return
    const signer = text(objectAt(request.object['spec'])['signerName'])
    if (!maySign(this.#authorizer, request, 'approve', signer))
      throw refusal(request, `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`, 'validate')
  }
}

/** Putting a certificate or a failure into a request takes `sign` on its signer. */
export class CertificateSigning implements AdmissionPlugin {
  readonly name = 'CertificateSigning'
  readonly #authorizer: Authorizer

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer
  }

  validate(request: AdmissionRequest): void {
    const { object, old } = request
    if (!concerns(request, 'status') || old === null) return
    const outcome = (each: JsonObject): unknown => [objectAt(each['status'])['certificate'], objectAt(each['status'])['conditions']]
    if (deepEqual(outcome(object), outcome(old))) return
    const signer = text(objectAt(old['spec'])['signerName'])
    if (!maySign(this.#authorizer, request, 'sign', signer))
      throw refusal(request, `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`, 'validate')
  }
}

/** organizationName (2.5.4.10) `system:masters`, as UTF8String or PrintableString. */
const MASTERS = ['0c', '13'].map((tag) => Buffer.concat([Buffer.from(`060355040a${tag}0e`, 'hex'), Buffer.from('system:masters')]))

/** Nobody gets a certificate of the group that may everything by asking for it. */
export class CertificateSubjectRestriction implements AdmissionPlugin {
  readonly name = 'CertificateSubjectRestriction'

  validate(request: AdmissionRequest): void {
    const { operation, object } = request
    if (operation !== 'CREATE' || !concerns(request, '')) return
    const spec = objectAt(object['spec'])
    if (spec['signerName'] !== CLIENT_SIGNER) return
    const pem = Buffer.from(text(spec['request']), 'base64').toString('latin1')
    const body = /-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END/.exec(pem)?.[1] ?? ''
    const der = Buffer.from(body, 'base64')
    if (MASTERS.some((bytes) => der.includes(bytes)))
      throw refusal(request, `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`, 'validate')
  }
}
