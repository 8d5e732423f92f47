import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '#shared/base/clock.ts'
import type { Random } from '#shared/base/random.ts'
import { isReleased, RELEASES, minorOfVersion } from '#shared/planning/upgrade/releases.ts'
import type { RestClient } from '#electron/client/restClient.ts'
import type { ManifestOptions } from './manifests.ts'
import type { Packages } from './packages.ts'
import { runKubeadm } from './kubeadmProgram.ts'

// The shapes of the kubelet room's programs and kubelet, as far as programs on a node need them.

interface ProgramContext {
  args: string[]
  out(text: string): void
  err(text: string): void
  clock: Clock
  signal: AbortSignal
  input?: { readLine(): Promise<string | null> }
  spawn?(argv: string[]): Promise<number>
}
type Program = (context: ProgramContext) => Promise<number> | number

interface NodeContainer {
  container: { name: string; image: string }
  status: { containerID?: string; restartCount: number }
  current: { startedAtMs: number; log: { tail(count: number): string } } | null
}

/** The node agent that systemctl and crictl speak to. */
export interface NodeService {
  readonly isRunning: boolean
  startService(): Promise<void>
  stopService(): Promise<void>
  /** Ends every container at once, as somebody who removes them behind the kubelet's back. */
  removeContainers(): Promise<void>
  images(): { names: string[]; sizeBytes: number }[]
  tagImage(image: string, name: string): boolean
  pods: { workers(): { pod: { metadata: { name?: string; namespace?: string; uid?: string } }; containers: readonly NodeContainer[] }[] }
}

export interface NodeProgramsOptions {
  node: { name: string; controlPlane: boolean }
  kubelet: NodeService
  packages: Packages
  admin: RestClient
  manifestOptions: ManifestOptions
  clock: Clock
  random: Random
  /** The node's `/` on this machine's disk. */
  rootDir: string
  units: TransientUnits
  /** `https://127.0.0.1:PORT` */
  apiUrl: string
  /** Whether the cluster's API server and etcd live and die with this node. */
  hostsApiServer: boolean
  /** Whether a manifest stands, unchanged, for a pod of the cluster that this one was made from. */
  isAdopted(file: string): boolean
}

/** Commands that `systemd-run` has started: they outlive the session they were started from. */
export interface TransientUnits {
  isActive(unit: string): boolean
  /** @returns false when a unit of the name is running */
  start(unit: string, argv: string[]): boolean
}

/** Every call of a program of this table, a line each: time, program and arguments. */
const COMMAND_LOG = 'var/log/commands.log'

const KUBERNETES_PACKAGES = new Set(['kubeadm', 'kubelet', 'kubectl'])

/** What operators type on a node of a kubeadm cluster. */
export function nodePrograms(options: NodeProgramsOptions): [string, Program][] {
  const { packages, kubelet, units } = options
  const programs: [string, Program][] = [
    ['kubeadm', (context) => runKubeadm(context, options)],
    ['apt-mark', (context) => aptMark(context, packages)],
    ['apt-get', (context) => aptGet(context, packages)],
    ['apt', (context) => aptGet(context, packages)],
    ['apt-cache', (context) => aptCache(context, packages)],
    [
      'dpkg',
      ({ args, out }) => {
        if (args[0] !== '-l') return 1
        for (const { name, version, held } of packages.list()) out(`${held ? 'hi' : 'ii'}  ${name.padEnd(20)} ${version.padEnd(16)} amd64\n`)
        return 0
      },
    ],
    ['systemctl', (context) => systemctl(context, options)],
    ['systemd-run', (context) => systemdRun(context, units)],
    ['journalctl', (context) => journalctl(context, options)],
    ['crictl', (context) => crictl(context, kubelet)],
    ['ctr', (context) => ctr(context, kubelet)],
    [
      'kubelet',
      ({ args, out }) => {
        if (!args.includes('--version')) return 1
        out(`Kubernetes ${packages.kubernetesVersion('kubelet')}\n`)
        return 0
      },
    ],
  ]
  return [
    ...programs.map(([name, program]): [string, Program] => [name, (context) => (record(options, [name, ...context.args]), program(context))]),
    ['sudo', (context) => sudo(context, options)],
  ]
}

/** Who may become root without a password, as sudo reads it. */
export const SUDOERS = 'etc/sudoers.d/90-drydock'

/** The node's user is root already; whether SSH's user may become root is what the file says. */
function sudo({ args, err, spawn }: ProgramContext, { rootDir }: NodeProgramsOptions): Promise<number> | number {
  const file = join(rootDir, SUDOERS)
  if (!existsSync(file) || !readFileSync(file, 'utf8').includes('NOPASSWD')) {
    err('sudo: a password is required\n')
    return 1
  }
  const first = args.findIndex((arg) => !arg.startsWith('-'))
  if (first >= 0 && spawn !== undefined) return spawn(args.slice(first))
  err('usage: sudo [-n] command\n')
  return 1
}

function record({ rootDir, clock }: NodeProgramsOptions, argv: readonly string[]): void {
  const file = join(rootDir, COMMAND_LOG)
  mkdirSync(dirname(file), { recursive: true })
  appendFileSync(file, `${new Date(clock.now()).toISOString()} ${argv.join(' ')}\n`)
}

/** `systemd-run --unit=NAME COMMAND…`, other options without effect. */
function systemdRun({ args, err }: ProgramContext, units: TransientUnits): number {
  const first = args.findIndex((arg) => !arg.startsWith('-'))
  const unit = args.find((arg) => arg.startsWith('--unit='))?.slice('--unit='.length) ?? ''
  if (first < 0 || unit === '') {
    err('systemd-run: on simulated nodes it takes --unit=NAME and a command\n')
    return 1
  }
  if (units.start(unit, args.slice(first))) return 0
  err(`Failed to start transient service unit: Unit ${unit}.service was already loaded or has a fragment file.\n`)
  return 1
}

function aptMark({ args, out, err }: ProgramContext, packages: Packages): number {
  const [action, ...names] = args
  if (action === 'showhold') {
    for (const { name, held } of packages.list()) if (held) out(`${name}\n`)
    return 0
  }
  if (action !== 'hold' && action !== 'unhold') {
    err(`E: Invalid operation ${action ?? ''}\n`)
    return 1
  }
  for (const name of names) {
    const known = packages.find(name)
    if (known === undefined) {
      err(`E: Unable to locate package ${name}\n`)
      return 100
    }
    const held = action === 'hold'
    if (known.held === held) out(held ? `${name} was already set on hold.\n` : `${name} was already not on hold.\n`)
    else out(held ? `${name} set on hold.\n` : `Canceled hold on ${name}.\n`)
    packages.put({ ...known, held })
  }
  return 0
}

/** Versions the package repository has: every known release, and what is installed. */
function available(packages: Packages): string[] {
  const installed = [...KUBERNETES_PACKAGES].map((name) => packages.find(name)?.version ?? '').filter((version) => version !== '')
  return [...new Set([...RELEASES.map(({ version }) => `${version.slice(1)}-1.1`), ...installed])].sort(
    (a, b) => minorOfVersion(b) - minorOfVersion(a) || (a < b ? 1 : -1),
  )
}

function aptGet({ args, out, err }: ProgramContext, packages: Packages): number {
  const words = args.filter((each) => !each.startsWith('-'))
  const [action, ...wanted] = words
  if (action === 'update') {
    out('Hit:1 https://pkgs.k8s.io/core:/stable:/deb  InRelease\nReading package lists...\n')
    return 0
  }
  if (action !== 'install' && action !== 'upgrade') {
    err(`E: Invalid operation ${action ?? ''}\n`)
    return 100
  }
  out('Reading package lists...\nBuilding dependency tree...\nReading state information...\n')
  const changes: { name: string; version: string; before: string }[] = []
  for (const word of wanted) {
    const [name = '', pattern] = word.split('=', 2)
    const known = packages.find(name)
    if (known === undefined) {
      err(`E: Unable to locate package ${name}\n`)
      return 100
    }
    const matching = new RegExp(`^${(pattern ?? '*').replace(/[.+]/g, '\\$&').replaceAll('*', '.*')}$`)
    const asked = /^(1\.\d+\.\d+)-(?:\*|1\.1)$/.exec(pattern ?? '')?.[1]
    const version = available(packages).find((each) => matching.test(each)) ?? (asked !== undefined && isReleased(asked) ? `${asked}-1.1` : undefined)
    if (version === undefined) {
      err(`E: Version '${pattern ?? ''}' for '${name}' was not found\n`)
      return 100
    }
    if (known.held && known.version !== version && !args.includes('--allow-change-held-packages')) {
      err('E: Held packages were changed and -y was used without --allow-change-held-packages.\n')
      return 100
    }
    if (known.version === version) out(`${name} is already the newest version (${version}).\n`)
    else changes.push({ name, version, before: known.version })
  }
  out(
    changes.length === 0
      ? '0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n'
      : `The following packages will be upgraded:\n  ${changes.map(({ name }) => name).join(' ')}\n${String(changes.length)} upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n`,
  )
  for (const { name, version, before } of changes) {
    out(`Preparing to unpack .../${name}_${version}_amd64.deb ...\nUnpacking ${name} (${version}) over (${before}) ...\nSetting up ${name} (${version}) ...\n`)
    const known = packages.find(name)
    packages.put({ name, version, held: known?.held ?? false })
  }
  return 0
}

function aptCache({ args, out, err }: ProgramContext, packages: Packages): number {
  const [action, name = ''] = args
  if (action !== 'madison' && action !== 'policy') {
    err(`E: Invalid operation ${action ?? ''}\n`)
    return 100
  }
  if (!KUBERNETES_PACKAGES.has(name)) return 0
  for (const version of available(packages)) out(`   ${name} | ${version} | https://pkgs.k8s.io/core:/stable:/deb  Packages\n`)
  return 0
}

async function systemctl({ args, out, err }: ProgramContext, { kubelet, units }: NodeProgramsOptions): Promise<number> {
  const [action = '', unit = ''] = args.filter((each) => !each.startsWith('-'))
  if (action === 'daemon-reload') return 0
  const name = unit.replace(/\.service$/, '')
  if (action === 'is-active' && units.isActive(name)) {
    out('active\n')
    return 0
  }
  if (name !== 'kubelet' && name !== 'containerd') {
    err(`Failed to ${action} ${name}.service: Unit ${name}.service not found.\n`)
    return 5
  }
  const active = name === 'containerd' || kubelet.isRunning
  switch (action) {
    case 'is-active':
      out(active ? 'active\n' : 'inactive\n')
      return active ? 0 : 3
    case 'is-enabled':
      out('enabled\n')
      return 0
    case 'status':
      out(
        `● ${name}.service - ${name === 'kubelet' ? 'kubelet: The Kubernetes Node Agent' : 'containerd container runtime'} (simulated by Drydock)\n     Loaded: loaded (/usr/lib/systemd/system/${name}.service; enabled; preset: enabled)\n     Active: ${active ? 'active (running)' : 'inactive (dead)'}\n`,
      )
      return active ? 0 : 3
    case 'start':
      if (name === 'kubelet') await kubelet.startService()
      return 0
    case 'stop':
      if (name === 'kubelet') await kubelet.stopService()
      return 0
    case 'restart':
      if (name !== 'kubelet') return 0
      await kubelet.stopService()
      await kubelet.startService()
      return 0
    case 'enable':
    case 'disable':
      return 0
    default:
      err(`Unknown command verb ${action}.\n`)
      return 1
  }
}

/** The last lines of the node's containers stand for the journal; a kubelet process that writes one does not exist. */
function journalctl({ args, out }: ProgramContext, { node, kubelet, packages, clock }: NodeProgramsOptions): number {
  const unitAt = args.findIndex((each) => each === '-u' || each === '--unit')
  const unit = (args[unitAt + 1] ?? '').replace(/\.service$/, '')
  const stamp = `${new Date(clock.now()).toUTCString().slice(8, 11)} ${new Date(clock.now()).toISOString().slice(8, 10)} ${new Date(clock.now()).toISOString().slice(11, 19)}`
  if (unitAt < 0 || unit !== 'kubelet') {
    out('-- No entries --\n')
    return 0
  }
  out(
    `${stamp} ${node.name} kubelet[1]: "Kubelet version" kubeletVersion="${packages.kubernetesVersion('kubelet')}" (simulated by Drydock: state now, no history)\n`,
  )
  for (const { pod, containers } of kubelet.pods.workers())
    for (const { container, current } of containers)
      out(
        `${stamp} ${node.name} kubelet[1]: pod="${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''}" container="${container.name}" ${current === null ? 'not running' : 'running'}\n`,
      )
  return 0
}

/** `ctr -n k8s.io images ls -q` and `images tag [--force] IMAGE NAME`. */
function ctr({ args, out, err }: ProgramContext, kubelet: NodeService): number {
  const words = args.filter((each, index) => !each.startsWith('-') && args[index - 1] !== '-n')
  const [group, action, image = '', name = ''] = words
  if (group === 'images' && action === 'ls') {
    for (const { names } of kubelet.images()) out(`${names.at(-1) ?? ''}\n`)
    return 0
  }
  if (group !== 'images' || action !== 'tag' || name === '') {
    err('ctr: on simulated nodes these work: images ls -q, images tag [--force] IMAGE NAME\n')
    return 1
  }
  if (!kubelet.tagImage(image, name)) {
    err(`ctr: image "${image}": not found\n`)
    return 1
  }
  out(`${name}\n`)
  return 0
}

function crictl({ args, out, err }: ProgramContext, kubelet: NodeService): number {
  const words = args.filter((each) => !each.startsWith('-'))
  const idOf = (one: NodeContainer): string => (one.status.containerID ?? '').replace(/^.*\/\//, '').slice(0, 13)
  const all = kubelet.pods.workers().flatMap(({ pod, containers }) => containers.map((one) => ({ pod, one })))
  switch (words[0]) {
    case 'ps': {
      out(`${'CONTAINER'.padEnd(20)}${'IMAGE'.padEnd(50)}${'STATE'.padEnd(12)}${'NAME'.padEnd(26)}${'ATTEMPT'.padEnd(10)}POD\n`)
      for (const { pod, one } of all) {
        if (one.current === null && !args.includes('-a')) continue
        out(
          `${idOf(one).padEnd(20)}${one.container.image.padEnd(50)}${(one.current === null ? 'Exited' : 'Running').padEnd(12)}${one.container.name.padEnd(26)}${String(one.status.restartCount).padEnd(10)}${pod.metadata.name ?? ''}\n`,
        )
      }
      return 0
    }
    case 'pods':
      out(`${'POD ID'.padEnd(20)}${'STATE'.padEnd(10)}${'NAME'.padEnd(50)}NAMESPACE\n`)
      for (const { pod } of kubelet.pods.workers())
        out(
          `${(pod.metadata.uid ?? '').replaceAll('-', '').slice(0, 13).padEnd(20)}${'Ready'.padEnd(10)}${(pod.metadata.name ?? '').padEnd(50)}${pod.metadata.namespace ?? ''}\n`,
        )
      return 0
    case 'images':
      out(`${'IMAGE'.padEnd(60)}SIZE\n`)
      for (const { names, sizeBytes } of kubelet.images()) out(`${(names.at(-1) ?? '').padEnd(60)}${(sizeBytes / 1e6).toFixed(1)}MB\n`)
      return 0
    case 'logs': {
      const found = all.find(({ one }) => words[1] !== undefined && (one.status.containerID ?? '').replace(/^.*\/\//, '').startsWith(words[1]))
      if (found?.one.current === undefined || found.one.current === null) {
        err(`E0000 log.go: "ContainerStatus from runtime service failed" err="container with ID starting with ${words[1] ?? ''} not found"\n`)
        return 1
      }
      out(`${found.one.current.log.tail(10_000)}\n`)
      return 0
    }
    default:
      err('crictl: only ps, pods, images and logs work on simulated nodes\n')
      return 1
  }
}
