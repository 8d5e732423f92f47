import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import type { Transport, UserInfo } from '#shared/kubernetes/transport.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { RetryingTransport } from '#electron/client/retryingTransport.ts'
import { signCertificateRequest } from '#electron/pki/certificateRequest.ts'
import { issueCertificate, type ExtendedKeyUsage, type KeyedCertificate } from '#electron/pki/certificate.ts'
import { replaceServer } from '#electron/pki/kubeconfig.ts'
import { readAuthority } from '#electron/pki/kubernetesPki.ts'
import { signLegacyServiceAccountToken } from '#electron/pki/serviceAccountToken.ts'
import { importSnapshot, readOrigin, readOriginRecord, writeOriginManifests } from './clusterOrigin.ts'
import { DNS_DOMAIN, joinControlPlane, NodeVersions, preparePki } from './controlPlaneNodes.ts'
import { clockPage } from './clockPage.ts'
import { createApiServer } from './apiserver/apiServer.ts'
import { runComponents, ServedRelease } from './components.ts'
import type { CsrSigner } from './controller-manager/controllerManager.ts'
import type { CoreDnsOptions } from './coredns/coreDns.ts'
import { lockDataDir } from './dataDirLock.ts'
import type { ControlPlaneOptions, RunningControlPlane } from './interface.ts'
import { ensureClusterObjects } from './kubeadm/clusterObjects.ts'
import { isResetNode } from './kubeadm/nodeFiles.ts'
import { ClusterNetwork } from './kubelet/podNetwork.ts'
import { writeManifests } from './kubeadm/manifests.ts'
import { NodeConnections } from './nodeConnections.ts'
import { RequestGate } from './requestGate.ts'
import { planNodes, SimulatedNode } from './simulatedNode.ts'
import { DecisionLog } from './scheduler/decisionLog.ts'
import { serveNodeSsh } from './nodeSsh.ts'
import { isReadInPlace, openStorage } from './storage.ts'
import { Supervisor } from './supervisor.ts'
import { tellOfFailures } from './partEvents.ts'
import { superviseDns } from './supervisedDns.ts'

const SERVICE_SUBNET = '10.96.0.0/12'
const POD_SUBNET = '10.244.0.0/16'
const DNS_ADDRESS = '10.96.0.10'
/** As kubeadm's Corefile has it. */
const DNS_TTL_SECONDS = 30
/** A quarter of what the API server takes at once: clients find room while a thousand nodes start. */
const KUBELET_REQUESTS_AT_ONCE = 100
const YEAR_MS = 365 * 24 * 3600 * 1000

/** Which release the control plane serves; an upgrade changes it. */
function readServedVersion(dataDir: string, asked: string): string {
  const path = join(dataDir, 'kubernetes-version')
  if (existsSync(path)) return readFileSync(path, 'utf8').trim()
  writeFileSync(path, `${asked}\n`)
  return asked
}

/**
 * Starts a control plane with simulated nodes.
 *
 * @throws Error when the data directory is in use or not readable; what was started is stopped again
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const unlock = lockDataDir(options.dataDir)
  const stops: (() => Promise<void> | void)[] = [unlock]
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) {
      try {
        await each()
      } catch (error) {
        options.logger.error('stopping failed', { error: error instanceof Error ? error.message : String(error) })
      }
    }
  }
  try {
    return await start(options, stops, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function start(options: ControlPlaneOptions, stops: (() => Promise<void> | void)[], stop: () => Promise<void>): Promise<RunningControlPlane> {
  const { dataDir, clock, logger, clusterName } = options
  const random = options.random
  if (options.fromSnapshot !== undefined)
    await importSnapshot(options.fromSnapshot, { dataDir, inPlace: isReadInPlace(options), signal: new AbortController().signal })
  const memberName = planNodes(options.nodes)[0]?.name ?? 'controlplane'
  const storage = await openStorage(options, memberName)
  const { etcd } = storage
  stops.push(() => storage.close())
  const origin = readOriginRecord(dataDir) === null ? null : await readOrigin(etcd, new AbortController().signal)
  const kubernetesVersion = readServedVersion(dataDir, origin?.kubernetesVersion ?? options.kubernetesVersion)
  const serviceSubnet = origin?.serviceSubnet ?? SERVICE_SUBNET
  const podSubnet = origin?.podSubnet ?? POD_SUBNET
  const plans = origin?.nodes ?? planNodes(options.nodes)
  // A cluster without a node of its own control plane (a managed one's snapshot) still has a PKI somewhere.
  const first = plans.find(({ controlPlane }) => controlPlane) ?? { name: memberName, address: '127.0.0.1', controlPlane: true }
  const firstRoot = join(dataDir, 'nodes', first.name)
  const kubernetesDir = join(firstRoot, 'etc/kubernetes')
  const pkiDir = join(kubernetesDir, 'pki')
  mkdirSync(kubernetesDir, { recursive: true })
  preparePki(kubernetesDir, { plan: first, clusterName, nowMs: clock.now(), superAdmin: true })
  const furtherNodes = plans.filter(({ name, controlPlane }) => controlPlane && name !== first.name)
  for (const plan of furtherNodes.filter(({ name }) => !isResetNode(join(dataDir, 'nodes', name))))
    joinControlPlane(join(dataDir, 'nodes', plan.name, 'etc/kubernetes'), { from: kubernetesDir, plan, clusterName, nowMs: clock.now() })
  const text = (file: string): string => readFileSync(join(pkiDir, file), 'utf8')

  const reached = await storage.listen({ certificate: text('etcd/server.crt'), key: text('etcd/server.key'), clientCa: text('etcd/ca.crt') })

  const connections = new NodeConnections(clock)
  const decisions = new DecisionLog()
  const supervisor = options.supervisor ?? new Supervisor({ clock, logger })
  const api = createApiServer({
    etcd,
    still: storage.still,
    nodes: connections,
    kubernetesVersion,
    tls: { certificate: text('apiserver.crt'), key: text('apiserver.key'), clientCa: text('ca.crt'), frontProxyCa: text('front-proxy-ca.crt') },
    serviceAccount: { issuer: `https://kubernetes.default.svc.${DNS_DOMAIN}`, privateKey: text('sa.key'), publicKey: text('sa.pub') },
    serviceClusterIpRange: serviceSubnet,
    clock,
    random: random.fork('apiserver'),
    logger: logger.with({ component: 'kube-apiserver' }),
    readOnly: options.readOnly ?? false,
    pages: {
      '/debug/scheduler/decision': (query) => decisions.find(query.get('namespace') ?? '', query.get('name') ?? ''),
      '/debug/parts': () => ({ parts: supervisor.states() }),
      ...(options.clockControl === undefined ? {} : { '/debug/clock': clockPage(options.clockControl) }),
    },
    ...(options.apiServer === undefined ? {} : { settings: options.apiServer }),
  })
  stops.push(() => api.close())
  const apiPort = await api.listen({ host: '127.0.0.1', port: options.apiPort })
  const apiUrl = `https://127.0.0.1:${String(apiPort)}`
  for (const file of ['admin.conf', 'super-admin.conf', 'controller-manager.conf', 'scheduler.conf'])
    if (existsSync(join(kubernetesDir, file))) replaceServer(join(kubernetesDir, file), apiUrl)

  const asUser = (user: UserInfo): Transport => new RetryingTransport(supervisor.through(api.transport(user)), clock)
  const masters: UserInfo = { username: 'kubernetes-super-admin', groups: ['system:masters'] }
  const aborter = new AbortController()
  const { signal } = aborter
  const ca = text('ca.crt')
  const nodes: SimulatedNode[] = []
  const release = new ServedRelease(kubernetesVersion)
  const dnsOptions: CoreDnsOptions = {
    client: new RestClient(asUser(masters), { userAgent: 'coredns' }),
    zone: { domain: DNS_DOMAIN, ttlSeconds: DNS_TTL_SECONDS, dnsService: { namespace: 'kube-system', name: 'kube-dns' } },
    servedMinor: () => minorOf(release.version),
    clock,
    random: random.fork('coredns'),
    logger: logger.with({ component: 'coredns' }),
  }
  const dns = await superviseDns(supervisor, dnsOptions, options.dnsPort ?? 0)
  stops.push(() => dns.close())
  if (options.readOnly !== true) {
    const client = new RestClient(api.transport(masters), { userAgent: 'kubeadm' })
    stops.push(tellOfFailures(supervisor, { client, clock, logger, node: first.name }))
    const components = runComponents(api, options, {
      signal,
      ca,
      release,
      decisions,
      supervisor,
      csrSigner: signerOf(kubernetesDir, () => clock.now()),
      signServiceAccountToken: (account, secretName) => signLegacyServiceAccountToken(text('sa.key'), account, secretName),
    })
    stops.push(async () => {
      aborter.abort(new Error('the control plane is stopping'))
      await components
    })
    const manifestOptions = {
      kubernetesVersion,
      nodeName: first.name,
      advertiseAddress: first.address,
      clusterName,
      serviceSubnet,
      podSubnet,
      ...(origin?.imageRepository == null ? {} : { imageRepository: origin.imageRepository }),
    }
    if (origin !== null) for (const [node, manifests] of origin.manifests) writeOriginManifests(join(dataDir, 'nodes', node), manifests)
    else
      for (const { name, address } of [first, ...furtherNodes]) {
        const own = join(dataDir, 'nodes', name, 'etc/kubernetes')
        if (!existsSync(join(own, 'manifests'))) writeManifests(own, { ...manifestOptions, nodeName: name, advertiseAddress: address })
      }
    // A snapshot's cluster has what its own kubeadm, if any, left in it.
    if (origin === null)
      await ensureClusterObjects(client, { kubernetesVersion, clusterName, serviceSubnet, podSubnet, dnsAddress: DNS_ADDRESS, apiUrl, ca }, signal)
    const proxyTransport = asUser({ username: 'system:kube-proxy', groups: [] })
    const proxy = new RestClient(proxyTransport, { userAgent: 'kube-proxy' })
    const network = new ClusterNetwork({
      transport: proxyTransport,
      random: random.fork('network'),
      clock,
      placeAt: (address) => connections.placeAt(address),
      dns,
    })
    const versions = new NodeVersions()
    const gate = new RequestGate(KUBELET_REQUESTS_AT_ONCE)
    let kept: KeyedCertificate | null = null
    const localhost = (): KeyedCertificate => (kept ??= localhostCertificate(kubernetesDir, clock.now()))
    for (const plan of plans) {
      const node = new SimulatedNode({
        network,
        localhost,
        plan,
        rootDir: join(dataDir, 'nodes', plan.name),
        kubernetesVersion,
        clock,
        random: random.fork(plan.name),
        logger: logger.with({ node: plan.name }),
        transport: new RetryingTransport(
          gate.through(supervisor.through(api.transport({ username: `system:node:${plan.name}`, groups: ['system:nodes'] }))),
          clock,
        ),
        admin: client,
        proxy,
        onApiServerVersion: (own) => {
          const version = versions.newestWith(plan.name, own)
          writeFileSync(join(dataDir, 'kubernetes-version'), `${version}\n`)
          void api.setKubernetesVersion(version).then(() => {
            release.change(version)
          })
        },
        // As a process that is started anew, it reads its certificate from the file.
        onComponentStarted: (component) => {
          if (plan.name !== first.name) return
          if (component === 'kube-apiserver') api.setServingCertificate({ certificate: text('apiserver.crt'), key: text('apiserver.key') })
          if (component === 'etcd') reached.own?.setServingCertificate({ certificate: text('etcd/server.crt'), key: text('etcd/server.key') })
        },
        manifestOptions: { ...manifestOptions, nodeName: plan.name, advertiseAddress: plan.address },
        ca,
        apiUrl,
        hostsApiServer: plan.name === first.name,
      })
      connections.add(node.kubelet)
      nodes.push(node)
    }
    const kubelets = Promise.all(nodes.map((node) => node.run(signal, supervisor)))
    stops.push(async () => {
      // When a later step fails, this is the first to stop: nobody has aborted yet.
      aborter.abort(new Error('the control plane is stopping'))
      await kubelets
    })
  }
  const ports = new Map([...(reached.own === null ? [] : [[2379, reached.own.port] as const]), [6443, apiPort]])
  const ssh = await serveNodeSsh({ dataDir: join(dataDir, 'ssh'), port: options.sshPort, nodes, ports, logger })
  stops.push(() => ssh.close())

  let stopping: Promise<void> | null = null
  return {
    apiUrl,
    etcdUrl: reached.urls,
    dns: { host: '127.0.0.1', port: dns.port },
    ssh: { host: '127.0.0.1', port: ssh.port, keyFile: ssh.keyFile, hostKeyFile: ssh.hostKeyFile },
    // A snapshot's cluster need not bind what kubeadm's admin.conf needs: its user is of system:masters.
    kubeconfigPath: join(kubernetesDir, origin === null ? 'admin.conf' : 'super-admin.conf'),
    pkiDir,
    etcd,
    transport: asUser,
    stop: () => (stopping ??= orderly(aborter, stop)),
  }
}

/** What test images serve TLS with: nobody is asked to trust it. */
function localhostCertificate(kubernetesDir: string, nowMs: number): KeyedCertificate {
  const subject = { commonName: 'localhost', organizations: [] }
  const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], isCa: false, usages: ['serverAuth' as const] }
  return issueCertificate({ subject, ...names, notBeforeMs: nowMs, notAfterMs: nowMs + YEAR_MS }, readAuthority(kubernetesDir, 'ca'), 'ECDSA-P256')
}

/** Components end before what they talk to. */
async function orderly(aborter: AbortController, stop: () => Promise<void>): Promise<void> {
  aborter.abort(new Error('the control plane is stopping'))
  await stop()
}

function signerOf(kubernetesDir: string, nowMs: () => number): CsrSigner {
  return {
    sign: (csrPem, { durationMs, usages }) => {
      const names: Record<string, ExtendedKeyUsage> = { 'client auth': 'clientAuth', 'server auth': 'serverAuth' }
      const asked = usages.flatMap((usage) => names[usage] ?? [])
      return Promise.resolve(
        signCertificateRequest(csrPem, {
          authority: readAuthority(kubernetesDir, 'ca'),
          usages: asked,
          nowMs: nowMs(),
          lifetimeMs: Math.min(durationMs, YEAR_MS),
        }),
      )
    },
  }
}
