import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  createAuthority,
  issueCertificate,
  type CertificateTemplate,
  type ExtendedKeyUsage,
  type KeyAlgorithm,
  type KeyedCertificate,
  type Subject,
} from './certificate.ts'
import { writeKubeconfig } from './kubeconfig.ts'

export type AuthorityName = 'ca' | 'etcd-ca' | 'front-proxy-ca'

/** What kubeadm puts into one node's certificates. */
export interface KubernetesPkiOptions {
  /** The node's `/etc/kubernetes` on this machine's disk. */
  kubernetesDir: string
  nodeName: string
  /** The node's own address. */
  advertiseAddress: string
  /** First address of the service range: the `kubernetes` service. */
  serviceAddress: string
  dnsDomain: string
  clusterName: string
  /** Where kubeconfigs point, `https://127.0.0.1:PORT`. */
  apiUrl: string
  /** More names and addresses of the API server's certificate. */
  certSans: string[]
  algorithm: KeyAlgorithm
  nowMs: number
  /** super-admin.conf is made on the first control-plane node only. */
  superAdmin: boolean
  /** Which authorities and leaves, by name, and `sa`. @default every one */
  only?(name: string): boolean
}

export interface LeafSpec {
  /** kubeadm's name, as `kubeadm certs renew` takes it. */
  name: string
  /** How `kubeadm certs renew` speaks of it. */
  longName: string
  /** Path below `/etc/kubernetes` without `.crt`; or the kubeconfig's file name. */
  path: string
  kubeconfig: boolean
  authority: AuthorityName
}

const YEAR_MS = 365 * 24 * 3_600_000
/** kubeadm's caCertificateValidityPeriod. */
export const AUTHORITY_LIFETIME_MS = 10 * YEAR_MS
/** kubeadm's certificateValidityPeriod. */
export const LEAF_LIFETIME_MS = YEAR_MS
/** kubeadm dates authorities back, so that machines whose clock is behind accept them. */
const BACKDATE_MS = 5 * 60_000

export const AUTHORITIES: readonly { name: AuthorityName; path: string; commonName: string }[] = [
  { name: 'ca', path: 'pki/ca', commonName: 'kubernetes' },
  { name: 'etcd-ca', path: 'pki/etcd/ca', commonName: 'etcd-ca' },
  { name: 'front-proxy-ca', path: 'pki/front-proxy-ca', commonName: 'front-proxy-ca' },
]

/** Every certificate kubeadm manages, in the order `check-expiration` lists them. */
export const LEAVES: readonly LeafSpec[] = [
  {
    name: 'admin.conf',
    longName: 'certificate embedded in the kubeconfig file for the admin to use and for kubeadm itself',
    path: 'admin.conf',
    kubeconfig: true,
    authority: 'ca',
  },
  { name: 'apiserver', longName: 'certificate for serving the Kubernetes API', path: 'pki/apiserver', kubeconfig: false, authority: 'ca' },
  {
    name: 'apiserver-etcd-client',
    longName: 'certificate the apiserver uses to access etcd',
    path: 'pki/apiserver-etcd-client',
    kubeconfig: false,
    authority: 'etcd-ca',
  },
  {
    name: 'apiserver-kubelet-client',
    longName: 'certificate for the API server to connect to kubelet',
    path: 'pki/apiserver-kubelet-client',
    kubeconfig: false,
    authority: 'ca',
  },
  {
    name: 'controller-manager.conf',
    longName: 'certificate embedded in the kubeconfig file for the controller manager to use',
    path: 'controller-manager.conf',
    kubeconfig: true,
    authority: 'ca',
  },
  {
    name: 'etcd-healthcheck-client',
    longName: 'certificate for liveness probes to healthcheck etcd',
    path: 'pki/etcd/healthcheck-client',
    kubeconfig: false,
    authority: 'etcd-ca',
  },
  { name: 'etcd-peer', longName: 'certificate for etcd nodes to communicate with each other', path: 'pki/etcd/peer', kubeconfig: false, authority: 'etcd-ca' },
  { name: 'etcd-server', longName: 'certificate for serving etcd', path: 'pki/etcd/server', kubeconfig: false, authority: 'etcd-ca' },
  {
    name: 'front-proxy-client',
    longName: 'certificate for the front proxy client',
    path: 'pki/front-proxy-client',
    kubeconfig: false,
    authority: 'front-proxy-ca',
  },
  {
    name: 'scheduler.conf',
    longName: 'certificate embedded in the kubeconfig file for the scheduler manager to use',
    path: 'scheduler.conf',
    kubeconfig: true,
    authority: 'ca',
  },
  {
    name: 'super-admin.conf',
    longName: 'certificate embedded in the kubeconfig file for the super-admin',
    path: 'super-admin.conf',
    kubeconfig: true,
    authority: 'ca',
  },
]

/** Makes what is missing of a control-plane node's `/etc/kubernetes`; what is there stays. Authorities already in the directory are used. */
export function ensureKubernetesPki(options: KubernetesPkiOptions): void {
  const wanted = (name: string): boolean => options.only?.(name) ?? true
  const authorities = new Map(AUTHORITIES.filter(({ name }) => wanted(name)).map((spec) => [spec.name, ensureAuthority(spec, options)]))
  if (wanted('sa')) ensureServiceAccountKey(options.kubernetesDir)
  for (const spec of LEAVES) {
    if (spec.name === 'super-admin.conf' && !options.superAdmin) continue
    const authority = authorities.get(spec.authority)
    const file = join(options.kubernetesDir, spec.kubeconfig ? spec.path : `${spec.path}.crt`)
    if (authority === undefined || !wanted(spec.name) || existsSync(file)) continue
    const issued = issueCertificate(leafTemplate(spec.name, options), authority, options.algorithm)
    if (spec.kubeconfig)
      writeKubeconfig(file, {
        clusterName: options.clusterName,
        server: options.apiUrl,
        caCertificate: authority.certificate,
        userName: leafTemplate(spec.name, options).subject.commonName,
        user: issued,
      })
    else writeKeyed(join(options.kubernetesDir, spec.path), issued)
  }
}

/** The kubelet's client certificate, which kubeadm puts beside kubelet.conf and the kubelet then rotates by itself. */
export function issueKubeletClient(authority: KeyedCertificate, options: { nodeName: string; nowMs: number; algorithm: KeyAlgorithm }): KeyedCertificate {
  return issueCertificate(
    leaf({ commonName: `system:node:${options.nodeName}`, organizations: ['system:nodes'] }, ['clientAuth'], options.nowMs),
    authority,
    options.algorithm,
  )
}

/** An authority's certificate and key. @throws when the files are missing */
export function readAuthority(kubernetesDir: string, name: AuthorityName): KeyedCertificate {
  const spec = AUTHORITIES.find((one) => one.name === name)
  return readKeyed(join(kubernetesDir, spec?.path ?? name))
}

/** `<path>.crt` and `<path>.key`. */
export function readKeyed(path: string): KeyedCertificate {
  return { certificate: readFileSync(`${path}.crt`, 'utf8'), key: readFileSync(`${path}.key`, 'utf8') }
}

/** Writes `<path>.crt` (0644) and `<path>.key` (0600). */
export function writeKeyed(path: string, { certificate, key }: KeyedCertificate): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.key`, key, { mode: 0o600 })
  writeFileSync(`${path}.crt`, certificate, { mode: 0o644 })
}

/** Subject, names and lifetime of one of kubeadm's leaves. @see kubernetes/cmd/kubeadm/app/phases/certs/certlist.go */
export function leafTemplate(
  name: string,
  options: Pick<KubernetesPkiOptions, 'nodeName' | 'advertiseAddress' | 'serviceAddress' | 'dnsDomain' | 'certSans' | 'nowMs'>,
): CertificateTemplate {
  const { nodeName, nowMs } = options
  const client = (commonName: string, ...organizations: string[]): CertificateTemplate => leaf({ commonName, organizations }, ['clientAuth'], nowMs)
  switch (name) {
    case 'apiserver': {
      const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${options.dnsDomain}`]
      const isAddress = (san: string): boolean => /^[\d.]+$|:/.test(san)
      return {
        ...leaf({ commonName: 'kube-apiserver', organizations: [] }, ['serverAuth'], nowMs),
        dnsNames: [nodeName, ...service, ...options.certSans.filter((san) => !isAddress(san))],
        ipAddresses: [options.serviceAddress, options.advertiseAddress, ...options.certSans.filter(isAddress)],
      }
    }
    case 'etcd-server':
    case 'etcd-peer':
      return {
        ...leaf({ commonName: nodeName, organizations: [] }, ['serverAuth', 'clientAuth'], nowMs),
        dnsNames: [nodeName, 'localhost'],
        ipAddresses: [options.advertiseAddress, '127.0.0.1', '::1'],
      }
    case 'apiserver-kubelet-client':
      return client('kube-apiserver-kubelet-client', 'kubeadm:cluster-admins')
    case 'apiserver-etcd-client':
      return client('kube-apiserver-etcd-client')
    case 'etcd-healthcheck-client':
      return client('kube-etcd-healthcheck-client')
    case 'admin.conf':
      return client('kubernetes-admin', 'kubeadm:cluster-admins')
    case 'super-admin.conf':
      return client('kubernetes-super-admin', 'system:masters')
    case 'controller-manager.conf':
      return client('system:kube-controller-manager')
    case 'scheduler.conf':
      return client('system:kube-scheduler')
    default:
      return client(name)
  }
}

function leaf(subject: Subject, usages: ExtendedKeyUsage[], nowMs: number): CertificateTemplate {
  return { subject, isCa: false, dnsNames: [], ipAddresses: [], usages, notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + LEAF_LIFETIME_MS }
}

function ensureAuthority(spec: { path: string; commonName: string }, { kubernetesDir, nowMs, algorithm }: KubernetesPkiOptions): KeyedCertificate {
  const path = join(kubernetesDir, spec.path)
  if (existsSync(`${path}.crt`)) return existsSync(`${path}.key`) ? readKeyed(path) : { certificate: readFileSync(`${path}.crt`, 'utf8'), key: '' }
  const authority = createAuthority({ commonName: spec.commonName, notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + AUTHORITY_LIFETIME_MS }, algorithm)
  writeKeyed(path, authority)
  return authority
}

/** The pair that signs service-account tokens. Tokens say RS256 when it is RSA and ES256 when it is ECDSA; kubeadm makes RSA. */
function ensureServiceAccountKey(kubernetesDir: string): void {
  const path = join(kubernetesDir, 'pki/sa')
  if (existsSync(`${path}.key`)) return
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.key`, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 })
  writeFileSync(`${path}.pub`, publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o644 })
}
