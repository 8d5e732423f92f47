import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isIP } from 'node:net'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import type { Clock } from '#shared/base/clock.ts'
import type { RequestHandlers } from '#shared/contract/contract.ts'
import type { CertificateView, CsrView } from '#shared/contract/security.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { listAt, textAt } from '#shared/resources/fields.ts'
import { CERTIFICATE_SIGNING_REQUESTS } from '../client/resources.ts'
import { RestClient } from '../client/restClient.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'
import { readFileOrData } from '../clusters/kubeconfig.ts'
import { decodeCertificateRequest } from '../pki/certificateRequest.ts'
import { certificateView, problemView } from '../pki/certificateView.ts'
import { readLeaf } from '../pki/inventory.ts'
import { AUTHORITIES, LEAVES } from '../pki/kubernetesPki.ts'

const HANDSHAKE_MS = 8_000

/** The contract's namespaces `certificates` and `csrs`. `pki` gives the node's PKI directory on this machine, where there is one. */
export function certificateHandlers(
  registry: ClusterRegistry,
  clock: Clock,
  pki: (clusterId: string) => { node: string; pkiDir: string } | null,
): Pick<RequestHandlers, 'certificates.list' | 'certificates.served' | 'csrs.list' | 'csrs.decide'> {
  return {
    'certificates.list': ({ clusterId }) => {
      const place = pki(clusterId)
      const readAtMs = clock.now()
      if (place === null)
        return Promise.resolve({
          certificates: [],
          readAtMs,
          emptyReason:
            "Drydock cannot read the files of this cluster's nodes yet. What the API server shows is below; on a control-plane node, kubeadm certs check-expiration lists the rest.",
        })
      return Promise.resolve({ certificates: nodeCertificates(dirname(place.pkiDir), place.node, readAtMs), readAtMs, emptyReason: null })
    },
    'certificates.served': async ({ clusterId }, { signal }) => {
      const { server, ca, tlsServerName } = registry.context(clusterId)
      return served(server, await readFileOrData(ca), tlsServerName, clock.now(), signal)
    },
    'csrs.list': async ({ clusterId }, { signal }) => {
      const { items } = await new RestClient(registry.session(clusterId).transport).list(CERTIFICATE_SIGNING_REQUESTS, {}, signal)
      return items.map(csrView).sort((a, b) => b.createdAtMs - a.createdAtMs)
    },
    'csrs.decide': async ({ clusterId, name, decision, message }, { signal }) => {
      registry.requireWritable(clusterId)
      const client = new RestClient(registry.session(clusterId).transport)
      const request = await client.get(CERTIFICATE_SIGNING_REQUESTS, { name }, signal)
      const now = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`
      const others = listAt(request, 'status', 'conditions').filter((each) => !['Approved', 'Denied'].includes(textAt(each, 'type')))
      const condition = {
        type: decision,
        status: 'True',
        reason: decision === 'Approved' ? 'DrydockApprove' : 'DrydockDeny',
        message: message === '' ? `${decision} in Drydock` : message,
        lastUpdateTime: now,
        lastTransitionTime: now,
      }
      const status = { ...(request['status'] as object | undefined), conditions: [...others, condition] }
      await client.update(CERTIFICATE_SIGNING_REQUESTS, { name, subresource: 'approval' }, { ...request, status }, signal)
      return null
    },
  }
}

function nodeCertificates(kubernetesDir: string, node: string, nowMs: number): CertificateView[] {
  const external = (authority: string): boolean =>
    !existsSync(join(kubernetesDir, `${AUTHORITIES.find(({ name }) => name === authority)?.path ?? authority}.key`))
  const leaves = LEAVES.filter((spec) => spec.name !== 'super-admin.conf' || existsSync(join(kubernetesDir, spec.path))).map((spec) => {
    const place = {
      name: spec.name,
      node,
      path: `/etc/kubernetes/${spec.path}${spec.kubeconfig ? '' : '.crt'}`,
      isAuthority: false,
      authority: spec.authority,
      externallyManaged: external(spec.authority),
    }
    const pem = readLeaf(kubernetesDir, spec)
    return pem === null ? problemView(place, 'the file is missing') : certificateView(pem, place, nowMs)
  })
  const authorities = AUTHORITIES.map(({ name, path }) => {
    const place = { name, node, path: `/etc/kubernetes/${path}.crt`, isAuthority: true, authority: '', externallyManaged: external(name) }
    const file = join(kubernetesDir, `${path}.crt`)
    return existsSync(file) ? certificateView(readFileSync(file, 'utf8'), place, nowMs) : problemView(place, 'the file is missing')
  })
  return [...leaves, ...authorities]
}

/** The chain as the server sends it, whether or not it is trusted. */
function served(
  server: string,
  ca: string,
  serverName: string,
  nowMs: number,
  signal: AbortSignal,
): Promise<{ chain: CertificateView[]; server: string; trusted: boolean; problem: string }> {
  const url = new URL(server)
  if (url.protocol !== 'https:') return Promise.resolve({ chain: [], server, trusted: false, problem: 'the server is reached without TLS' })
  return new Promise((resolve) => {
    const name = serverName === '' ? url.hostname.replace(/^\[|\]$/g, '') : serverName
    const socket = connect({
      host: url.hostname,
      port: Number(url.port === '' ? 443 : url.port),
      rejectUnauthorized: false,
      ...(ca === '' ? {} : { ca }),
      // RFC 6066 allows no address as the name asked for.
      ...(isIP(name) === 0 ? { servername: name } : {}),
      timeout: HANDSHAKE_MS,
    })
    const end = (result: { chain: CertificateView[]; trusted: boolean; problem: string }): void => {
      socket.destroy()
      resolve({ server, ...result })
    }
    signal.addEventListener(
      'abort',
      () => {
        end({ chain: [], trusted: false, problem: 'stopped' })
      },
      { once: true },
    )
    socket.once('timeout', () => {
      end({ chain: [], trusted: false, problem: `no TLS handshake within ${String(HANDSHAKE_MS / 1000)} s` })
    })
    socket.once('error', (error) => {
      end({ chain: [], trusted: false, problem: error.message })
    })
    socket.once('secureConnect', () => {
      const chain: CertificateView[] = []
      let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
      const seen = new Set<string>()
      while (next !== undefined && (next.raw as Buffer | undefined) !== undefined && !seen.has(next.fingerprint256)) {
        seen.add(next.fingerprint256)
        const pem = `-----BEGIN CERTIFICATE-----\n${(next.raw.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`
        chain.push(
          certificateView(
            pem,
            { name: [next.subject.CN].flat()[0] ?? '', node: '', path: server, isAuthority: chain.length > 0, authority: '', externallyManaged: false },
            nowMs,
          ),
        )
        next = next.issuerCertificate as DetailedPeerCertificate | undefined
      }
      end({
        chain,
        trusted: socket.authorized,
        problem: socket.authorized ? '' : `the kubeconfig's CA does not vouch for it: ${socket.authorizationError.message}`,
      })
    })
  })
}

function csrView(request: KubeObject): CsrView {
  const types = listAt(request, 'status', 'conditions').map((each) => textAt(each, 'type'))
  const base = {
    name: request.metadata.name ?? '',
    signerName: textAt(request, 'spec', 'signerName'),
    requestor: textAt(request, 'spec', 'username'),
    requestorGroups: listAt(request, 'spec', 'groups').map(String),
    condition: types.includes('Denied')
      ? ('Denied' as const)
      : types.includes('Failed')
        ? ('Failed' as const)
        : types.includes('Approved')
          ? ('Approved' as const)
          : ('Pending' as const),
    issued: textAt(request, 'status', 'certificate') !== '',
    createdAtMs: Date.parse(request.metadata.creationTimestamp ?? ''),
    usages: listAt(request, 'spec', 'usages').map(String),
    expirationSeconds: (request['spec'] as { expirationSeconds?: number } | undefined)?.expirationSeconds ?? null,
  }
  try {
    const { subject, dnsNames, ipAddresses, publicKeyDer } = decodeCertificateRequest(
      Buffer.from(textAt(request, 'spec', 'request'), 'base64').toString('utf8'),
    )
    const risks: string[] = []
    if (subject.organizations.includes('system:masters'))
      risks.push('asks for the group system:masters: its holder may do everything, and RBAC cannot take that away')
    if (subject.organizations.includes('kubeadm:cluster-admins'))
      risks.push('asks for the group kubeadm:cluster-admins, which kubeadm binds to cluster-admin: its holder may do everything')
    if (subject.commonName.startsWith('system:node:') && base.requestor !== subject.commonName && !base.requestorGroups.includes('system:bootstrappers'))
      risks.push(`asks to be the node ${subject.commonName.slice('system:node:'.length)}, but comes from ${base.requestor}`)
    if (base.signerName === 'kubernetes.io/kube-apiserver-client' && base.expirationSeconds === null)
      risks.push("asks for no expiry: the signer's longest lifetime is given")
    return {
      ...base,
      subject: subject.commonName,
      organizations: subject.organizations,
      dnsNames,
      ipAddresses,
      publicKey: `${String(publicKeyDer.length)} bytes of SubjectPublicKeyInfo`,
      risks,
    }
  } catch (error) {
    return {
      ...base,
      subject: '',
      organizations: [],
      dnsNames: [],
      ipAddresses: [],
      publicKey: '',
      risks: [`the request cannot be read: ${error instanceof Error ? error.message : String(error)}`],
    }
  }
}
