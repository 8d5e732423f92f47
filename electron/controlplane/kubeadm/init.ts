import { KubeadmError, readFlags } from './flags.ts'
import { initPhases, type InitContext, type Phase } from './initPhases.ts'
import type { PhaseStreams } from './join.ts'
import { clusterAccess, joinCommand } from './joinCommand.ts'
import type { NodeProgramsOptions } from './nodePrograms.ts'
import { tokenText } from './tokens.ts'

const FLAGS = {
  switches: ['upload-certs', 'dry-run', 'skip-token-print', 'skip-certificate-key-print'],
  values: [
    'ignore-preflight-errors',
    'token',
    'token-ttl',
    'certificate-key',
    'skip-phases',
    'pod-network-cidr',
    'service-cidr',
    'apiserver-advertise-address',
    'control-plane-endpoint',
    'kubernetes-version',
    'node-name',
    'cert-dir',
    'kubeconfig-dir',
  ],
}

function contextOf(streams: PhaseStreams, options: NodeProgramsOptions): InitContext {
  return { ...streams, flags: readFlags(streams.args, FLAGS), options, kubeadm: options.packages.kubernetesVersion('kubeadm'), token: null }
}

/** `kubeadm init`: makes again, on the node that carries the cluster, what is missing of its files, and brings it up with them. */
export async function init(streams: PhaseStreams, options: NodeProgramsOptions): Promise<void> {
  const context = contextOf(streams, options)
  const skipped = new Set(context.flags.list('skip-phases'))
  context.out(`[init] Using Kubernetes version: ${context.kubeadm}\n`)
  for (const phase of initPhases(context.kubeadm)) if (!skipped.has(phase.name)) await phase.run(context, phase.parts)
  const access = clusterAccess(options.rootDir)
  const token = context.token === null ? '<value withheld>' : tokenText(context.token)
  context.out(`${INITIALIZED}${joinCommand(access, { token, kubeadm: context.kubeadm })}\n`)
}

const INITIALIZED = `
Your Kubernetes control-plane has initialized successfully!

To start using your cluster, you need to run the following as a regular user:

  mkdir -p $HOME/.kube
  sudo cp -i /etc/kubernetes/admin.conf $HOME/.kube/config
  sudo chown $(id -u):$(id -g) $HOME/.kube/config

Alternatively, if you are the root user, you can run:

  export KUBECONFIG=/etc/kubernetes/admin.conf

You should now deploy a pod network to the cluster.
Run "kubectl apply -f [podnetwork].yaml" with one of the options listed at:
  https://kubernetes.io/docs/concepts/cluster-administration/addons/

Then you can join any number of worker nodes by running the following on each as root:

`

/** `kubeadm init phase NAME [PART]`. @param words the phase and, where it has parts, one of them or `all` */
export async function initPhase(streams: PhaseStreams, options: NodeProgramsOptions): Promise<void> {
  const context = contextOf(streams, options)
  const [name = '', part] = context.flags.words
  const phases = initPhases(context.kubeadm)
  const phase = phases.find((each) => each.name === name)
  if (phase === undefined) throw new KubeadmError(`unknown phase "${name}": there are ${phases.map((each) => each.name).join(', ')}`)
  await phase.run(context, partsOf(phase, part))
}

function partsOf({ name, parts }: Phase, part: string | undefined): readonly string[] {
  if (parts.length === 0 || part === 'all') return parts
  if (part === undefined || !parts.includes(part)) throw new KubeadmError(`init phase ${name} takes one of: all, ${parts.join(', ')}`)
  return [part]
}
