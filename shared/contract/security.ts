import * as v from 'valibot'
import { request } from './channel.ts'
import { clusterId } from './clusters.ts'

export interface CertificateView {
  /** kubeadm's name (`apiserver-etcd-client`, `admin.conf`, `etcd-ca`) or the subject for others. */
  name: string
  node: string
  path: string
  isAuthority: boolean
  authority: string
  externallyManaged: boolean
  /** Set when the file is missing or unreadable; the rest is then empty. */
  problem: string
  subject: string
  issuer: string
  serialNumber: string
  notBeforeMs: number
  notAfterMs: number
  /** As kubeadm prints: `364d`, `9y`. */
  residual: string
  dnsNames: string[]
  ipAddresses: string[]
  keyUsages: string[]
  extendedKeyUsages: string[]
  publicKey: string
  signatureAlgorithm: string
  sha256Fingerprint: string
  isCa: boolean
  /** Decoded text in the manner of `openssl x509 -text`. */
  text: string
  pem: string
}

export interface CsrView {
  name: string
  signerName: string
  requestor: string
  requestorGroups: string[]
  condition: 'Pending' | 'Approved' | 'Denied' | 'Failed'
  issued: boolean
  createdAtMs: number
  subject: string
  organizations: string[]
  dnsNames: string[]
  ipAddresses: string[]
  usages: string[]
  publicKey: string
  expirationSeconds: number | null
  /** What an approver should notice, in words. */
  risks: string[]
}

export const ACCESS_VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const

const subject = v.object({
  kind: v.picklist(['User', 'Group', 'ServiceAccount']),
  name: v.string(),
  namespace: v.optional(v.string()),
  groups: v.optional(v.array(v.string())),
})
export type AccessSubject = v.InferOutput<typeof subject>

export interface AccessGrant {
  /** '' = cluster-wide. */
  namespace: string
  apiGroups: string[]
  resources: string[]
  resourceNames: string[]
  nonResourceUrls: string[]
  verbs: string[]
  bindingKind: 'RoleBinding' | 'ClusterRoleBinding'
  bindingName: string
  roleKind: 'Role' | 'ClusterRole'
  roleName: string
  /** The subject entry of the binding that matched, e.g. the group. */
  via: string
}

export const securityChannels = {
  'certificates.list': request<{ certificates: CertificateView[]; readAtMs: number; emptyReason: string | null }>()(v.object({ clusterId })),
  /** The chain an API server shows on the wire. */
  'certificates.served': request<{ chain: CertificateView[]; server: string; trusted: boolean; problem: string }>()(v.object({ clusterId })),
  'csrs.list': request<CsrView[]>()(v.object({ clusterId })),
  'csrs.decide': request<null>()(v.object({ clusterId, name: v.string(), decision: v.picklist(['Approved', 'Denied']), message: v.string() })),
  'access.subjects': request<AccessSubject[]>()(v.object({ clusterId })),
  'access.whatMay': request<AccessGrant[]>()(v.object({ clusterId, subject })),
  'access.whoMay': request<{ subject: AccessSubject; grant: AccessGrant }[]>()(
    v.object({ clusterId, verb: v.string(), group: v.string(), resource: v.string(), namespace: v.optional(v.string()), name: v.optional(v.string()) }),
  ),
  /** Asked of the cluster by impersonation, not computed here. */
  'access.canI': request<{ allowed: boolean; denied: boolean; reason: string }>()(
    v.object({
      clusterId,
      subject: v.optional(subject),
      verb: v.string(),
      group: v.string(),
      resource: v.string(),
      subresource: v.optional(v.string()),
      namespace: v.optional(v.string()),
      name: v.optional(v.string()),
    }),
  ),
} as const
