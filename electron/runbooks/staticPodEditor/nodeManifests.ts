import { createHash } from 'node:crypto'
import { parse } from 'yaml'
import type { StaticPodManifest } from '#shared/contract/staticPods.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { NodeShell } from '../nodeShell/nodeShell.ts'
import { readManifestDiff } from '../upgrade/manifestEdits.ts'

export const MANIFESTS = '/etc/kubernetes/manifests'
/** The kubelet writes it into a mirror pod: the hash of what it read. */
const CONFIG_HASH = 'kubernetes.io/config.hash'
const CONFIG_MIRROR = 'kubernetes.io/config.mirror'
/** Files the kubelet reads; it passes over hidden ones. */
const FILE = /^[a-zA-Z0-9_][a-zA-Z0-9._-]*\.(ya?ml|json)$/

/** What `kubeadm upgrade diff` tells of. */
const COMPARED = new Set(['kube-apiserver.yaml', 'kube-controller-manager.yaml', 'kube-scheduler.yaml'])

export const isManifestFile = (file: string): boolean => FILE.test(file)
export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A node's static pod manifests, with their mirror pods and with what kubeadm would have written otherwise. */
export async function readNodeManifests(
  api: ClusterApi,
  shell: NodeShell,
  { node, signal }: { node: string; signal: AbortSignal },
): Promise<{ manifests: StaticPodManifest[]; driftProblem: string }> {
  const run = async (command: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await shell.run(command, { signal })
    if (exitCode !== 0) throw new Error(`«${command}» on ${node} ended with exit code ${String(exitCode)}: ${(stderr || stdout).trim()}`)
    return stdout
  }
  const files = (await run(`ls ${MANIFESTS}`)).split(/\s+/).filter(isManifestFile)
  const pods = await api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${encodeURIComponent(node)}`, signal)
  const version = await api.version(signal)
  const drift = await shell.run(`kubeadm upgrade diff ${version}`, { signal })
  const edits = drift.exitCode === 0 ? readManifestDiff(drift.stdout) : []
  const manifests: StaticPodManifest[] = []
  for (const file of files) {
    const text = await run(`cat ${MANIFESTS}/${file}`)
    const { pod, problem } = readPod(text)
    const edit = edits.find((each) => each.file === `${MANIFESTS}/${file}`)
    const mirror = pod === null ? undefined : mirrorOf(pods, pod, node)
    manifests.push({
      file,
      text,
      digest: digestOf(text),
      problem,
      namespace: pod?.metadata.namespace ?? 'default',
      podName: pod === null ? '' : `${pod.metadata.name ?? ''}-${node}`,
      mirror: mirror === undefined ? null : mirrorView(mirror),
      taken: pod !== null && mirror !== undefined && essence(pod) === essence(mirror),
      compared: drift.exitCode === 0 && COMPARED.has(file),
      takenOut: edit?.takenOut ?? [],
      putIn: edit?.putIn ?? [],
    })
  }
  return { manifests, driftProblem: drift.exitCode === 0 ? '' : ((drift.stderr.trim() || drift.stdout.trim()).split('\n').at(-1) ?? '') }
}

/** The pod a manifest describes, or why it describes none. */
export function readPod(text: string): { pod: KubeObject | null; problem: string } {
  let parsed: unknown
  try {
    parsed = parse(text)
  } catch (error) {
    return { pod: null, problem: `it is no YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}` }
  }
  if (!isObject(parsed) || parsed['kind'] !== 'Pod') return { pod: null, problem: 'it describes no Pod (kind: Pod)' }
  const metadata = isObject(parsed['metadata']) ? parsed['metadata'] : {}
  if (typeof metadata['name'] !== 'string' || metadata['name'] === '') return { pod: null, problem: 'its Pod has no metadata.name' }
  if (!isObject(parsed['spec'])) return { pod: null, problem: 'its Pod has no spec' }
  return { pod: { ...parsed, metadata } as KubeObject, problem: '' }
}

/** The object that stands for a static pod in the API. */
export function mirrorOf(pods: readonly KubeObject[], pod: KubeObject, node: string): KubeObject | undefined {
  const name = `${pod.metadata.name ?? ''}-${node}`
  return pods.find(
    ({ metadata }) =>
      metadata.name === name && metadata.namespace === (pod.metadata.namespace ?? 'default') && metadata.annotations?.[CONFIG_MIRROR] !== undefined,
  )
}

export function mirrorView(mirror: KubeObject): NonNullable<StaticPodManifest['mirror']> {
  const status = isObject(mirror['status']) ? mirror['status'] : {}
  const conditions = Array.isArray(status['conditions']) ? status['conditions'].filter(isObject) : []
  const containers = Array.isArray(status['containerStatuses']) ? status['containerStatuses'].filter(isObject) : []
  return {
    uid: mirror.metadata.uid ?? '',
    hash: mirror.metadata.annotations?.[CONFIG_HASH] ?? '',
    ready: conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
    restarts: containers.reduce((sum, { restartCount }) => sum + (typeof restartCount === 'number' ? restartCount : 0), 0),
  }
}

/** What of a pod's containers a defaulted copy keeps as it was written. */
function essence(pod: KubeObject): string {
  const spec = isObject(pod['spec']) ? pod['spec'] : {}
  const containers = Array.isArray(spec['containers']) ? spec['containers'].filter(isObject) : []
  return JSON.stringify(containers.map(({ name, image, command, args, env }) => ({ name, image, command, args, env })))
}
