import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import { generateKey, type KeyedCertificate } from '#electron/pki/certificate.ts'
import { createCertificateRequest } from '#electron/pki/certificateRequest.ts'
import { writeKubeconfig } from '#electron/pki/kubeconfig.ts'
import type { BootstrapClient } from './bootstrapClient.ts'
import { KubeadmError } from './flags.ts'

const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const WAIT_MS = 100
const TIMEOUT_MS = 300_000
export const CLIENT_CERTIFICATE = '/var/lib/kubelet/pki/kubelet-client-current.pem'

/** What the kubelet does with a bootstrap token: asks for a certificate of its node and waits until somebody approved and signed it. */
export async function requestNodeCertificate(
  client: BootstrapClient,
  { nodeName, clock, signal }: { nodeName: string; clock: Clock; signal: AbortSignal },
): Promise<KeyedCertificate> {
  const key = generateKey('ECDSA-P256')
  const csr = createCertificateRequest({ commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] }, key)
  const made = await client.create(REQUESTS, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { generateName: 'csr-' },
    spec: {
      request: Buffer.from(csr).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: ['digital signature', 'client auth'],
    },
  })
  const name = isObject(made['metadata']) ? String(made['metadata']['name']) : ''
  for (const endMs = clock.now() + TIMEOUT_MS; clock.now() < endMs; await clock.sleep(WAIT_MS, { signal })) {
    const request = await client.get(`${REQUESTS}/${name}`)
    const status = request !== null && isObject(request['status']) ? request['status'] : {}
    const conditions = Array.isArray(status['conditions']) ? status['conditions'].filter(isObject) : []
    const refusal = conditions.find(({ type }) => type === 'Denied' || type === 'Failed')
    if (refusal !== undefined)
      throw new KubeadmError(`error execution phase kubelet-start: certificate signing request ${name} was ${String(refusal['type']).toLowerCase()}`)
    if (typeof status['certificate'] === 'string') return { certificate: Buffer.from(status['certificate'], 'base64').toString('utf8'), key }
  }
  throw new KubeadmError('error execution phase kubelet-start: timed out waiting for the condition')
}

/** The kubelet's certificate and key in one file, a link to it, and kubelet.conf that names the link. */
export function writeKubeletIdentity(
  rootDir: string,
  { identity, server, ca, nodeName, nowMs }: { identity: KeyedCertificate; server: string; ca: string; nodeName: string; nowMs: number },
): void {
  const directory = join(rootDir, 'var/lib/kubelet/pki')
  mkdirSync(directory, { recursive: true })
  const file = `kubelet-client-${new Date(nowMs).toISOString().slice(0, 19).replace(/[T:]/g, '-')}.pem`
  writeFileSync(join(directory, file), `${identity.certificate}${identity.key}`, { mode: 0o600 })
  rmSync(join(rootDir, CLIENT_CERTIFICATE), { force: true })
  symlinkSync(file, join(rootDir, CLIENT_CERTIFICATE))
  writeKubeletConf(rootDir, { server, ca, nodeName })
}

export function writeKubeletConf(rootDir: string, { server, ca, nodeName }: { server: string; ca: string; nodeName: string }): void {
  const user = { certificateFile: CLIENT_CERTIFICATE }
  writeKubeconfig(join(rootDir, 'etc/kubernetes/kubelet.conf'), {
    clusterName: 'kubernetes',
    server,
    caCertificate: ca,
    userName: `system:node:${nodeName}`,
    user,
  })
}
