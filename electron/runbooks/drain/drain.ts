import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound, isTooManyRequests, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { StepContext } from '../runbook.ts'

/** Pause before a refused eviction is tried again; kubectl's own. */
const RETRY_MS = 5_000
/** Pause between looks at pods that are on their way out. */
const POLL_MS = 500

interface PodView {
  namespace: string
  name: string
  uid: string
  /** Why drain leaves it alone, or null when it is to be evicted. */
  skipped: 'DaemonSet' | 'static pod' | 'finished' | null
  usesEmptyDir: boolean
  managed: boolean
}

function viewPod(pod: KubeObject): PodView {
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true)
  const phase = (pod['status'] as { phase?: string } | undefined)?.phase
  const volumes = (pod['spec'] as { volumes?: { emptyDir?: unknown }[] } | undefined)?.volumes ?? []
  const mirror = pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
  return {
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name ?? '',
    uid: pod.metadata.uid ?? '',
    skipped: mirror ? 'static pod' : owner?.kind === 'DaemonSet' ? 'DaemonSet' : phase === 'Succeeded' || phase === 'Failed' ? 'finished' : null,
    usesEmptyDir: volumes.some(({ emptyDir }) => emptyDir !== undefined),
    managed: owner !== undefined,
  }
}

async function podsOn(api: ClusterApi, node: string, signal: AbortSignal): Promise<PodView[]> {
  const pods = await api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${encodeURIComponent(node)}`, signal)
  return pods.map(viewPod)
}

/** Marks a node unschedulable or schedulable again. */
export async function cordon(api: ClusterApi, node: string, unschedulable: boolean, signal: AbortSignal): Promise<void> {
  await api.patch(`/api/v1/nodes/${encodeURIComponent(node)}`, { spec: { unschedulable: unschedulable ? true : null } }, signal)
}

/** Whether the node is cordoned and holds nothing that a drain would evict. */
export async function isDrained(api: ClusterApi, node: string, signal: AbortSignal): Promise<boolean> {
  const object = await api.get(`/api/v1/nodes/${encodeURIComponent(node)}`, signal)
  if ((object['spec'] as { unschedulable?: boolean } | undefined)?.unschedulable !== true) return false
  return (await podsOn(api, node, signal)).every(({ skipped }) => skipped !== null)
}

/**
 * Cordons the node and evicts its pods through the Eviction API alone, so that no PodDisruptionBudget is broken: a refused
 * eviction is tried again every 5 s for as long as the run is not stopped. DaemonSet pods, static pods and finished pods stay.
 * @throws when a pod has no controller that would make it anew
 */
export async function drain(api: ClusterApi, node: string, context: StepContext): Promise<void> {
  const { signal, clock, log, waitFor } = context
  await cordon(api, node, true, signal)
  log(`node/${node} cordoned`)
  const wanted = (await podsOn(api, node, signal)).filter(({ skipped }) => skipped === null)
  const unmanaged = wanted.filter(({ managed }) => !managed)
  if (unmanaged.length > 0)
    throw new Error(
      `nothing would bring these pods back: ${unmanaged.map(({ namespace, name }) => `${namespace}/${name}`).join(', ')}. Delete them yourself or give them a controller, then retry`,
    )
  for (const pod of wanted.filter(({ usesEmptyDir }) => usesEmptyDir)) log(`pod/${pod.name} in ${pod.namespace} loses its emptyDir data`)
  const apiVersion = await evictionVersion(api, signal)
  await Promise.all(wanted.map((pod) => evict(api, { ...pod, apiVersion }, context)))
  for (;;) {
    const left = (await podsOn(api, node, signal)).filter(({ skipped, uid }) => skipped === null && wanted.some((pod) => pod.uid === uid))
    if (left.length === 0) break
    waitFor(
      `${String(left.length)} of ${String(wanted.length)} pods to end: ${left
        .slice(0, 3)
        .map(({ namespace, name }) => `${namespace}/${name}`)
        .join(', ')}`,
    )
    await clock.sleep(POLL_MS, { signal })
  }
  waitFor('')
  log(`node/${node} drained: ${String(wanted.length)} pods evicted`)
}

/** policy/v1 evictions came with 1.22; discovery says which version a server takes. */
async function evictionVersion(api: ClusterApi, signal: AbortSignal): Promise<string> {
  const { resources } = (await api.get('/api/v1', signal)) as unknown as { resources?: { name: string; group?: string; version?: string }[] }
  const eviction = resources?.find(({ name }) => name === 'pods/eviction')
  return `${eviction?.group ?? 'policy'}/${eviction?.version ?? 'v1beta1'}`
}

async function evict(api: ClusterApi, pod: PodView & { apiVersion: string }, { signal, clock, log, waitFor }: StepContext): Promise<void> {
  const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/eviction`
  let told = false
  for (;;) {
    try {
      await api.post(path, { apiVersion: pod.apiVersion, kind: 'Eviction', metadata: { name: pod.name, namespace: pod.namespace } }, signal)
      log(`pod/${pod.name} in ${pod.namespace} evicted`)
      return
    } catch (error) {
      if (isNotFound(error)) return
      if (!isTooManyRequests(error)) throw error
      const cause = error instanceof StatusError ? error.status.details?.causes?.[0]?.message : undefined
      waitFor(`pod ${pod.namespace}/${pod.name}: ${cause ?? 'its disruption budget allows no eviction now'}`)
      if (!told)
        log(`pod/${pod.name} in ${pod.namespace} may not be evicted yet: ${cause ?? 'disruption budget'}; trying again every ${String(RETRY_MS / 1000)} s`)
      told = true
      await clock.sleep(RETRY_MS, { signal })
    }
  }
}
