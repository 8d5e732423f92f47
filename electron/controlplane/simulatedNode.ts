import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Random } from '#shared/base/random.ts'
import { minorOf } from '#shared/kubernetes/schema/served.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { NODES } from '#electron/client/resources.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import { coreDnsImage, kubeProxyImage } from './kubeadm/clusterObjects.ts'
import { COMPONENTS, componentImage, REGISTRY, type ManifestOptions } from './kubeadm/manifests.ts'
import { nodePrograms, SUDOERS } from './kubeadm/nodePrograms.ts'
import { isKubeletConfigured, isResetNode, runsControlPlane } from './kubeadm/nodeFiles.ts'
import { Packages } from './kubeadm/packages.ts'
import { writeKubeletConf } from './kubeadm/tlsBootstrap.ts'
import { iptablesPrograms } from './kube-proxy/iptablesPrograms.ts'
import { NodeRules } from './kube-proxy/nodeRules.ts'
import { Kubelet } from './kubelet/kubelet.ts'
import type { NodeCapacity } from './kubelet/nodeStatus.ts'
import { basePrograms } from './kubelet/shell/basePrograms.ts'
import { FileTree } from './kubelet/shell/fileTree.ts'
import { emptyInput } from './kubelet/shell/process.ts'
import { isAdopted } from './kubelet/staticPods.ts'
import type { PodNetwork } from './kubelet/podNetwork.ts'
import { Shell } from './kubelet/shell/shell.ts'
import type { Terminal } from './kubelet/shell/terminal.ts'
import type { Supervisor } from './supervisor.ts'

/** One node of a cluster before it exists. */
export interface NodePlan {
  name: string
  address: string
  controlPlane: boolean
  /** What a node has that was there before: one of a snapshot's cluster. */
  existing?: { kubeletVersion: string; capacity: NodeCapacity }
}

/** Names and addresses of a cluster's nodes. */
export function planNodes({ controlPlane, workers }: { controlPlane: number; workers: number }): NodePlan[] {
  const two = (index: number): string => String(index).padStart(2, '0')
  return [
    ...Array.from({ length: controlPlane }, (_, index) => ({
      name: index === 0 ? 'controlplane' : `controlplane${two(index + 1)}`,
      address: `172.30.1.${String(2 + index)}`,
      controlPlane: true,
    })),
    ...Array.from({ length: workers }, (_, index) => ({
      name: `node${two(index + 1)}`,
      address: `172.30.${String(2 + Math.floor(index / 200))}.${String(2 + (index % 200))}`,
      controlPlane: false,
    })),
  ]
}

export interface SimulatedNodeOptions {
  plan: NodePlan
  /** The node's `/` on this machine's disk. */
  rootDir: string
  /** What a new node is installed with. */
  kubernetesVersion: string
  clock: Clock
  random: Random
  logger: Logger
  /** As the node itself. */
  transport: Transport
  /** What the node's containers reach. */
  network: PodNetwork
  /** PEM of a certificate for `localhost`. */
  localhost: () => { certificate: string; key: string }
  /** What kubeadm on the node uses. */
  admin: RestClient
  /** As kube-proxy. */
  proxy: RestClient
  manifestOptions: ManifestOptions
  /** PEM. */
  ca: string
  /** `https://127.0.0.1:PORT` */
  apiUrl: string
  /** Whether the cluster's API server and etcd live and die with this node. */
  hostsApiServer: boolean
  onApiServerVersion(version: string): void
  /** A control-plane component was started, or started again. */
  onComponentStarted(component: string): void
}

const CAPACITY = { cpuCores: 4, memoryBytes: 8 * 2 ** 30, pods: 110, diskBytes: 60 * 2 ** 30 }

/** A simulated machine: its files, packages and kubelet, and a shell on it. */
export class SimulatedNode {
  readonly name: string
  readonly kubelet: Kubelet
  readonly files: FileTree
  readonly packages: Packages
  readonly #options: SimulatedNodeOptions
  /** Transient units that run, by name, and what ends them with the node. */
  readonly #units = new Map<string, Promise<void>>()
  readonly #unitsEnd = new AbortController()
  readonly #rules: NodeRules

  constructor(options: SimulatedNodeOptions) {
    this.#options = options
    const { plan, rootDir, kubernetesVersion, clock, random, logger, transport } = options
    this.name = plan.name
    this.files = new FileTree(rootDir)
    this.packages = new Packages(rootDir)
    const { kubeletVersion = '' } = plan.existing ?? {}
    this.packages.ensure(kubeletVersion === '' ? kubernetesVersion : kubeletVersion)
    prepareFiles(rootDir, options)
    this.#rules = new NodeRules({
      client: options.proxy,
      clusterCIDR: options.manifestOptions.podSubnet,
      node: plan,
      runningMinor: () => this.#kubeProxyMinor(),
    })
    this.kubelet = new Kubelet({
      transport,
      clock,
      random: random.fork('kubelet'),
      logger,
      name: plan.name,
      internalIP: plan.address,
      capacity: plan.existing?.capacity ?? CAPACITY,
      rootDir,
      readVersion: () => this.packages.kubernetesVersion('kubelet'),
      network: options.network,
      localhost: options.localhost,
      labels: {},
      taints: () => (plan.controlPlane && runsControlPlane(rootDir) ? controlPlaneTaints(kubernetesVersion) : []),
      isConfigured: () => isKubeletConfigured(rootDir),
      images: imagesOf(this.packages.kubernetesVersion('kubelet'), plan.controlPlane),
      onStaticPod: ({ component, image, running }) => {
        if (running) options.onComponentStarted(component)
        const tag = image.slice(image.lastIndexOf(':') + 1)
        if (component === 'kube-apiserver' && running && /^v1\.\d+\.\d+/.test(tag)) options.onApiServerVersion(tag)
      },
    })
  }

  get controlPlane(): boolean {
    return this.#options.plan.controlPlane
  }

  /** Runs the kubelet until the signal aborts, and labels the node as kubeadm does. */
  async run(signal: AbortSignal, supervisor: Supervisor): Promise<void> {
    const { plan, rootDir } = this.#options
    await supervisor.run(`kubelet ${plan.name}`, signal, async (round) => {
      const running = this.kubelet.run({ signal: round })
      if (plan.controlPlane && plan.existing === undefined && !isResetNode(rootDir)) await this.#markControlPlane(round)
      await running
    })
    this.kubelet.close()
    this.#unitsEnd.abort(new Error('the node is shut down'))
    await Promise.all(this.#units.values())
  }

  /** Of the kube-proxy that runs here. */
  #kubeProxyMinor(): number | null {
    for (const { containers } of this.kubelet.pods.workers())
      for (const { container, current } of containers)
        if (current !== null && container.name === 'kube-proxy') return minorOf(container.image.slice(container.image.lastIndexOf(':') + 1))
    return null
  }

  #startUnit(unit: string, argv: string[]): boolean {
    if (this.#units.has(unit)) return false
    const nowhere = { input: emptyInput, out: () => undefined, err: () => undefined }
    const running = this.shell(this.#unitsEnd)
      .execute(argv, nowhere)
      .then(
        () => undefined,
        // What a unit of a node that is shut down left half done, it left.
        () => undefined,
      )
      .finally(() => this.#units.delete(unit))
    this.#units.set(unit, running)
    return true
  }

  async #markControlPlane(signal: AbortSignal): Promise<void> {
    const labels = controlPlaneLabels(this.#options.kubernetesVersion)
    while (!signal.aborted) {
      try {
        await this.#options.admin.patch(NODES, { name: this.name }, { metadata: { labels } }, { type: 'merge' }, signal)
        return
      } catch {
        // The kubelet has not registered yet.
        await this.#options.clock.sleep(50, { signal }).catch(() => undefined)
      }
    }
  }

  /** A login shell of root. */
  shell(foreground: { readonly signal: AbortSignal }, terminal?: Terminal): Shell {
    const { clock, plan, admin, manifestOptions, random } = this.#options
    const programs = new Map([
      ...basePrograms,
      ...iptablesPrograms(this.#rules),
      ...nodePrograms({
        node: { name: plan.name, controlPlane: plan.controlPlane },
        kubelet: this.kubelet,
        packages: this.packages,
        admin,
        manifestOptions,
        clock,
        random,
        rootDir: this.files.root,
        apiUrl: this.#options.apiUrl,
        hostsApiServer: this.#options.hostsApiServer,
        isAdopted: (file) => isAdopted(join(this.files.root, 'etc/kubernetes/manifests'), file),
        units: { isActive: (unit) => this.#units.has(unit), start: (unit, argv) => this.#startUnit(unit, argv) },
      }),
    ])
    const host = {
      files: this.files,
      hostname: plan.name,
      clock,
      programs,
      ...(terminal === undefined ? {} : { terminal }),
      get signal() {
        return foreground.signal
      },
    }
    return new Shell(
      host,
      new Map([
        ['HOME', '/root'],
        ['USER', 'root'],
        ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ]),
      '/root',
    )
  }
}

/** kubeadm's taint was `master` until 1.23, both in 1.24, and `control-plane` since. */
function controlPlaneTaints(kubernetesVersion: string): { key: string; effect: string }[] {
  const minor = minorOf(kubernetesVersion)
  const roles = [...(minor <= 24 ? ['master'] : []), ...(minor >= 24 ? ['control-plane'] : [])]
  return roles.map((role) => ({ key: `node-role.kubernetes.io/${role}`, effect: 'NoSchedule' }))
}

/** kubeadm's label `master` went with 1.24; the one for load balancers came with 1.21. */
function controlPlaneLabels(kubernetesVersion: string): Record<string, string> {
  const minor = minorOf(kubernetesVersion)
  return {
    'node-role.kubernetes.io/control-plane': '',
    ...(minor < 24 ? { 'node-role.kubernetes.io/master': '' } : {}),
    ...(minor >= 21 ? { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } : {}),
  }
}

function imagesOf(version: string, controlPlane: boolean): string[] {
  const common = [kubeProxyImage(version), coreDnsImage(version), `${REGISTRY}/pause:3.10`]
  return controlPlane ? [...COMPONENTS.map((component) => componentImage(component, version)), ...common] : common
}

function prepareFiles(rootDir: string, { plan, ca, apiUrl, manifestOptions }: SimulatedNodeOptions): void {
  const wasReset = isResetNode(rootDir)
  for (const directory of [
    'root',
    'tmp',
    'etc/kubernetes/manifests',
    'etc/kubernetes/pki',
    'var/lib/kubelet/pki',
    'var/lib/kubelet/pods',
    'var/log/pods',
    ...(plan.controlPlane ? ['var/lib/etcd'] : []),
  ])
    mkdirSync(join(rootDir, directory), { recursive: true })
  const write = (path: string, text: string): void => {
    const file = join(rootDir, path)
    if (!existsSync(file)) writeFileSync(file, text)
  }
  mkdirSync(join(rootDir, dirname(SUDOERS)), { recursive: true })
  write(SUDOERS, `${plan.name} ALL=(ALL) NOPASSWD: ALL\n`)
  write('etc/hostname', `${plan.name}\n`)
  write('etc/hosts', `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${plan.address}\t${plan.name}\n`)
  write('etc/resolv.conf', 'nameserver 172.30.1.1\n')
  write('etc/os-release', 'PRETTY_NAME="Drydock simulated node"\nNAME="Drydock"\nID=drydock\n')
  if (wasReset) return
  // On another port the cluster is reached by another address.
  writeKubeletConf(rootDir, { server: apiUrl, ca, nodeName: plan.name })
  write('etc/kubernetes/pki/ca.crt', ca)
  write(
    'var/lib/kubelet/config.yaml',
    'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodPath: /etc/kubernetes/manifests\nclusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\ncgroupDriver: systemd\nrotateCertificates: true\n',
  )
  write(
    'var/lib/kubelet/kubeadm-flags.env',
    `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/containerd/containerd.sock --node-ip=${manifestOptions.advertiseAddress}"\n`,
  )
}
