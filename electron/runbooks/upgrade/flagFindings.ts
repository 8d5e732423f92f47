import { parse } from 'yaml'
import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import { flagNames, removedFlags, type RemovedFlag } from '#shared/planning/upgrade/removedFlags.ts'
import type { NodeShell } from '../nodeShell/nodeShell.ts'

/** Parts of kubeadm's ClusterConfiguration and the components they configure. */
const CONFIGURED = { apiServer: 'kube-apiserver', controllerManager: 'kube-controller-manager', scheduler: 'kube-scheduler' } as const
/** What the packages' unit passes to the kubelet: kubeadm's own arguments, and the operator's. */
const KUBEADM_FLAGS = '/var/lib/kubelet/kubeadm-flags.env'
/** All files from which a kubelet gets flags. */
export const KUBELET_FLAG_FILES = [KUBEADM_FLAGS, '/etc/default/kubelet', '/etc/sysconfig/kubelet']

export interface Minors {
  from: number
  to: number
}

/** Flags in kubeadm's configuration that the target's components do not know: kubeadm writes them into the manifests again, and the component does not start. */
export function configuredFlagFindings(clusterConfiguration: string, minors: Minors): UpgradeFinding[] {
  const given = extraArguments(clusterConfiguration)
  return Object.entries(CONFIGURED).flatMap(([part, component]) => {
    const flags = given.filter((each) => each.part === part).map(({ flag }) => flag)
    return removedFlags(component, flags, minors).map((removed): UpgradeFinding => ({
      level: 'blocking',
      title: `${component} of v1.${String(removed.minor)} no longer knows --${removed.flag}, which is among ${part}.extraArgs of kubeadm's configuration: it would not start`,
      cure: `Take it out: kubectl -n kube-system edit configmap kubeadm-config. ${insteadOf(removed)}`,
    }))
  })
}

/** The `extraArgs` of kubeadm's configuration: a map until v1beta3, a list of name and value since v1beta4. */
export function extraArguments(clusterConfiguration: string): { part: string; component: string; flag: string; value: string }[] {
  const configuration = readYaml(clusterConfiguration)
  return Object.entries(CONFIGURED).flatMap(([part, component]) => {
    const own = isObject(configuration) ? configuration[part] : undefined
    const given = isObject(own) ? own['extraArgs'] : undefined
    const pairs: [unknown, unknown][] = Array.isArray(given)
      ? given.flatMap((each): [unknown, unknown][] => (isObject(each) ? [[each['name'], each['value']]] : []))
      : Object.entries(isObject(given) ? given : {})
    return pairs.flatMap(([flag, value]) => (typeof flag === 'string' ? [{ part, component, flag, value: typeof value === 'string' ? value : '' }] : []))
  })
}

/** The words of a file that sets variables to flags, comments left out. */
export function wordsOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .flatMap((line) => line.split(/[\s"'=]+(?=--)|[\s"']+/))
}

/** Flags of a node's kubelet that the target's does not know. */
export async function kubeletFlagFindings(
  shell: NodeShell,
  { name, minors, signal }: { name: string; minors: Minors; signal: AbortSignal },
): Promise<UpgradeFinding[]> {
  if (minors.from === minors.to) return []
  const found: UpgradeFinding[] = []
  for (const file of KUBELET_FLAG_FILES) {
    const { exitCode, stdout } = await shell.run(`cat ${file}`, { signal })
    if (exitCode !== 0) continue
    for (const removed of removedFlags('kubelet', flagNames(wordsOf(stdout)), minors))
      found.push({
        level: file === KUBEADM_FLAGS ? 'warning' : 'blocking',
        title: `the kubelet of v1.${String(removed.minor)} no longer knows --${removed.flag}, which stands in ${file} on ${name}`,
        cure:
          file === KUBEADM_FLAGS
            ? `kubeadm takes out what it put there itself; one of kubeletExtraArgs stays. Look at the file after kubeadm upgrade, before the kubelet is restarted. ${insteadOf(removed)}`
            : `Take it out before the upgrade, as the new kubelet would not start. ${insteadOf(removed)}`,
      })
  }
  return found
}

const insteadOf = ({ instead, link }: RemovedFlag): string => `Instead: ${instead}. See ${link}`

function readYaml(text: string): unknown {
  try {
    return parse(text)
  } catch {
    // What cannot be read is told of where the etcd path is compared.
    return null
  }
}
