import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { parse } from 'yaml'
import type { Clock } from '#shared/base/clock.ts'
import { isObject, type JsonObject } from '#shared/kubernetes/json.ts'
import { minorOfVersion } from '#shared/planning/upgrade/releases.ts'
import { NODES } from '#electron/client/resources.ts'
import { formatKubeconfig } from '#electron/pki/kubeconfig.ts'
import { kubeletConfigNames } from './clusterObjects.ts'
import { bootstrapClient, type BootstrapClient } from './bootstrapClient.ts'
import { createControlPlaneFiles, downloadCerts, markControlPlane } from './controlPlaneFiles.ts'
import { discoverCa } from './discovery.ts'
import { KubeadmError, readFlags, type Flags } from './flags.ts'
import type { NodeProgramsOptions } from './nodePrograms.ts'
import { directoryAvailable, fileAvailable, portFree, runChecks } from './preflight.ts'
import { readingConfig } from './readingConfig.ts'
import { requestNodeCertificate, writeKubeletIdentity } from './tlsBootstrap.ts'

export interface PhaseStreams {
  args: readonly string[]
  out(text: string): void
  err(text: string): void
  clock: Clock
  signal: AbortSignal
}

const KUBELET_PORT = 10_250
const FIRST_WITH_KUBELET_CHECK = 32
/** The words changed. */
const FIRST_WITH_BEFOREHAND = 29
const FIRST_WITHOUT_MASTER = 24
const REGISTER_WAIT_MS = 100
const REGISTER_TIMEOUT_MS = 300_000

/** `kubeadm join`: discovery by token, TLS bootstrap, and with `--control-plane` what further control-plane nodes have. */
export async function join(streams: PhaseStreams, options: NodeProgramsOptions): Promise<void> {
  const flags = readFlags(streams.args, {
    switches: ['control-plane', 'discovery-token-unsafe-skip-ca-verification', 'dry-run'],
    values: [
      'token',
      'discovery-token',
      'tls-bootstrap-token',
      'discovery-token-ca-cert-hash',
      'certificate-key',
      'node-name',
      'ignore-preflight-errors',
      'apiserver-advertise-address',
      'skip-phases',
    ],
  })
  const [endpoint] = flags.words
  const token = flags.value('token')
  const discovery = flags.value('discovery-token') ?? token
  const bootstrap = flags.value('tls-bootstrap-token') ?? token
  if (endpoint === undefined || discovery === undefined || bootstrap === undefined)
    throw new KubeadmError('discovery: Invalid value: "": bootstrapToken or file must be set', 3)
  const { out, clock, signal } = streams
  const { rootDir } = options
  const kubeadm = options.packages.kubernetesVersion('kubeadm')
  const controlPlane = flags.has('control-plane')
  out('[preflight] Running pre-flight checks\n')
  preflight(streams, options, flags)
  const hashes = flags.list('discovery-token-ca-cert-hash')
  const skipVerification = flags.has('discovery-token-unsafe-skip-ca-verification')
  const ca = await discoverCa({ endpoint, tokenText: discovery, hashes, skipVerification, clock, signal })
  out(readingConfig('preflight', kubeadm))
  const client = bootstrapClient({ endpoint, ca, token: bootstrap, signal })
  const configuration = await clusterConfiguration(client)
  const server = `https://${endpoint}`
  if (controlPlane) {
    await prepareControlPlane(streams, options, { client, flags, server, configuration })
    out('[check-etcd] Checking that the etcd cluster is healthy\n')
  }
  await startKubelet(streams, options, { client, server, ca, kubeadm, bootstrapToken: bootstrap })
  if (!controlPlane) {
    out(
      "\nThis node has joined the cluster:\n* Certificate signing request was sent to apiserver and a response was received.\n* The Kubelet was informed of the new secure connection details.\n\nRun 'kubectl get nodes' on the control-plane to see this node join the cluster.\n\n",
    )
    return
  }
  out('[etcd] Creating static Pod manifest for "etcd"\n')
  await markControlPlane({ out, clock, signal }, options, kubeadm)
  out(controlPlaneJoined(minorOfVersion(kubeadm)))
  rmSync(joinPath(rootDir, 'etc/kubernetes/bootstrap-kubelet.conf'), { force: true })
}

const controlPlaneJoined = (minor: number): string => `
This node has joined the cluster and a new control plane instance was created:

* Certificate signing request was sent to apiserver and approval was received.
* The Kubelet was informed of the new secure connection details.
* Control plane ${minor < FIRST_WITHOUT_MASTER ? '(master) ' : ''}label and taint were applied to the new node.
* The Kubernetes control plane instances scaled up.
* A new etcd member was added to the local/stacked etcd cluster.

To start administering your cluster from this node, you need to run the following as a regular user:

\tmkdir -p $HOME/.kube
\tsudo cp -i /etc/kubernetes/admin.conf $HOME/.kube/config
\tsudo chown $(id -u):$(id -g) $HOME/.kube/config

Run 'kubectl get nodes' to see this node join the cluster.

`

function preflight({ err }: PhaseStreams, { rootDir, kubelet }: NodeProgramsOptions, flags: Flags): void {
  const checks = [
    directoryAvailable(rootDir, '/etc/kubernetes/manifests'),
    fileAvailable(rootDir, '/etc/kubernetes/kubelet.conf'),
    fileAvailable(rootDir, '/etc/kubernetes/bootstrap-kubelet.conf'),
    portFree(KUBELET_PORT, kubelet.isRunning),
    ...(flags.has('control-plane') ? [] : [fileAvailable(rootDir, '/etc/kubernetes/pki/ca.crt')]),
  ]
  runChecks(checks, flags.list('ignore-preflight-errors'), err)
}

/** What kubeadm reads from the ConfigMap kubeadm-config as a bootstrap token may. */
async function clusterConfiguration(client: BootstrapClient): Promise<JsonObject> {
  const map = await client.get('/api/v1/namespaces/kube-system/configmaps/kubeadm-config')
  const data = map !== null && isObject(map['data']) ? map['data'] : {}
  const parsed: unknown = typeof data['ClusterConfiguration'] === 'string' ? parse(data['ClusterConfiguration']) : null
  if (!isObject(parsed))
    throw new KubeadmError(
      'error execution phase preflight: unable to fetch the kubeadm-config ConfigMap: failed to get config map: configmaps "kubeadm-config" not found',
    )
  return parsed
}

async function prepareControlPlane(
  streams: PhaseStreams,
  options: NodeProgramsOptions,
  { client, flags, server, configuration }: { client: BootstrapClient; flags: Flags; server: string; configuration: JsonObject },
): Promise<void> {
  const { out, clock } = streams
  out('[preflight] Running pre-flight checks before initializing the new control plane instance\n')
  const minor = minorOfVersion(options.packages.kubernetesVersion('kubeadm'))
  const certificateKey = flags.value('certificate-key')
  const authority = joinPath(options.rootDir, 'etc/kubernetes/pki/ca.key')
  if (certificateKey === undefined && !existsSync(authority))
    throw new KubeadmError(
      "error execution phase preflight: \nOne or more conditions for hosting a new control plane instance is not satisfied.\n\n[failure loading certificate for CA: couldn't load the certificate file /etc/kubernetes/pki/ca.crt: open /etc/kubernetes/pki/ca.crt: no such file or directory]\n\nPlease ensure that:\n* The cluster has a stable controlPlaneEndpoint address.\n* The certificates that must be shared among control plane instances are provided.\n\n",
    )
  out(
    `[preflight] Pulling images required for setting up a Kubernetes cluster\n[preflight] This might take a minute or two, depending on the speed of your internet connection\n[preflight] You can also perform this action ${minor < FIRST_WITH_BEFOREHAND ? 'in beforehand' : 'beforehand'} using 'kubeadm config images pull'\n`,
  )
  if (certificateKey !== undefined) await downloadCerts(client, { out, rootDir: options.rootDir, certificateKey })
  const version = typeof configuration['kubernetesVersion'] === 'string' ? configuration['kubernetesVersion'] : options.manifestOptions.kubernetesVersion
  createControlPlaneFiles({ out, nowMs: clock.now() }, options, { server, version })
}

/** Writes what the kubelet starts with, and does the TLS bootstrap that the kubelet does by itself upstream. */
async function startKubelet(
  { out, clock, signal }: PhaseStreams,
  { rootDir, node, kubelet, admin, manifestOptions }: NodeProgramsOptions,
  { client, server, ca, kubeadm, bootstrapToken }: { client: BootstrapClient; server: string; ca: string; kubeadm: string; bootstrapToken: string },
): Promise<void> {
  const there = await client.get(`/api/v1/nodes/${node.name}`)
  if (isReady(there))
    throw new KubeadmError(
      `error execution phase kubelet-start: a Node with name "${node.name}" and status "Ready" already exists in the cluster. You must delete the existing Node or change the name of this new joining Node`,
    )
  const minor = minorOfVersion(kubeadm)
  const files = joinPath(rootDir, 'var/lib/kubelet')
  mkdirSync(joinPath(files, 'pods'), { recursive: true })
  mkdirSync(joinPath(rootDir, 'etc/kubernetes/pki'), { recursive: true })
  mkdirSync(joinPath(rootDir, 'etc/kubernetes/manifests'), { recursive: true })
  const bootstrapConf = joinPath(rootDir, 'etc/kubernetes/bootstrap-kubelet.conf')
  const caCertificate = ca
  writeFileSync(
    bootstrapConf,
    formatKubeconfig({ clusterName: 'kubernetes', server, caCertificate, userName: 'tls-bootstrap-token-user', user: { token: bootstrapToken } }),
    { mode: 0o600 },
  )
  writeFileSync(joinPath(rootDir, 'etc/kubernetes/pki/ca.crt'), ca)
  out('[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"\n')
  writeFileSync(joinPath(files, 'config.yaml'), await kubeletConfiguration(client, kubeletConfigNames(kubeadm)))
  out('[kubelet-start] Writing kubelet environment file with flags to file "/var/lib/kubelet/kubeadm-flags.env"\n')
  writeFileSync(
    joinPath(files, 'kubeadm-flags.env'),
    `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/containerd/containerd.sock --node-ip=${manifestOptions.advertiseAddress}"\n`,
  )
  out('[kubelet-start] Starting the kubelet\n')
  if (minor >= FIRST_WITH_KUBELET_CHECK) out('[kubelet-check] Waiting for a healthy kubelet at http://127.0.0.1:10248/healthz. This can take up to 4m0s\n')
  const startedMs = clock.now()
  const identity = await requestNodeCertificate(client, { nodeName: node.name, clock, signal })
  writeKubeletIdentity(rootDir, { identity, server, ca, nodeName: node.name, nowMs: clock.now() })
  rmSync(bootstrapConf)
  await kubelet.startService()
  if (minor >= FIRST_WITH_KUBELET_CHECK) out(`[kubelet-check] The kubelet is healthy after ${String(Math.max(1, Math.round(clock.now() - startedMs)))}ms\n`)
  out(
    minor >= FIRST_WITH_KUBELET_CHECK
      ? '[kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap\n'
      : '[kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap...\n',
  )
  // kubeadm annotates the Node with its runtime's socket, and so waits until there is one.
  for (const endMs = clock.now() + REGISTER_TIMEOUT_MS; ; await clock.sleep(REGISTER_WAIT_MS, { signal })) {
    const registered = await admin.get(NODES, { name: node.name }, signal).catch(() => null)
    if (registered !== null) break
    if (clock.now() > endMs) throw new KubeadmError('error execution phase kubelet-start: error uploading crisocket: timed out waiting for the condition')
  }
}

async function kubeletConfiguration(client: BootstrapClient, names: readonly string[]): Promise<string> {
  for (const name of names) {
    const map = await client.get(`/api/v1/namespaces/kube-system/configmaps/${name}`)
    if (map !== null && isObject(map['data']) && typeof map['data']['kubelet'] === 'string') return map['data']['kubelet']
  }
  throw new KubeadmError(`error execution phase kubelet-start: failed to get component configs: configmaps "${names[0] ?? ''}" not found`)
}

function isReady(node: JsonObject | null): boolean {
  const status = node !== null && isObject(node['status']) ? node['status'] : {}
  const conditions = Array.isArray(status['conditions']) ? status['conditions'].filter(isObject) : []
  return conditions.some((condition) => condition['type'] === 'Ready' && condition['status'] === 'True')
}
