import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { decodeCertificate } from '#electron/pki/certificate.ts'
import { decodeCertificateRequest, signCertificateRequest } from '#electron/pki/certificateRequest.ts'
import { formatInventory, formatResidual, readInventory } from '#electron/pki/inventory.ts'
import { ensureKubernetesPki, readAuthority, type KubernetesPkiOptions } from '#electron/pki/kubernetesPki.ts'
import { findLeaf, renewCertificate } from '#electron/pki/renewal.ts'
import { hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { readFileSync } from 'node:fs'

const nowMs = Math.floor(Date.now() / 1000) * 1000
const dir = temporaryDirectory('pki')
const options: KubernetesPkiOptions = {
  kubernetesDir: dir,
  nodeName: 'cp1',
  advertiseAddress: '172.18.0.2',
  serviceAddress: '10.96.0.1',
  dnsDomain: 'cluster.local',
  clusterName: 'kubernetes',
  apiUrl: 'https://127.0.0.1:6443',
  certSans: ['127.0.0.1', 'localhost'],
  algorithm: 'ECDSA-P256',
  nowMs,
  superAdmin: true,
}

beforeAll(() => {
  ensureKubernetesPki(options)
})

describe('kubernetesPki', () => {
  it('gives the API server the names and addresses kubeadm gives it', () => {
    const decoded = decodeCertificate(readFileSync(join(dir, 'pki/apiserver.crt'), 'utf8'))
    expect(decoded).toMatchObject({
      subject: { commonName: 'kube-apiserver', organizations: [] },
      issuer: { commonName: 'kubernetes' },
      dnsNames: ['cp1', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost'],
      ipAddresses: ['10.96.0.1', '172.18.0.2', '127.0.0.1'],
      usages: ['serverAuth'],
      isCa: false,
    })
  })

  it('leaves what is there alone', () => {
    const before = readFileSync(join(dir, 'pki/apiserver.crt'), 'utf8')
    ensureKubernetesPki(options)
    expect(readFileSync(join(dir, 'pki/apiserver.crt'), 'utf8')).toBe(before)
  })

  it('lists every certificate in the columns of kubeadm', () => {
    const lines = formatInventory(readInventory(dir), nowMs).split('\n')
    expect(lines[0]).toBe('CERTIFICATE                EXPIRES                  RESIDUAL TIME   CERTIFICATE AUTHORITY   EXTERNALLY MANAGED')
    expect(lines[2]).toMatch(/^apiserver {18}\w{3} \d\d, \d{4} \d\d:\d\d UTC {3}365d|^apiserver {18}\w{3} \d\d, \d{4} \d\d:\d\d UTC {3}1y {14}ca {22}no {6}$/)
    expect(lines).toHaveLength(18)
  })

  it('renews with the same subject and names and a new key', () => {
    const path = join(dir, 'pki/etcd/server.crt')
    const before = decodeCertificate(readFileSync(path, 'utf8'))
    const spec = findLeaf('etcd-server')
    if (spec === undefined) throw new Error('unknown certificate')
    expect(renewCertificate(dir, spec, { nowMs: nowMs + 1000, algorithm: 'ECDSA-P256' }).result).toBe('renewed')
    const after = decodeCertificate(readFileSync(path, 'utf8'))
    expect(after.publicKeyDer.equals(before.publicKeyDer)).toBe(false)
    expect(after).toMatchObject({
      subject: before.subject,
      dnsNames: before.dnsNames,
      ipAddresses: ['172.18.0.2', '127.0.0.1', '::1'],
      usages: before.usages,
      notAfterMs: before.notAfterMs + 1000,
    })
  })

  it.each([
    [364.5 * 86_400_000, '364d'],
    [3650 * 86_400_000 - 1, '9y'],
    [5 * 3_600_000, '5h'],
    [-5000, '<invalid>'],
  ])('prints %d ms as kubeadm does', (leftMs, text) => {
    expect(formatResidual(leftMs)).toBe(text)
  })
})

describe.skipIf(!hasProgram('openssl'))('openssl', () => {
  it.each([
    ['pki/ca.crt', 'pki/apiserver.crt', 'sslserver'],
    ['pki/etcd/ca.crt', 'pki/etcd/peer.crt', 'sslclient'],
    ['pki/front-proxy-ca.crt', 'pki/front-proxy-client.crt', 'sslclient'],
  ])('verifies against %s: %s', async (authority, leaf, purpose) => {
    const result = await runProgram('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', join(dir, authority), join(dir, leaf)])
    expect(result).toMatchObject({ code: 0, stdout: `${join(dir, leaf)}: OK\n` })
  })

  it('makes requests that are signed with their subject and names', async () => {
    const request = await runProgram('openssl', [
      'req',
      '-new',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      join(dir, 'jane.key'),
      '-subj',
      '/O=developers/CN=jane',
      '-addext',
      'subjectAltName=DNS:jane.example',
    ])
    expect(decodeCertificateRequest(request.stdout)).toMatchObject({
      subject: { commonName: 'jane', organizations: ['developers'] },
      dnsNames: ['jane.example'],
    })
    const pem = signCertificateRequest(request.stdout, { authority: readAuthority(dir, 'ca'), usages: ['clientAuth'], nowMs, lifetimeMs: 3_600_000 })
    const text = await runProgram('openssl', ['x509', '-noout', '-subject', '-ext', 'subjectAltName,extendedKeyUsage'], { input: pem })
    expect(text.stdout).toContain('O = developers, CN = jane')
    expect(text.stdout).toContain('DNS:jane.example')
    expect(text.stdout).toContain('TLS Web Client Authentication')
  })
})
