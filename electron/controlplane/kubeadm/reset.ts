import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { minorOfVersion } from '#shared/planning/upgrade/releases.ts'
import { KubeadmError, readFlags } from './flags.ts'
import type { NodeProgramsOptions } from './nodePrograms.ts'
import { readingConfig } from './readingConfig.ts'

export interface ResetStreams {
  args: readonly string[]
  out(text: string): void
  /** The next line that is typed; null where nobody types. */
  readLine(): Promise<string | null>
}

const FIRST_WITH_ONE_LIST = 24
const FIRST_WITH_SUPER_ADMIN = 29
const AFTERWARDS = `
The reset process does not clean CNI configuration. To do so, you must remove /etc/cni/net.d

The reset process does not reset or clean up iptables rules or IPVS tables.
If you wish to reset iptables, you must do so manually by using the "iptables" command.

If your cluster was setup to utilize IPVS, run ipvsadm --clear (or similar)
to reset your system's IPVS tables.

The reset process does not clean your kubeconfig files and you must remove them manually.
Please, check the contents of the $HOME/.kube/config file.

`

/** `kubeadm reset`: ends the kubelet with everything that runs under it and takes away what init or join wrote. The Node object stays. */
export async function reset({ args, out, readLine }: ResetStreams, { rootDir, kubelet, packages, hostsApiServer }: NodeProgramsOptions): Promise<void> {
  const flags = readFlags(args, {
    switches: ['force', 'cleanup-tmp-dir', 'dry-run'],
    values: ['cert-dir', 'ignore-preflight-errors', 'skip-phases'],
    short: { f: 'force' },
  })
  const kubeadm = packages.kubernetesVersion('kubeadm')
  const minor = minorOfVersion(kubeadm)
  const manifest = join(rootDir, 'etc/kubernetes/manifests/etcd.yaml')
  const hasEtcd = existsSync(manifest)
  if (existsSync(join(rootDir, 'etc/kubernetes/admin.conf'))) out(readingConfig('reset', kubeadm))
  if (!flags.has('force')) {
    out("[reset] WARNING: Changes made to this host by 'kubeadm init' or 'kubeadm join' will be reverted.\n[reset] Are you sure you want to proceed? [y/N]: ")
    if ((await readLine())?.trim().toLowerCase() !== 'y') throw new KubeadmError('error execution phase preflight: aborted reset operation')
  }
  if (hostsApiServer)
    throw new KubeadmError(
      'error execution phase preflight: this simulated node carries the API server and the etcd of the whole cluster, which would end with it: reset another node, or make the cluster anew',
    )
  out('[preflight] Running pre-flight checks\n')
  if (!hasEtcd) out('[reset] No etcd config found. Assuming external etcd\n[reset] Please, manually reset etcd to prevent further issues\n')
  out('[reset] Stopping the kubelet service\n[reset] Unmounting mounted directories in "/var/lib/kubelet"\n')
  await kubelet.stopService()
  await kubelet.removeContainers()
  const files = [
    'admin.conf',
    ...(minor < FIRST_WITH_SUPER_ADMIN ? [] : ['super-admin.conf']),
    'kubelet.conf',
    'bootstrap-kubelet.conf',
    'controller-manager.conf',
    'scheduler.conf',
  ]
  const shown = files.map((file) => `/etc/kubernetes/${file}`).join(' ')
  const config = ['/etc/kubernetes/manifests', '/etc/kubernetes/pki']
  const state = [...(hasEtcd ? ['/var/lib/etcd'] : []), '/var/lib/kubelet', '/var/lib/dockershim', '/var/run/kubernetes', '/var/lib/cni']
  if (minor < FIRST_WITH_ONE_LIST) {
    out(
      `[reset] Deleting contents of config directories: [${config.join(' ')}]\n[reset] Deleting files: [${shown}]\n[reset] Deleting contents of stateful directories: [${state.join(' ')}]\n`,
    )
  } else {
    const all = [...(hasEtcd ? ['/var/lib/etcd'] : []), '/etc/kubernetes/manifests', '/var/lib/kubelet', '/etc/kubernetes/pki']
    out(`[reset] Deleting contents of directories: [${all.join(' ')}]\n[reset] Deleting files: [${shown}]\n`)
  }
  for (const directory of [...config, ...state]) empty(join(rootDir, directory))
  for (const file of files) rmSync(join(rootDir, 'etc/kubernetes', file), { force: true })
  if (flags.has('cleanup-tmp-dir')) rmSync(join(rootDir, 'etc/kubernetes/tmp'), { recursive: true, force: true })
  out(AFTERWARDS)
}

/** Everything in it; the directory stays, as whoever mounted it expects. */
function empty(directory: string): void {
  if (!existsSync(directory)) return
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
}
