import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { minorOfVersion } from '#shared/planning/upgrade/releases.ts'
import { PODS } from '#electron/client/resources.ts'
import { AUTHORITIES, ensureKubernetesPki, issueKubeletClient, LEAVES, readAuthority } from '#electron/pki/kubernetesPki.ts'
import { bootstrapClient } from './bootstrapClient.ts'
import { clusterOptions, describeCertificate, markControlPlane } from './controlPlaneFiles.ts'
import { KubeadmError, type Flags } from './flags.ts'
import { clusterAccess } from './joinCommand.ts'
import type { PhaseStreams } from './join.ts'
import { COMPONENTS, manifestText, type Component } from './manifests.ts'
import type { NodeProgramsOptions } from './nodePrograms.ts'
import { directoryAvailable, fileAvailable, portFree, runChecks } from './preflight.ts'
import { isKubeletConfigured } from './nodeFiles.ts'
import { writeKubeletIdentity } from './tlsBootstrap.ts'
import { generateToken, NODE_TOKEN_GROUP, readToken, storeToken, tokenSecret, tokenText, type Token } from './tokens.ts'
import { uploadCerts } from './uploadCertsPhase.ts'
import { uploadObjects } from './uploadedObjects.ts'

/** What the phases of one run share. */
export interface InitContext extends PhaseStreams {
  flags: Flags
  options: NodeProgramsOptions
  kubeadm: string
  /** Made by the phase bootstrap-token. */
  token: Token | null
}

/** One phase of `kubeadm init`. @see kubernetes cmd/kubeadm/app/cmd/phases/workflow */
export interface Phase {
  name: string
  /** Its own phases, by name; `all` runs every one. Empty: it is run as a whole. */
  parts: readonly string[]
  run(context: InitContext, parts: readonly string[]): Promise<void> | void
}

const FIRST_WITH_SUPER_ADMIN = 29
const FIRST_WITH_PLAIN_CHECK = 31
/** The kubelet is started after the manifests are there since then. */
export const FIRST_WITH_LATE_KUBELET = 28
const POLL_MS = 100
const HEALTHY_TIMEOUT_MS = 240_000
const DAY_MS = 24 * 3_600_000
const PORTS = [6443, 10_259, 10_257]
const CERTIFICATES = [
  'ca',
  'apiserver',
  'apiserver-kubelet-client',
  'front-proxy-ca',
  'front-proxy-client',
  'etcd-ca',
  'etcd-server',
  'etcd-peer',
  'etcd-healthcheck-client',
  'apiserver-etcd-client',
  'sa',
]

const kubernetesDirOf = ({ options }: InitContext): string => join(options.rootDir, 'etc/kubernetes')

const preflight: Phase = {
  name: 'preflight',
  parts: [],
  run: ({ out, err, flags, options, kubeadm }) => {
    const { rootDir, kubelet } = options
    const busy = options.hostsApiServer
    const file = (component: Component) => fileAvailable(rootDir, `/etc/kubernetes/manifests/${component}.yaml`)
    out('[preflight] Running pre-flight checks\n')
    runChecks(
      [
        ...PORTS.map((port) => portFree(port, busy)),
        ...COMPONENTS.filter((component) => component !== 'etcd').map(file),
        file('etcd'),
        portFree(10_250, kubelet.isRunning),
        ...[2379, 2380].map((port) => portFree(port, busy)),
        directoryAvailable(rootDir, '/var/lib/etcd'),
      ],
      flags.list('ignore-preflight-errors'),
      err,
    )
    const early = minorOfVersion(kubeadm) < FIRST_WITH_SUPER_ADMIN
    out(
      `[preflight] Pulling images required for setting up a Kubernetes cluster\n[preflight] This might take a minute or two, depending on the speed of your internet connection\n[preflight] You can also perform this action ${early ? 'in beforehand' : 'beforehand'} using 'kubeadm config images pull'\n`,
    )
  },
}

const certs: Phase = {
  name: 'certs',
  parts: CERTIFICATES,
  run: (context, parts) => {
    const { out, clock, options } = context
    const kubernetesDir = kubernetesDirOf(context)
    out('[certs] Using certificateDir folder "/etc/kubernetes/pki"\n')
    for (const part of parts) {
      const authority = AUTHORITIES.find(({ name }) => name === part)
      const leaf = LEAVES.find(({ name }) => name === part)
      const path = authority?.path ?? leaf?.path ?? 'pki/sa'
      const shown = path.replace(/^pki\//, '')
      const there = existsSync(join(kubernetesDir, part === 'sa' ? 'pki/sa.key' : `${path}.crt`))
      if (leaf !== undefined && !there && !existsSync(join(kubernetesDir, `${AUTHORITIES.find(({ name }) => name === leaf.authority)?.path ?? ''}.key`)))
        throw new KubeadmError(
          `error execution phase certs/${part}: couldn't load CA certificate ${leaf.authority}: couldn't load ${leaf.authority} certificate authority from "/etc/kubernetes/pki"`,
        )
      ensureKubernetesPki({
        ...clusterOptions(options),
        kubernetesDir,
        nowMs: clock.now(),
        superAdmin: false,
        only: (name) => name === part || name === leaf?.authority,
      })
      if (part === 'sa') out(there ? '[certs] Using the existing "sa" key\n' : '[certs] Generating "sa" key and public key\n')
      else if (there)
        out(
          authority === undefined ? `[certs] Using existing ${shown} certificate and key on disk\n` : `[certs] Using existing ${shown} certificate authority\n`,
        )
      else describeCertificate(out, kubernetesDir, path)
    }
  },
}

const kubeconfig: Phase = {
  name: 'kubeconfig',
  parts: ['admin', 'super-admin', 'kubelet', 'controller-manager', 'scheduler'],
  run: (context, parts) => {
    const { out, clock, options, kubeadm } = context
    const kubernetesDir = kubernetesDirOf(context)
    out('[kubeconfig] Using kubeconfig folder "/etc/kubernetes"\n')
    for (const part of parts) {
      if (part === 'super-admin' && minorOfVersion(kubeadm) < FIRST_WITH_SUPER_ADMIN) continue
      const file = `${part}.conf`
      if (existsSync(join(kubernetesDir, file))) {
        out(`[kubeconfig] Using existing kubeconfig file: "/etc/kubernetes/${file}"\n`)
        continue
      }
      if (!existsSync(join(kubernetesDir, 'pki/ca.key')))
        throw new KubeadmError(
          `error execution phase kubeconfig/${part}: couldn't create a kubeconfig; the CA files couldn't be loaded: couldn't load existing "ca" certificate authority from "/etc/kubernetes/pki"`,
        )
      if (part === 'kubelet') writeKubeletConfig(context)
      else
        ensureKubernetesPki({
          ...clusterOptions(options),
          kubernetesDir,
          nowMs: clock.now(),
          superAdmin: part === 'super-admin',
          only: (name) => name === file || name === 'ca',
        })
      out(`[kubeconfig] Writing "${file}" kubeconfig file\n`)
    }
  },
}

function writeKubeletConfig(context: InitContext): void {
  const { clock, options } = context
  const authority = readAuthority(kubernetesDirOf(context), 'ca')
  const nodeName = options.node.name
  const identity = issueKubeletClient(authority, { nodeName, nowMs: clock.now(), algorithm: 'ECDSA-P256' })
  writeKubeletIdentity(options.rootDir, { identity, server: options.apiUrl, ca: authority.certificate, nodeName, nowMs: clock.now() })
}

const kubeletStart: Phase = {
  name: 'kubelet-start',
  parts: [],
  run: async ({ out, options }) => {
    const { rootDir, kubelet, manifestOptions } = options
    const directory = join(rootDir, 'var/lib/kubelet')
    mkdirSync(join(directory, 'pods'), { recursive: true })
    out('[kubelet-start] Writing kubelet environment file with flags to file "/var/lib/kubelet/kubeadm-flags.env"\n')
    writeFileSync(
      join(directory, 'kubeadm-flags.env'),
      `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/containerd/containerd.sock --node-ip=${manifestOptions.advertiseAddress}"\n`,
    )
    out('[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"\n')
    if (!existsSync(join(directory, 'config.yaml')))
      writeFileSync(
        join(directory, 'config.yaml'),
        'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodPath: /etc/kubernetes/manifests\nclusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\ncgroupDriver: systemd\nrotateCertificates: true\n',
      )
    out('[kubelet-start] Starting the kubelet\n')
    if (isKubeletConfigured(rootDir)) await kubelet.startService()
  },
}

function writeManifest({ options, kubeadm }: InitContext, component: Component): void {
  const directory = join(options.rootDir, 'etc/kubernetes/manifests')
  mkdirSync(directory, { recursive: true })
  const text = manifestText(component, { ...options.manifestOptions, nodeName: options.node.name, kubernetesVersion: kubeadm })
  writeFileSync(join(directory, `${component}.yaml`), text, { mode: 0o600 })
}

const controlPlane: Phase = {
  name: 'control-plane',
  parts: ['apiserver', 'controller-manager', 'scheduler'],
  run: (context, parts) => {
    context.out('[control-plane] Using manifest folder "/etc/kubernetes/manifests"\n')
    for (const part of parts) {
      const component = COMPONENTS.find((each) => each === `kube-${part}`)
      if (component === undefined) continue
      context.out(`[control-plane] Creating static Pod manifest for "${component}"\n`)
      writeManifest(context, component)
    }
  },
}

const etcd: Phase = {
  name: 'etcd',
  parts: ['local'],
  run: (context) => {
    context.out('[etcd] Creating static Pod manifest for local etcd in "/etc/kubernetes/manifests"\n')
    writeManifest(context, 'etcd')
  },
}

/** The API server of this control plane must answer by the CA that lies on this node, and the node's own static pods must run. */
const waitControlPlane: Phase = {
  name: 'wait-control-plane',
  parts: [],
  run: async ({ out, clock, signal, options, kubeadm }) => {
    const { endpoint, ca } = clusterAccess(options.rootDir)
    const plain = minorOfVersion(kubeadm) >= FIRST_WITH_PLAIN_CHECK
    const where = '"/etc/kubernetes/manifests"'
    out(
      plain
        ? `[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods from directory ${where}\n`
        : `[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods from directory ${where}. This can take up to 4m0s\n`,
    )
    const foreign = await bootstrapClient({ endpoint, ca, token: null, signal })
      .get('/readyz?verbose=false')
      .then(
        () => null,
        (error: unknown) => (error instanceof KubeadmError && /certificate|self-signed|issuer/.test(error.message) ? error.message : null),
      )
    if (foreign !== null || !options.hostsApiServer)
      throw new KubeadmError(
        `error execution phase wait-control-plane: couldn't initialize a Kubernetes cluster: ${foreign ?? 'the API server of this simulated cluster runs on another node; this one can only join it'}`,
      )
    const startedMs = clock.now()
    for (const component of COMPONENTS) {
      for (;;) {
        const pod = await options.admin.get(PODS, { namespace: 'kube-system', name: `${component}-${options.node.name}` }, signal).catch(() => null)
        const status = pod?.['status'] as { conditions?: { type?: string; status?: string }[] } | undefined
        if (status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true) break
        if (clock.now() - startedMs > HEALTHY_TIMEOUT_MS)
          throw new KubeadmError("error execution phase wait-control-plane: couldn't initialize a Kubernetes cluster")
        await clock.sleep(POLL_MS, { signal })
      }
      if (plain && component !== 'etcd') out(`[control-plane-check] ${component} is healthy after ${String(Math.round(clock.now() - startedMs))}ms\n`)
    }
    if (!plain) out(`[apiclient] All control plane components are healthy after ${((clock.now() - startedMs) / 1000).toFixed(6)} seconds\n`)
  },
}

const uploadConfig: Phase = {
  name: 'upload-config',
  parts: ['kubeadm', 'kubelet'],
  run: async ({ out, kubeadm, options, signal }, parts) => {
    const name = minorOfVersion(kubeadm) < 24 ? `kubelet-config-1.${String(minorOfVersion(kubeadm))}` : 'kubelet-config'
    if (parts.includes('kubeadm')) {
      out('[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" in the "kube-system" Namespace\n')
      await uploadObjects(options, 'kubeadm', kubeadm, signal)
    }
    if (parts.includes('kubelet')) {
      out(`[kubelet] Creating a ConfigMap "${name}" in namespace kube-system with the configuration for the kubelets in the cluster\n`)
      await uploadObjects(options, 'kubelet', kubeadm, signal)
    }
  },
}

const uploadCertsPhase: Phase = {
  name: 'upload-certs',
  parts: [],
  run: ({ flags, options, out, clock, signal }) => {
    const key = flags.value('certificate-key')
    const args = [...(flags.has('upload-certs') ? ['--upload-certs'] : []), ...(key === undefined ? [] : ['--certificate-key', key])]
    return uploadCerts(args, { admin: options.admin, clock, random: options.random, rootDir: options.rootDir, signal, out })
  },
}

const mark: Phase = { name: 'mark-control-plane', parts: [], run: ({ options, kubeadm, ...streams }) => markControlPlane(streams, options, kubeadm) }

const bootstrapToken: Phase = {
  name: 'bootstrap-token',
  parts: [],
  run: async (context) => {
    const { out, clock, signal, flags, options } = context
    const asked = flags.value('token')
    const token = asked === undefined ? generateToken(options.random) : readToken(asked)
    out(`[bootstrap-token] Using token: ${tokenText(token)}\n[bootstrap-token] Configuring bootstrap tokens, cluster-info ConfigMap, RBAC Roles\n`)
    const description = "The default bootstrap token generated by 'kubeadm init'."
    const usages = ['authentication', 'signing']
    await storeToken(options.admin, token, tokenSecret(token, { nowMs: clock.now(), ttlMs: DAY_MS, description, groups: [NODE_TOKEN_GROUP], usages }), signal)
    context.token = token
    out(
      `[bootstrap-token] configured RBAC rules to allow Node Bootstrap tokens to get nodes\n[bootstrap-token] configured RBAC rules to allow Node Bootstrap tokens to post CSRs in order for nodes to get long term certificate credentials\n[bootstrap-token] configured RBAC rules to allow the csrapprover controller automatically approve CSRs from a Node Bootstrap Token\n[bootstrap-token] configured RBAC rules to allow certificate rotation for all node client certificates in the cluster\n[bootstrap-token] Creating the "cluster-info" ConfigMap in the "kube-public" namespace\n`,
    )
  },
}

const kubeletFinalize: Phase = {
  name: 'kubelet-finalize',
  parts: [],
  run: ({ out }) => {
    out('[kubelet-finalize] Updating "/etc/kubernetes/kubelet.conf" to point to a rotatable kubelet client certificate and key\n')
  },
}

const addon: Phase = {
  name: 'addon',
  parts: ['coredns', 'kube-proxy'],
  run: async ({ out, kubeadm, options, signal }, parts) => {
    if (parts.includes('coredns')) {
      await uploadObjects(options, 'coredns', kubeadm, signal)
      out('[addons] Applied essential addon: CoreDNS\n')
    }
    if (parts.includes('kube-proxy')) {
      await uploadObjects(options, 'kube-proxy', kubeadm, signal)
      out('[addons] Applied essential addon: kube-proxy\n')
    }
  },
}

/** In the order of a release. */
export function initPhases(kubeadm: string): Phase[] {
  const late = minorOfVersion(kubeadm) >= FIRST_WITH_LATE_KUBELET
  const files = late ? [etcd, controlPlane, kubeletStart] : [kubeletStart, controlPlane, etcd]
  return [preflight, certs, kubeconfig, ...files, waitControlPlane, uploadConfig, uploadCertsPhase, mark, bootstrapToken, kubeletFinalize, addon]
}
