import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '#shared/base/logger.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import type { Transport, UserInfo } from '#shared/kubernetes/transport.ts'
import { whileLeading } from '#electron/client/leaderElection.ts'
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
import type { ApiServer } from './apiserver/interface.ts'
import { runControllerManager, type CsrSigner, type ServiceAccountTokenSigner } from './controller-manager/controllerManager.ts'
import { CoreDns } from './coredns/coreDns.ts'
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
import { runScheduler } from './scheduler/scheduler.ts'
import { serveNodeSsh } from './nodeSsh.ts'
import { isReadInPlace, openStorage } from './storage.ts'

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
      ...(options.clockControl === undefined ? {} : { '/debug/clock': clockPage(options.clockControl) }),
    },
    ...(options.apiServer === undefined ? {} : { settings: options.apiServer }),
  })
  stops.push(() => api.close())
  const apiPort = await api.listen({ host: '127.0.0.1', port: options.apiPort })
  const apiUrl = `https://127.0.0.1:${String(apiPort)}`
  for (const file of ['admin.conf', 'super-admin.conf', 'controller-manager.conf', 'scheduler.conf'])
    if (existsSync(join(kubernetesDir, file))) replaceServer(join(kubernetesDir, file), apiUrl)

  const asUser = (user: UserInfo): Transport => new RetryingTransport(api.transport(user), clock)
  const masters: UserInfo = { username: 'kubernetes-super-admin', groups: ['system:masters'] }
  const aborter = new AbortController()
  const { signal } = aborter
  const ca = text('ca.crt')
  const nodes: SimulatedNode[] = []
  const release = new ServedRelease(kubernetesVersion)
  const dns = new CoreDns({
    client: new RestClient(asUser(masters), { userAgent: 'coredns' }),
    zone: { domain: DNS_DOMAIN, ttlSeconds: DNS_TTL_SECONDS, dnsService: { namespace: 'kube-system', name: 'kube-dns' } },
    servedMinor: () => minorOf(release.version),
    clock,
    random: random.fork('coredns'),
    logger: logger.with({ component: 'coredns' }),
  })
  stops.push(() => dns.close())
  const dnsPort = await dns.listen(options.dnsPort ?? 0)
  if (options.readOnly !== true) {
    const client = new RestClient(api.transport(masters), { userAgent: 'kubeadm' })
    const components = runComponents(api, options, {
      signal,
      ca,
      release,
      decisions,
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
        transport: new RetryingTransport(gate.through(api.transport({ username: `system:node:${plan.name}`, groups: ['system:nodes'] })), clock),
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
    const kubelets = Promise.all(nodes.map((node) => node.run(signal)))
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
    dns: { host: '127.0.0.1', port: dnsPort },
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

/** Which release the components run as; a change ends the running ones, as an upgrade replaces their static pods. */
class ServedRelease {
  version: string
  #changed = new AbortController()

  constructor(version: string) {
    this.version = version
  }

  /** Aborts when the release changes after this was asked for. */
  get signal(): AbortSignal {
    return this.#changed.signal
  }

  change(version: string): void {
    if (version === this.version) return
    this.version = version
    const changed = this.#changed
    this.#changed = new AbortController()
    changed.abort(new Error('the control plane runs another release'))
  }
}

/** What one run of a component is given. */
interface ComponentRun {
  logger: Logger
  signal: AbortSignal
  kubernetesVersion: string
}

async function runComponents(
  api: ApiServer,
  options: ControlPlaneOptions,
  {
    signal,
    ca,
    release,
    decisions,
    ...signers
  }: {
    signal: AbortSignal
    ca: string
    release: ServedRelease
    decisions: DecisionLog
    csrSigner: CsrSigner
    signServiceAccountToken: ServiceAccountTokenSigner
  },
): Promise<void> {
  const { clock, random, logger } = options
  const user = (name: string, ...groups: string[]): UserInfo => ({ username: name, groups })
  const identity = `${options.clusterName}_${random
    .fork('identity')
    .below(2 ** 32)
    .toString(16)}`
  /** On an etcd that others may use too, one of all candidates runs a component, as upstream's do among themselves. */
  const lead = (component: string, own: ComponentRun, run: (own: ComponentRun) => Promise<void>): Promise<void> => {
    if (options.etcd === undefined) return run(own)
    const client = new RestClient(api.transport(user(`system:${component}`, 'system:masters')), { userAgent: component })
    return whileLeading({ client, clock, logger: own.logger, identity, namespace: 'kube-system', name: component, signal: own.signal }, (signal) =>
      run({ ...own, signal }),
    )
  }
  const guard = async (component: string, logged: Logger, run: (own: ComponentRun) => Promise<void>) => {
    while (!signal.aborted) {
      const round = AbortSignal.any([signal, release.signal])
      try {
        await lead(component, { logger: logged, signal: round, kubernetesVersion: release.version }, run)
      } catch (error) {
        if (!round.aborted) logged.error('a component ended', { component, error: error instanceof Error ? error.message : String(error) })
      }
      if (!round.aborted) return
    }
  }
  await Promise.all([
    guard('kube-scheduler', logger.with({ component: 'kube-scheduler' }), (own) =>
      runScheduler({ ...own, decisions, transport: api.transport(user('system:kube-scheduler', 'system:masters')), clock, random: random.fork('scheduler') }),
    ),
    guard('kube-controller-manager', logger.with({ component: 'kube-controller-manager' }), (own) =>
      runControllerManager({
        ...own,
        transport: api.transport(user('system:kube-controller-manager', 'system:masters')),
        clock,
        random: random.fork('controller-manager'),
        ...signers,
        rootCa: ca,
      }),
    ),
  ])
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
