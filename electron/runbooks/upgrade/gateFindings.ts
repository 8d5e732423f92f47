import { parse } from 'yaml'
import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import { gateNames, REMOVED_GATES_LINK, removedGates, type RemovedGate } from '#shared/planning/upgrade/removedGates.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { NodeShell } from '../nodeShell/nodeShell.ts'
import { extraArguments, KUBELET_FLAG_FILES, wordsOf, type Minors } from './flagFindings.ts'

const KUBELET_CONFIG = '/var/lib/kubelet/config.yaml'
const MANIFESTS = '/etc/kubernetes/manifests'
const GATED_COMPONENTS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler']
/** All files of a node that are looked at for flags and gates. */
export const FLAG_AND_GATE_FILES = [...KUBELET_FLAG_FILES, KUBELET_CONFIG, ...GATED_COMPONENTS.map((component) => `${MANIFESTS}/${component}.yaml`)]
const SYSTEM = '/api/v1/namespaces/kube-system/configmaps'
/** `--feature-gates=A=true,B=false` as a word of a command line or of a manifest's list. */
const FLAG = /--feature-gates[= ]["']?([\w=,]+)/g

/** Feature gates that the target no longer knows, in what kubeadm writes anew on every node: its own configuration, the kubelets', kube-proxy's. */
export async function configuredGateFindings(
  api: ClusterApi,
  clusterConfiguration: string,
  { minors, signal }: { minors: Minors; signal: AbortSignal },
): Promise<UpgradeFinding[]> {
  if (minors.from === minors.to) return []
  const dataOf = async (name: string): Promise<Record<string, string> | null> =>
    ((await api.get(`${SYSTEM}/${name}`, signal).catch(() => null))?.['data'] as Record<string, string> | undefined) ?? null
  // Its name had the release in it until 1.23.
  const kubelet = (await dataOf('kubelet-config')) ?? (await dataOf(`kubelet-config-1.${String(minors.from)}`))
  const proxy = await dataOf('kube-proxy')
  return [
    ...extraArguments(clusterConfiguration)
      .filter(({ flag }) => flag === 'feature-gates')
      .flatMap(({ component, part, value }) =>
        removedGates(gateNames(value), minors).map((removed) =>
          blocking(removed, component, `stands among ${part}.extraArgs of kubeadm's configuration`, 'kubectl -n kube-system edit configmap kubeadm-config'),
        ),
      ),
    ...removedGates(gatesOfConfig(kubelet?.['kubelet'] ?? ''), minors).map((removed) =>
      blocking(
        removed,
        'the kubelet',
        'stands in the configuration that kubeadm gives every node',
        'kubectl -n kube-system edit configmap kubelet-config (kubelet-config-1.N until 1.23)',
      ),
    ),
    ...removedGates(gatesOfConfig(proxy?.['config.conf'] ?? ''), minors).map((removed) =>
      blocking(removed, 'kube-proxy', 'stands in its configuration', 'kubectl -n kube-system edit configmap kube-proxy'),
    ),
  ]
}

/** The same in what stands on one node alone. */
export async function nodeGateFindings(
  shell: NodeShell,
  { name, minors, signal }: { name: string; minors: Minors; signal: AbortSignal },
): Promise<UpgradeFinding[]> {
  if (minors.from === minors.to) return []
  const read = async (file: string): Promise<string> => {
    const { exitCode, stdout } = await shell.run(`cat ${file}`, { signal })
    return exitCode === 0 ? stdout : ''
  }
  const found: UpgradeFinding[] = []
  for (const file of KUBELET_FLAG_FILES)
    for (const removed of removedGates(gatesOfFlags(wordsOf(await read(file)).join(' ')), minors))
      found.push(blocking(removed, 'the kubelet', `is passed to it in ${file} on ${name}`, `edit ${file} before the upgrade`))
  for (const removed of removedGates(gatesOfConfig(await read(KUBELET_CONFIG)), minors))
    found.push(rewritten(removed, { component: 'the kubelet', file: KUBELET_CONFIG, name }))
  for (const component of GATED_COMPONENTS)
    for (const removed of removedGates(gatesOfFlags(await read(`${MANIFESTS}/${component}.yaml`)), minors))
      found.push(rewritten(removed, { component, file: `${MANIFESTS}/${component}.yaml`, name }))
  return found
}

const gatesOfFlags = (text: string): string[] => [...text.matchAll(FLAG)].flatMap(([, value = '']) => gateNames(value))

function gatesOfConfig(text: string): string[] {
  try {
    const config = parse(text) as unknown
    const gates = isObject(config) ? config['featureGates'] : undefined
    return isObject(gates) ? Object.keys(gates) : []
  } catch {
    // What cannot be read is no configuration that a component started with.
    return []
  }
}

function blocking({ gate, minor }: RemovedGate, component: string, where: string, edit: string): UpgradeFinding {
  return {
    level: 'blocking',
    title: `${component} of v1.${String(minor)} no longer knows the feature gate ${gate}, which ${where}: it would not start`,
    cure: `Take it out: ${edit}. The feature is always on, or gone. See ${REMOVED_GATES_LINK}`,
  }
}

/** What kubeadm writes anew from its own configuration loses the gate, and the component starts. */
function rewritten({ gate, minor }: RemovedGate, { component, file, name }: { component: string; file: string; name: string }): UpgradeFinding {
  return {
    level: 'warning',
    title: `${component} of v1.${String(minor)} no longer knows the feature gate ${gate}, which stands in ${file} on ${name}`,
    cure: `kubeadm writes the file anew from its configuration in the cluster, without what stands on the node alone. Look at it after kubeadm upgrade. See ${REMOVED_GATES_LINK}`,
  }
}
