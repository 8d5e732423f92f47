import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newKey } from '#electron/controlplane/nodeSsh.ts'
import { writeManifests } from '#electron/controlplane/kubeadm/manifests.ts'
import { ensureKubernetesPki } from '#electron/pki/kubernetesPki.ts'
import { hasProgram, runProgram, type CommandResult } from '../peers.ts'
import { writePrograms } from './programs.ts'
import { CONTAINERS, type KubeletSettings } from './settings.ts'

const kubelet = fileURLToPath(new URL('./kubelet.ts', import.meta.url))
const SSHD = '/usr/sbin/sshd'
/** Of a network that only the node has. */
const ADDRESS = '10.77.0.11'
const SERVICES = '10.96.0.0/12'

/**
 * A control-plane node with kubeadm's files, whose static pods are real programs of the machine, in namespaces of its own: /etc, /var/lib,
 * root's home, loopback and processes are not the machine's. Its kubelet is a small one (kubelet.ts); systemd and the container runtime are scripts that
 * know what runbooks ask of them.
 */
export interface RealNode {
  name: string
  kubeconfig: string
  /** `127.0.0.1:PORT` */
  ssh: string
  sshKey: string
  /** Type and key. */
  hostKey: string
  kubectl(args: string[], options?: { input?: string; timeoutMs?: number }): Promise<CommandResult>
  /** A command line on the node, as root. */
  run(command: string): Promise<CommandResult>
  /** Names of the units that were started there, in order. */
  units(): string[]
  stop(): Promise<void>
}

export interface RealNodeOptions {
  directory: string
  name: string
  kubernetesVersion: string
  /** Folder of kube-apiserver, kube-controller-manager and kube-scheduler of that version. */
  bin: string
  etcd: string
  /** MiB of the disk that holds /var/lib. @default the machine's own */
  diskMiB?: number
}

/** Whether this user may make such a node. */
export async function canHaveNode(): Promise<boolean> {
  const { code } = await runProgram('unshare', ['-m', '-n', '-p', '--fork', 'true'])
  return code === 0 && process.getuid?.() === 0 && existsSync(SSHD) && ['ip', 'nsenter', 'kubectl'].every(hasProgram)
}

function writeFiles({ directory, name, kubernetesVersion }: RealNodeOptions, authorizedKey: string, hostKey: string): void {
  const kubernetesDir = join(directory, 'etc/kubernetes')
  for (const each of ['etc/kubernetes', 'etc-work', 'var-lib', 'bin']) mkdirSync(join(directory, each), { recursive: true })
  ensureKubernetesPki({
    kubernetesDir,
    nodeName: name,
    advertiseAddress: ADDRESS,
    serviceAddress: '10.96.0.1',
    dnsDomain: 'cluster.local',
    clusterName: 'kubernetes',
    apiUrl: 'https://127.0.0.1:6443',
    certSans: ['localhost', '127.0.0.1'],
    algorithm: 'ECDSA-P256',
    nowMs: Date.now(),
    superAdmin: true,
  })
  writeManifests(kubernetesDir, {
    kubernetesVersion,
    nodeName: name,
    advertiseAddress: ADDRESS,
    clusterName: 'kubernetes',
    serviceSubnet: SERVICES,
    podSubnet: '10.244.0.0/16',
  })
  writePrograms(join(directory, 'bin'), { units: '/run/units', unitLog: join(directory, 'units.log'), containers: CONTAINERS })
  writeFileSync(join(directory, 'host'), hostKey, { mode: 0o600 })
  writeFileSync(join(directory, 'authorized_keys'), `${authorizedKey}\n`)
  const sshdConfig = [
    ...[`HostKey ${join(directory, 'host')}`, `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`, 'StrictModes no', 'UsePAM no'],
    ...['PasswordAuthentication no', 'PermitRootLogin prohibit-password', 'PidFile none'],
    ...['SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  ]
  writeFileSync(join(directory, 'sshd_config'), `${sshdConfig.join('\n')}\n`)
}

/** Starts the node, whose API server is not ready yet then. */
export async function startRealNode(options: RealNodeOptions): Promise<RealNode> {
  const { directory, name, bin, etcd, diskMiB } = options
  const [key, host] = [newKey('client'), newKey('host')]
  writeFiles(options, key.public, host.private)
  const settings: KubeletSettings = {
    nodeName: name,
    address: ADDRESS,
    programs: { etcd, ...Object.fromEntries(['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map((each) => [each, join(bin, each)])) },
    sshd: SSHD,
    sshdConfig: join(directory, 'sshd_config'),
    sshSocket: join(directory, 'ssh.sock'),
    apiSocket: join(directory, 'api.sock'),
  }
  // The shell stays, as the first process of its namespace: it takes in what others leave behind.
  const init = `set -e; dir=$1; shift
mount -t tmpfs tmpfs /run; mkdir /run/sshd; mount -t tmpfs tmpfs /root
mount -t overlay -o "lowerdir=/etc,upperdir=$dir/etc,workdir=$dir/etc-work" overlay /etc
${diskMiB === undefined ? 'mount --bind "$dir/var-lib" /var/lib' : `mount -t tmpfs -o size=${String(diskMiB)}m tmpfs /var/lib`}
mount --bind "$dir/bin" /usr/local/sbin
ip link set lo up; ip address add ${ADDRESS}/32 dev lo
"$@"; exit $?`
  const holder = spawn(
    'unshare',
    [
      ...['-m', '-n', '-p', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', init, 'sh', directory],
      ...[process.execPath, '--disable-warning=ExperimentalWarning', kubelet, JSON.stringify(settings)],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const [ssh, api] = [await forwarder(settings.sshSocket), await forwarder(settings.apiSocket)]
  const portOf = (server: Server): string => String((server.address() as AddressInfo).port)
  const kubeconfig = join(directory, 'admin.conf')
  writeFileSync(kubeconfig, readFileSync(join(directory, 'etc/kubernetes/super-admin.conf'), 'utf8').replace('127.0.0.1:6443', `127.0.0.1:${portOf(api)}`))
  const sshKey = join(directory, 'id_ed25519')
  writeFileSync(sshKey, key.private, { mode: 0o600 })
  return {
    name,
    kubeconfig,
    ssh: `127.0.0.1:${portOf(ssh)}`,
    sshKey,
    hostKey: host.public.split(' ').slice(0, 2).join(' '),
    kubectl: (args, more = {}) =>
      runProgram('kubectl', ['--kubeconfig', kubeconfig, '--cache-dir', join(directory, 'kubectl-cache'), ...args], { timeoutMs: 40_000, ...more }),
    run: async (command) => runProgram('nsenter', ['--target', await firstChild(holder), '--mount', '--net', '--', 'sh', '-c', command]),
    units: () => {
      const log = join(directory, 'units.log')
      return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []
    },
    stop: async () => {
      for (const server of [ssh, api]) server.close()
      if (holder.exitCode !== null || holder.signalCode !== null) return
      const ended = once(holder, 'exit')
      holder.kill('SIGKILL')
      await ended
    },
  }
}

/** The process within the namespaces; `unshare` itself stays outside. */
async function firstChild(holder: ChildProcess): Promise<string> {
  const pid = String(holder.pid)
  const { stdout } = await runProgram('cat', [`/proc/${pid}/task/${pid}/children`])
  return stdout.trim().split(' ')[0] ?? ''
}

/** A port of the machine's loopback that leads to a socket of the node. */
async function forwarder(path: string): Promise<Server> {
  const server = createServer((near) => {
    const far = connect(path)
    near.pipe(far).pipe(near)
    for (const each of [near, far]) {
      each.on('error', () => undefined)
      each.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
