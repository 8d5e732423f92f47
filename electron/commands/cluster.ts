import { randomBytes } from 'node:crypto'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { AdjustableClock } from '#shared/base/adjustableClock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { readApiServerSettings, type ApiServerFlags } from '#electron/controlplane/apiserver/settingsFiles.ts'
import type { ControlPlaneOptions } from '#electron/controlplane/interface.ts'
import { startControlPlane } from '#electron/controlplane/controlPlane.ts'
import { Supervisor, superviseProcess } from '#electron/controlplane/supervisor.ts'
import { addApiServerFlags } from './apiServerFlags.ts'
import { stderrLogger } from './stderrLogger.ts'

interface Options extends ApiServerFlags {
  dataDir?: string
  port: number
  etcdPort: number
  sshPort: number
  dnsPort: number
  nodes: number
  controlPlaneNodes: number
  kubernetesVersion: string
  clusterName: string
  readOnly: boolean
  timeScale: number
  seed?: number
  logLevel: string
  stopWithParent: boolean
  etcdServers?: string
  cacert?: string
  cert?: string
  key?: string
  fromSnapshot?: string
  revision?: number
}

/** A whole number in a range. @throws Error that names the option */
function whole(name: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < least || value > most)
      throw new Error(`${name} must be a whole number from ${String(least)} to ${String(most)}, not ${JSON.stringify(text)}`)
    return value
  }
}

function version(text: string): string {
  const full = /^v?(1\.\d+)(\.\d+)?$/.exec(text)
  if (full === null) throw new Error(`--kubernetes-version must be a version such as v1.36.4, not ${JSON.stringify(text)}`)
  return `v${full[1] ?? ''}${full[2] ?? '.0'}`
}

/** `drydock cluster`: the embedded control plane alone. */
export function register(program: Command): void {
  const command = program
    .command('cluster')
    .description('run the embedded control plane alone, with simulated nodes')
    .option('--data-dir <dir>', 'where the cluster keeps everything (default: ~/.local/share/drydock/cluster)')
    .option('--port <n>', 'port of the Kubernetes API on 127.0.0.1, 0 = any', whole('--port', 0, 65_535), 6443)
    .option('--etcd-port <n>', 'port of the etcd API on 127.0.0.1, 0 = any', whole('--etcd-port', 0, 65_535), 0)
    .option('--ssh-port <n>', "port of the nodes' SSH on 127.0.0.1, 0 = any", whole('--ssh-port', 0, 65_535), 0)
    .option('--dns-port <n>', "port of the cluster's DNS on 127.0.0.1, UDP and TCP, 0 = any", whole('--dns-port', 0, 65_535), 0)
    .option('--nodes <n>', 'number of nodes, the first is the control plane; 0 for another API server on an etcd that has them', whole('--nodes', 0, 5000), 3)
    .option('--control-plane-nodes <n>', 'how many of them are control-plane nodes', whole('--control-plane-nodes', 1, 9), 1)
    .option('--kubernetes-version <version>', 'release to serve, of a new cluster', version, 'v1.36.4')
    .option('--cluster-name <name>', 'name in kubeconfig files', 'drydock')
    .option('--time-scale <x>', "how many times faster the cluster's clock runs", Number, 1)
    .option('--seed <n>', 'seed of names and simulated behaviour', whole('--seed', 0, 2 ** 32 - 1))
    .option('--read-only', 'refuse every write', false)
    .option('--log-level <level>', 'debug, info, warn or error, on stderr', 'warn')
    .option('--stop-with-parent', 'end when standard input ends', false)
    .option('--etcd-servers <urls>', 'members of an existing etcd to keep everything in, comma-separated, in place of an own one')
    .option('--cacert <file>', 'CA of the existing etcd')
    .option('--cert <file>', 'client certificate for the existing etcd')
    .option('--key <file>', 'key of that certificate')
    .option('--from-snapshot <file>', 'begin with an etcd snapshot; with --read-only nothing in it moves')
    .option('--revision <n>', 'with --from-snapshot and --read-only: the cluster as it was at this revision', whole('--revision', 1, Number.MAX_SAFE_INTEGER))
  addApiServerFlags(command).action(async (options: Options) => {
    await run(options)
  })
}

/** @throws Error when TLS files are given without an etcd to use them for */
function etcdOf({ etcdServers, cacert, cert, key }: Options): Pick<ControlPlaneOptions, 'etcd'> {
  if (etcdServers === undefined) {
    if (cacert !== undefined || cert !== undefined || key !== undefined) throw new Error('--cacert, --cert and --key are of the etcd that --etcd-servers names')
    return {}
  }
  if ((cert === undefined) !== (key === undefined)) throw new Error('--cert and --key belong together: give both or neither')
  const endpoints = etcdServers.split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()]))
  return {
    etcd: {
      endpoints,
      ...(cacert === undefined ? {} : { caFile: resolve(cacert) }),
      ...(cert === undefined || key === undefined ? {} : { certFile: resolve(cert), keyFile: resolve(key) }),
    },
  }
}

async function run(options: Options): Promise<void> {
  if (!Number.isFinite(options.timeScale) || options.timeScale <= 0) throw new Error('--time-scale must be a number above 0')
  // Without any node there is none of the control plane either.
  const controlPlane = options.nodes === 0 ? 0 : options.controlPlaneNodes
  if (controlPlane > options.nodes) throw new Error(`--control-plane-nodes ${String(controlPlane)} is more than --nodes ${String(options.nodes)}`)
  if (options.revision !== undefined && (options.fromSnapshot === undefined || !options.readOnly))
    throw new Error('--revision shows the past of a snapshot: give --from-snapshot FILE and --read-only with it')
  const logger = stderrLogger(options.logLevel)
  const clock = new AdjustableClock(options.timeScale)
  const supervisor = new Supervisor({ clock, logger })
  superviseProcess(process, supervisor, (error) => {
    logger.error('an error outside of every simulated part ends the cluster', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    process.exit(1)
  })
  const cluster = await startControlPlane({
    dataDir: resolve(options.dataDir ?? join(homedir(), '.local/share/drydock/cluster')),
    apiPort: options.port,
    etcdPort: options.etcdPort,
    sshPort: options.sshPort,
    dnsPort: options.dnsPort,
    nodes: { controlPlane, workers: options.nodes - controlPlane },
    kubernetesVersion: options.kubernetesVersion,
    clusterName: options.clusterName,
    clock,
    clockControl: clock,
    random: new SeededRandom(options.seed ?? randomBytes(4).readUInt32LE()),
    logger,
    supervisor,
    readOnly: options.readOnly,
    ...etcdOf(options),
    ...(options.fromSnapshot === undefined ? {} : { fromSnapshot: resolve(options.fromSnapshot) }),
    ...(options.revision === undefined ? {} : { atRevision: options.revision }),
    apiServer: readApiServerSettings(options),
  })
  process.stdout.write(
    `drydock: cluster ready ${cluster.apiUrl} kubeconfig=${cluster.kubeconfigPath} etcd=${cluster.etcdUrl} pki=${cluster.pkiDir} ssh=${cluster.ssh.host}:${String(cluster.ssh.port)} ssh-key=${cluster.ssh.keyFile}\n`,
  )
  process.stderr.write(`drydock: cluster dns ${cluster.dns.host}:${String(cluster.dns.port)}\n`)
  await new Promise<void>((done) => {
    process.once('SIGINT', () => {
      done()
    })
    process.once('SIGTERM', () => {
      done()
    })
    if (options.stopWithParent) {
      process.stdin.resume()
      process.stdin.once('end', () => {
        done()
      })
      process.stdin.once('error', () => {
        done()
      })
    }
  })
  process.stdin.pause()
  await cluster.stop()
}
