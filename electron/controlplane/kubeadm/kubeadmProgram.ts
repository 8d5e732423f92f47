import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { Clock } from '#shared/base/clock.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { minorOfVersion, releaseOf, RELEASES } from '#shared/planning/upgrade/releases.ts'
import { CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, NODES, PODS } from '#electron/client/resources.ts'
import { formatInventory, readInventory } from '#electron/pki/inventory.ts'
import { LEAVES } from '#electron/pki/kubernetesPki.ts'
import { findLeaf, renewCertificate } from '#electron/pki/renewal.ts'
import { coreDnsImage, kubeProxyImage } from './clusterObjects.ts'
import { COMPONENTS, componentImage, manifestText, type Component } from './manifests.ts'
import { KubeadmError, readFlags } from './flags.ts'
import { listImages } from './images.ts'
import { clusterAccess, joinCommand, oneLine } from './joinCommand.ts'
import { kubeconfigUser } from './kubeconfigUser.ts'
import type { NodeProgramsOptions } from './nodePrograms.ts'
import { join as joinCluster } from './join.ts'
import { reset } from './reset.ts'
import { newCertificateKey } from './uploadedCerts.ts'
import { init, initPhase } from './init.ts'
import { readingConfig } from './readingConfig.ts'
import { createToken, deleteTokens, generateToken, listTokens, tokenText } from './tokens.ts'
import { upgradeDiff } from './upgradeDiff.ts'

interface Streams {
  args: string[]
  out(text: string): void
  err(text: string): void
  clock: Clock
  signal: AbortSignal
  input?: { readLine(): Promise<string | null> }
}

/** How long kubeadm waits for the kubelet to run a new manifest. */
const COMPONENT_TIMEOUT_MS = 300_000
const POLL_MS = 100
/** Commands without a second word. */
const ALONE = new Set(['init', 'join', 'reset', 'version'])
const COMMANDS = [
  'version',
  'certs certificate-key|check-expiration|renew',
  'config images list',
  'init',
  'init phase',
  'join',
  'kubeconfig user',
  'reset',
  'token create|delete|generate|list',
  'upgrade plan|apply|node|diff',
]

const SEE_STACK = 'To see the stack trace of this error execute with --v=5 or higher\n'

/** `kubeadm` on a simulated node. @returns the exit code */
export async function runKubeadm(streams: Streams, options: NodeProgramsOptions): Promise<number> {
  try {
    return await runCommand(streams, options)
  } catch (error) {
    if (!(error instanceof KubeadmError)) throw error
    streams.err(`${error.message}\n${SEE_STACK}`)
    return error.exitCode
  }
}

async function runCommand(streams: Streams, options: NodeProgramsOptions): Promise<number> {
  const [command, sub, ...rest] = streams.args
  const version = options.packages.kubernetesVersion('kubeadm')
  const kubernetesDir = join(options.rootDir, 'etc/kubernetes')
  switch (ALONE.has(command ?? '') ? command : `${command ?? ''} ${sub ?? ''}`.trim()) {
    case 'version':
      streams.out(
        streams.args.includes('-o') && streams.args.includes('short')
          ? `${version}\n`
          : `kubeadm version: &version.Info{Major:"1", Minor:"${String(minorOfVersion(version))}", GitVersion:"${version}", Platform:"drydock/simulated"}\n`,
      )
      return 0
    case 'init':
      if (sub === 'phase') await initPhase({ ...streams, args: rest }, options)
      else await init({ ...streams, args: streams.args.slice(1) }, options)
      return 0
    case 'join':
      await joinCluster({ ...streams, args: streams.args.slice(1) }, options)
      return 0
    case 'reset':
      await resetNode(streams, options)
      return 0
    case 'certs certificate-key':
      streams.out(`${newCertificateKey()}\n`)
      return 0
    case 'certs check-expiration':
      streams.out(formatInventory(readInventory(kubernetesDir), streams.clock.now()))
      return 0
    case 'certs renew':
      return renew(streams, kubernetesDir, rest[0] ?? '')
    case 'upgrade plan':
      return plan(streams, options, version)
    case 'upgrade apply':
      return apply(streams, options, version, rest.find((each) => !each.startsWith('-')) ?? '')
    case 'upgrade node':
      return upgradeNode(streams, options, version)
    case 'upgrade diff': {
      if (!options.node.controlPlane) throw new KubeadmError('error execution phase: kubeadm upgrade diff runs on a control-plane node')
      await upgradeDiff(rest, {
        rootDir: options.rootDir,
        kubeadm: version,
        out: streams.out,
        clusterVersion: () => clusterVersion(options, streams.signal),
        isAdopted: options.isAdopted,
        rendered: (component, target) => renderedManifest(component, target, options).text,
      })
      return 0
    }
    case 'config images':
      if (rest[0] !== 'list') return unknown(streams)
      listImages(rest.slice(1), version, streams.out)
      return 0
    case 'kubeconfig user':
    case 'alpha kubeconfig':
      streams.out(
        kubeconfigUser(command === 'alpha' ? rest.slice(1) : rest, {
          rootDir: options.rootDir,
          clusterName: options.manifestOptions.clusterName,
          nowMs: streams.clock.now(),
        }),
      )
      return 0
    case 'token generate':
    case 'token create':
    case 'token list':
    case 'token delete':
      await tokenCommand(sub ?? '', rest, streams, options)
      return 0
    default:
      return unknown(streams)
  }
}

function resetNode({ args, out, input }: Streams, options: NodeProgramsOptions): Promise<void> {
  return reset({ args: args.slice(1), out, readLine: () => input?.readLine() ?? Promise.resolve(null) }, options)
}

function unknown({ err }: Streams): number {
  err(`kubeadm: on simulated nodes these work: ${COMMANDS.join(', ')}\n`)
  return 1
}

async function tokenCommand(
  sub: string,
  args: string[],
  { out, clock, signal }: Streams,
  { admin, random, rootDir, packages }: NodeProgramsOptions,
): Promise<void> {
  if (sub === 'generate') {
    readFlags(args, {})
    out(`${tokenText(generateToken(random))}\n`)
    return
  }
  // Where there is no admin.conf, there is no way to the cluster.
  const access = clusterAccess(rootDir)
  const context = { admin, clock, random, signal, out }
  if (sub === 'list') await listTokens(context)
  else if (sub === 'delete') await deleteTokens(readFlags(args, { switches: ['dry-run'] }).words, context)
  else {
    const { token, join, certificateKey } = await createToken(args, context)
    const controlPlane = certificateKey === null ? null : { certificateKey }
    const command = joinCommand(access, { token: tokenText(token), kubeadm: packages.kubernetesVersion('kubeadm'), controlPlane })
    out(`${join ? oneLine(command) : tokenText(token)}\n`)
  }
}

function renew({ out, err, clock }: Streams, kubernetesDir: string, name: string): number {
  const specs = name === 'all' ? LEAVES : [findLeaf(name)].flatMap((each) => each ?? [])
  if (specs.length === 0) {
    err(`invalid subcommand: "${name}"\n`)
    return 1
  }
  for (const spec of specs) {
    const { longName, result } = renewCertificate(kubernetesDir, spec, { nowMs: clock.now(), algorithm: 'ECDSA-P256' })
    out(result === 'renewed' ? `${longName} renewed\n` : `MISSING! ${longName}\n`)
  }
  if (name === 'all')
    out(
      '\nDone renewing certificates. You must restart the kube-apiserver, kube-controller-manager, kube-scheduler and etcd, so that they can use the new certificates.\n',
    )
  return 0
}

async function clusterVersion({ admin }: NodeProgramsOptions, signal: AbortSignal): Promise<string> {
  const { gitVersion } = (await admin.raw('/version', signal)) as { gitVersion?: string }
  return gitVersion ?? ''
}

async function plan({ out, signal }: Streams, options: NodeProgramsOptions, kubeadm: string): Promise<number> {
  const current = await clusterVersion(options, signal)
  const target = RELEASES.filter(({ version }) => minorOfVersion(version) <= minorOfVersion(kubeadm)).at(-1)?.version ?? kubeadm
  out(
    `[preflight] Running pre-flight checks.\n${readingConfig('upgrade/config', kubeadm)}[upgrade] Running cluster health checks\n[upgrade] Fetching available versions to upgrade to\n[upgrade/versions] Cluster version: ${current}\n[upgrade/versions] kubeadm version: ${kubeadm}\n\n`,
  )
  if (target === current) {
    out("Awesome, you're up-to-date! Enjoy!\n")
    return 0
  }
  const { items: nodes } = await options.admin.list(NODES, {}, signal)
  const rows = [['COMPONENT', 'NODE', 'CURRENT', 'TARGET'], ...nodes.map((node) => ['kubelet', node.metadata.name ?? '', kubeletVersion(node), target])]
  out(
    `Components that must be upgraded manually after you have upgraded the control plane with 'kubeadm upgrade apply':\n${columns(rows)}\nUpgrade to the latest stable version:\n\n`,
  )
  const now = releaseOf(current)
  const next = releaseOf(target)
  const own = options.node.name
  out(
    columns([
      ['COMPONENT', 'NODE', 'CURRENT', 'TARGET'],
      ['kube-apiserver', own, current, target],
      ['kube-controller-manager', own, current, target],
      ['kube-scheduler', own, current, target],
      ['kube-proxy', '', current, target],
      ['CoreDNS', '', now.coredns, next.coredns],
      ['etcd', own, now.etcd, next.etcd],
    ]),
  )
  out(`\nYou can now apply the upgrade by executing the following command:\n\n\tkubeadm upgrade apply ${target}\n\n`)
  return 0
}

/** The manifests of this node, etcd's left out as kubeadm does, against what an upgrade to a version would write. */

function columns(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => (row[index] ?? '').length)))
  return rows.map((row) => `${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd((widths[index] ?? 0) + 3))).join('')}\n`).join('')
}

function kubeletVersion(node: KubeObject): string {
  const status = node['status']
  const info = isObject(status) ? status['nodeInfo'] : undefined
  return isObject(info) && typeof info['kubeletVersion'] === 'string' ? info['kubeletVersion'] : ''
}

async function apply(streams: Streams, options: NodeProgramsOptions, kubeadm: string, target: string): Promise<number> {
  const { out, err, signal } = streams
  const fail = (why: string): number => {
    err(`[upgrade/version] FATAL: the --version argument is invalid due to these fatal errors:\n\n\t- ${why}\n\nPlease fix the errors above before you go on\n`)
    return 1
  }
  if (!/^v1\.\d+\.\d+$/.test(target)) return fail(`Specified version ${JSON.stringify(target)} is no version such as v1.36.4`)
  const current = await clusterVersion(options, signal)
  if (minorOfVersion(target) > minorOfVersion(current) + 1)
    return fail(`Specified version to upgrade to ${JSON.stringify(target)} is too high; kubeadm can upgrade only 1 minor version at a time`)
  if (minorOfVersion(target) < minorOfVersion(current))
    return fail(`Specified version to upgrade to ${JSON.stringify(target)} is lower than the cluster version ${JSON.stringify(current)}`)
  if (minorOfVersion(target) > minorOfVersion(kubeadm) || (minorOfVersion(target) === minorOfVersion(kubeadm) && target > kubeadm))
    return fail(
      `Specified version to upgrade to ${JSON.stringify(target)} is higher than the kubeadm version ${JSON.stringify(kubeadm)}. Upgrade kubeadm first using the tool you used to install kubeadm`,
    )
  if (!options.node.controlPlane) {
    err('error execution phase: kubeadm upgrade apply runs on a control-plane node\n')
    return 1
  }
  out(
    `${readingConfig('upgrade', kubeadm)}[upgrade/preflight] Running preflight checks\n[upgrade] Running cluster health checks\n[upgrade/preflight] You have chosen to upgrade the cluster version to ${JSON.stringify(target)}\n[upgrade/versions] Cluster version: ${current}\n[upgrade/versions] kubeadm version: ${kubeadm}\n`,
  )
  out(`[upgrade/control-plane] Upgrading your static Pod-hosted control plane to version ${JSON.stringify(target)} (timeout: 5m0s)...\n`)
  await upgradeStaticPods(streams, options, target)
  await storeConfiguration(options, target, signal)
  out(
    '[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" in the "kube-system" Namespace\n[kubelet] Creating a ConfigMap "kubelet-config" in namespace kube-system with the configuration for the kubelets in the cluster\n',
  )
  writeKubeletConfig(streams, options)
  await upgradeAddons(options, target, signal)
  out('[upgrade/addon] Applied essential addon: CoreDNS\n[upgrade/addon] Applied essential addon: kube-proxy\n')
  out(
    `\n[upgrade] SUCCESS! A control plane node of your cluster was upgraded to ${JSON.stringify(target)}.\n\n[upgrade] Now please proceed with upgrading the rest of the nodes by following the right order.\n`,
  )
  return 0
}

async function upgradeNode(streams: Streams, options: NodeProgramsOptions, kubeadm: string): Promise<number> {
  const { out, signal } = streams
  out(`${readingConfig('upgrade', kubeadm)}[upgrade/preflight] Running pre-flight checks\n`)
  if (options.node.controlPlane) await upgradeStaticPods(streams, options, await clusterVersion(options, signal))
  else out('[upgrade/preflight] Skipping prepull. Not a control plane node.\n[upgrade/control-plane] Skipping phase. Not a control plane node.\n')
  writeKubeletConfig(streams, options)
  out(
    `[upgrade] The configuration for this node was successfully updated!\n[upgrade] Now you should go ahead and upgrade the kubelet package using your package manager.\n`,
  )
  return 0
}

/** Certificates each component's manifest is renewed with. */
const RENEWED: Readonly<Record<Component, readonly string[]>> = {
  etcd: ['etcd-server', 'etcd-peer', 'etcd-healthcheck-client'],
  'kube-apiserver': ['apiserver', 'apiserver-kubelet-client', 'front-proxy-client', 'apiserver-etcd-client'],
  'kube-controller-manager': ['controller-manager.conf'],
  'kube-scheduler': ['scheduler.conf'],
}

async function upgradeStaticPods(streams: Streams, options: NodeProgramsOptions, target: string): Promise<void> {
  const { out, clock } = streams
  const manifests = join(options.rootDir, 'etc/kubernetes/manifests')
  const backup = `/etc/kubernetes/tmp/kubeadm-backup-manifests-${new Date(clock.now()).toISOString().slice(0, 19).replace(/[T:]/g, '-')}`
  mkdirSync(join(options.rootDir, backup), { recursive: true })
  for (const component of COMPONENTS) {
    const file = join(manifests, `${component}.yaml`)
    out(`[upgrade/staticpods] Preparing for ${JSON.stringify(component)} upgrade\n`)
    const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const { text, image } = renderedManifest(component, target, options)
    if (before === text) {
      out(`[upgrade/staticpods] Current and new manifests of ${component} are equal, skipping upgrade\n`)
      continue
    }
    for (const name of RENEWED[component]) {
      const spec = findLeaf(name)
      if (spec === undefined) continue
      out(`[upgrade/staticpods] Renewing ${name} certificate\n`)
      renewCertificate(join(options.rootDir, 'etc/kubernetes'), spec, { nowMs: clock.now(), algorithm: 'ECDSA-P256' })
    }
    if (existsSync(file)) copyFileSync(file, join(options.rootDir, backup, `${component}.yaml`))
    writeFileSync(file, text, { mode: 0o600 })
    out(
      `[upgrade/staticpods] Moving new manifest to "/etc/kubernetes/manifests/${component}.yaml" and backing up old manifest to "${backup}/${component}.yaml"\n[upgrade/staticpods] Waiting for the kubelet to restart the component\n[upgrade/staticpods] This can take up to 5m0s\n`,
    )
    await waitForComponent(streams, options, component, image)
    out(
      `[apiclient] Found 1 Pods for label selector component=${component}\n[upgrade/staticpods] Component ${JSON.stringify(component)} upgraded successfully!\n`,
    )
  }
}

const isInTable = (target: string): boolean => RELEASES.some(({ version }) => minorOfVersion(version) === minorOfVersion(target))

/** What an upgrade to a version writes. */
function renderedManifest(component: Component, target: string, options: NodeProgramsOptions): { text: string; image: string } {
  const file = join(options.rootDir, 'etc/kubernetes/manifests', `${component}.yaml`)
  const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const image = imageFor(component, target, { options, before })
  const text = manifestText(component, { ...options.manifestOptions, kubernetesVersion: target })
  return { text: text.replace(/^( +image: ).*$/m, `$1${image}`), image }
}

/** The image of a component at a version. Which etcd a release outside the table brings is not known: then the one that runs stays. */
function imageFor(component: Component, target: string, { options, before }: { options: NodeProgramsOptions; before: string }): string {
  const running = /^ +image: (\S+)$/m.exec(before)?.[1]
  return component === 'etcd' && !isInTable(target) && running !== undefined
    ? running
    : componentImage(component, target, options.manifestOptions.imageRepository)
}

async function waitForComponent({ clock, signal }: Streams, { admin, node }: NodeProgramsOptions, component: Component, image: string): Promise<void> {
  const deadlineMs = clock.now() + COMPONENT_TIMEOUT_MS
  for (;;) {
    const pod = await admin.get(PODS, { namespace: 'kube-system', name: `${component}-${node.name}` }, signal).catch(() => null)
    if (pod !== null && runs(pod, image)) return
    if (clock.now() > deadlineMs)
      throw new Error(
        `[upgrade/apply] FATAL: couldn't upgrade control plane. kubeadm has tried to recover everything into the earlier state. Errors faced: timed out waiting for the condition (${component})`,
      )
    await clock.sleep(POLL_MS, { signal })
  }
}

/** As kubeadm: the kubelet has taken the manifest, and the pod's phase is Running, as it is too when its container ends again and again. */
function runs(pod: KubeObject, image: string): boolean {
  const status = isObject(pod['status']) ? pod['status'] : {}
  const spec = isObject(pod['spec']) ? pod['spec'] : {}
  const containers = Array.isArray(spec['containers']) ? spec['containers'].filter(isObject) : []
  const statuses = Array.isArray(status['containerStatuses']) ? status['containerStatuses'].filter(isObject) : []
  return (
    status['phase'] === 'Running' &&
    containers.some((each) => each['image'] === image) &&
    statuses.length > 0 &&
    statuses.every((each) => each['image'] === image)
  )
}

async function storeConfiguration({ admin }: NodeProgramsOptions, target: string, signal: AbortSignal): Promise<void> {
  const map = await admin.get(CONFIG_MAPS, { namespace: 'kube-system', name: 'kubeadm-config' }, signal)
  const data = isObject(map['data']) ? map['data'] : {}
  const parsed = parse(String(data['ClusterConfiguration'] ?? '{}')) as Record<string, unknown>
  const text = stringify({ ...parsed, kubernetesVersion: target })
  await admin.patch(CONFIG_MAPS, { namespace: 'kube-system', name: 'kubeadm-config' }, { data: { ClusterConfiguration: text } }, { type: 'merge' }, signal)
}

function writeKubeletConfig({ out }: Streams, { rootDir }: NodeProgramsOptions): void {
  const file = join(rootDir, 'var/lib/kubelet/config.yaml')
  const backups = readdirSync(join(rootDir, 'etc/kubernetes')).includes('tmp') ? join(rootDir, 'etc/kubernetes/tmp') : null
  if (backups !== null && existsSync(file)) copyFileSync(file, join(backups, 'kubelet-config.yaml'))
  out('[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"\n')
  if (existsSync(file)) writeFileSync(file, readFileSync(file))
}

async function upgradeAddons({ admin }: NodeProgramsOptions, target: string, signal: AbortSignal): Promise<void> {
  const image = (name: string, value: string): object => ({ spec: { template: { spec: { containers: [{ name, image: value }] } } } })
  await admin.patch(DAEMON_SETS, { namespace: 'kube-system', name: 'kube-proxy' }, image('kube-proxy', kubeProxyImage(target)), { type: 'strategic' }, signal)
  // Which CoreDNS a release outside the table brings is not known: then the one that runs stays.
  if (isInTable(target))
    await admin.patch(DEPLOYMENTS, { namespace: 'kube-system', name: 'coredns' }, image('coredns', coreDnsImage(target)), { type: 'strategic' }, signal)
}
