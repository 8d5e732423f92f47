import type { CertificateCheck } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterApi } from '../clusterApi.ts'
import { runOnNode } from '../nodeShell/nodeCommand.ts'
import type { NodeShellFactory } from '../nodeShell/nodeShell.ts'
import type { Runbook, Step, StepContext } from '../runbook.ts'
import { CONTROL_PLANE_COMPONENTS, restartCommand, type ControlPlaneComponent } from '../staticPods.ts'
import { until } from '../until.ts'
import { isControlPlane, isReady, staticPod } from '../upgrade/plan.ts'
import { compareServed } from './servedCertificates.ts'

export interface RenewalInput {
  clusterId: string
  clusterName: string
  controlPlaneNodes: string[]
}

export interface RenewalDependencies {
  api(clusterId: string): Promise<ClusterApi>
  shell(clusterId: string): Promise<NodeShellFactory>
}

/** A static pod that was stopped needs this long at most: the kubelet's look at its folder, and the start. */
const RESTART_TIMEOUT_MS = 240_000
/** How long a restarted component must stay ready. */
const SOAK_MS = 3_000
const CHECK = 'kubeadm certs check-expiration'

/** Names of the nodes that kubeadm's certificates are on. @throws StatusError Invalid when there is none */
export async function controlPlaneNodes(api: ClusterApi, signal: AbortSignal): Promise<string[]> {
  const nodes = (await api.list('/api/v1/nodes', signal)).filter(isControlPlane).map(({ metadata }) => metadata.name ?? '')
  if (nodes.length === 0)
    throw new StatusError(
      failure(422, 'Invalid', 'no node is labelled as control plane: kubeadm did not make this cluster, or its control plane is managed by a provider'),
    )
  return nodes.sort()
}

/** kubeadm's own table and what is served, node by node. */
export async function checkCertificates(shells: NodeShellFactory, nodes: readonly string[], { signal }: { signal: AbortSignal }): Promise<CertificateCheck[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const shell = await shells(node, { signal })
      try {
        const { exitCode, stdout, stderr } = await shell.run(CHECK, { signal })
        if (exitCode !== 0) throw new Error(`«${CHECK}» on ${node} ended with exit code ${String(exitCode)}: ${stderr.trim()}`)
        return { node, table: withoutPreamble(stdout), served: await compareServed(shell, { signal }) }
      } finally {
        shell.close()
      }
    }),
  )
}

const withoutPreamble = (text: string): string => text.slice(Math.max(0, text.indexOf('CERTIFICATE ')))

/** Renews what kubeadm manages on one control-plane node after another, restarts what uses it, and proves that the new ones are served. */
export function renewalRunbook(dependencies: RenewalDependencies): Runbook<RenewalInput> {
  return {
    name: 'certificates',
    title: () => 'Renew the certificates',
    cluster: ({ clusterId, clusterName }) => ({ id: clusterId, name: clusterName }),
    steps: async (input) => {
      const work = { input, api: await dependencies.api(input.clusterId), shells: await dependencies.shell(input.clusterId) }
      return [
        preflight(work),
        ...input.controlPlaneNodes.flatMap((node) => [
          keep(work, node),
          renew(work, node),
          ...CONTROL_PLANE_COMPONENTS.map((component) => restart(work, { node, component })),
          prove(work, node),
        ]),
      ]
    },
  }
}

interface Work {
  input: RenewalInput
  api: ClusterApi
  shells: NodeShellFactory
}

function preflight({ input, api, shells }: Work): Step {
  return {
    id: 'preflight',
    title: 'Read the certificates of every control-plane node',
    description: 'Their ends, and whether kubeadm can renew them: it needs the key of the authority on the node. Nothing is changed.',
    commands: [CHECK],
    expectedMs: 3_000,
    action: async ({ signal, log }) => {
      const pods = await api.list('/api/v1/namespaces/kube-system/pods', signal)
      const down = input.controlPlaneNodes.flatMap((node) =>
        CONTROL_PLANE_COMPONENTS.flatMap((component) => {
          const pod = staticPod(pods, component, node)
          return pod === undefined || isReady(pod) ? [] : [pod.metadata.name ?? '']
        }),
      )
      if (down.length > 0) throw new Error(`${down.join(', ')} is not ready: bring it back first, as each component is restarted in turn`)
      for (const { node, table, served } of await checkCertificates(shells, input.controlPlaneNodes, { signal })) {
        for (const line of table.trimEnd().split('\n')) log(`${node}: ${line}`)
        const external = table.split('\n').filter((line) => /\byes\s*$/.test(line))
        if (external.length > 0)
          throw new Error(
            `${node}: the key of an authority is not on the node (${external.map((line) => line.trim().split(/\s+/)[0]).join(', ')}): kubeadm cannot renew these. Have them signed where the key is: kubeadm certs generate-csr`,
          )
        for (const { server, same } of served) if (!same) log(`${node}: ${server} does not serve the certificate of its file yet`)
      }
    },
  }
}

function keep({ shells }: Work, node: string): Step {
  const commands = (context: Pick<StepContext, 'runId'>): string[] => {
    const folder = `/etc/kubernetes/drydock-before-${context.runId}`
    return [`mkdir -p ${folder} && chmod 700 ${folder} && cp -a /etc/kubernetes/pki ${folder}/ && cp -a /etc/kubernetes/*.conf ${folder}/`]
  }
  return {
    id: `${node}/keep`,
    title: `Keep a copy of the certificates on ${node}`,
    description: 'The way back: the old files stay on the node, for root alone, until you delete them.',
    commands: commands({ runId: 'RUN' }),
    expectedMs: 1_000,
    action: (context) => runOnNode(shells, node, commands(context), context),
  }
}

function renew({ shells }: Work, node: string): Step {
  const command = 'kubeadm certs renew all'
  return {
    id: `${node}/renew`,
    title: `Renew the certificates on ${node}`,
    description: 'kubeadm signs new certificates with the same names. What runs goes on with the old ones until it is restarted.',
    commands: [command],
    expectedMs: 2_000,
    action: (context) => runOnNode(shells, node, [command], context),
  }
}

function restart({ api, shells }: Work, { node, component }: { node: string; component: ControlPlaneComponent }): Step {
  const command = restartCommand(component)
  const pod = async (signal: AbortSignal): Promise<KubeObject | undefined> =>
    staticPod(await api.list('/api/v1/namespaces/kube-system/pods', signal), component, node)
  return {
    id: `${node}/${component}`,
    title: `Restart ${component} on ${node}`,
    description: `Its manifest is taken away, the kubelet stops the container, and the manifest is put back.${component === 'kube-apiserver' || component === 'etcd' ? ' The API may not answer for some seconds.' : ''}`,
    commands: [command],
    expectedMs: 25_000,
    action: (context) => runOnNode(shells, node, [command], context),
    postcheck: async (context) => {
      const { signal, clock, log } = context
      const ready = async (): Promise<boolean> => {
        const found = await pod(signal)
        return found !== undefined && isReady(found)
      }
      // External etcd: the node has no static pod of it.
      if (
        component === 'etcd' &&
        (await until(context, 'the API server to answer', { timeoutMs: RESTART_TIMEOUT_MS, holds: async () => (await api.version(signal)) !== '' }).then(() =>
          pod(signal),
        )) === undefined &&
        !(await hasManifest(shells, { node, component }, signal))
      ) {
        log(`${node} has no etcd of its own`)
        return
      }
      await until(context, `${component} on ${node} to be ready again`, { timeoutMs: RESTART_TIMEOUT_MS, holds: ready })
      context.waitFor(`${String(SOAK_MS / 1000)} s without a fault`)
      await clock.sleep(SOAK_MS, { signal })
      context.waitFor('')
      await until(context, `${component} on ${node} to stay ready`, { timeoutMs: RESTART_TIMEOUT_MS, holds: ready })
      log(`${component} on ${node} is ready`)
    },
  }
}

async function hasManifest(shells: NodeShellFactory, { node, component }: { node: string; component: string }, signal: AbortSignal): Promise<boolean> {
  const shell = await shells(node, { signal })
  try {
    return (await shell.run(`[ -e /etc/kubernetes/manifests/${component}.yaml ]`, { signal })).exitCode === 0
  } finally {
    shell.close()
  }
}

function prove({ shells }: Work, node: string): Step {
  return {
    id: `${node}/proof`,
    title: `Prove that ${node} serves the new certificates`,
    description: 'A TLS handshake with the API server and etcd, compared with the files on the disk.',
    commands: [
      'echo | openssl s_client -connect 127.0.0.1:6443 2>/dev/null | openssl x509 -noout -serial -enddate; openssl x509 -noout -serial -enddate -in /etc/kubernetes/pki/apiserver.crt',
      'echo | openssl s_client -connect 127.0.0.1:2379 2>/dev/null | openssl x509 -noout -serial -enddate; openssl x509 -noout -serial -enddate -in /etc/kubernetes/pki/etcd/server.crt',
    ],
    expectedMs: 2_000,
    action: async ({ signal, log }) => {
      const [check] = await checkCertificates(shells, [node], { signal })
      for (const line of check?.table.trimEnd().split('\n') ?? []) log(line)
      for (const { server, same, servedSerial, fileSerial, servedNotAfterMs, problem } of check?.served ?? []) {
        if (!same)
          throw new Error(
            `${server} on ${node} ${problem === '' ? `serves ${servedSerial}, its file has ${fileSerial}: it was not restarted since. Restart it, then retry` : `could not be asked: ${problem}`}`,
          )
        log(`${server} on ${node} serves ${servedSerial}, as its file; good until ${new Date(servedNotAfterMs ?? 0).toISOString().slice(0, 10)}`)
      }
      log(
        `copies of admin.conf elsewhere, such as ~/.kube/config, have the certificate of before until its end: copy /etc/kubernetes/admin.conf of ${node} anew`,
      )
    },
  }
}
