import { isObject } from '#shared/kubernetes/json.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { StepContext } from '../runbook.ts'
import { until } from '../until.ts'
import { imageTag, isReady, staticPod } from './plan.ts'

/** What kubeadm upgrades on a control-plane node beside etcd. */
export const UPGRADED_COMPONENTS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const
type UpgradedComponent = (typeof UPGRADED_COMPONENTS)[number]

/** Restarts of a new container after which it is not waited for any longer; an API server may fall over once while etcd is restarted. */
const CRASHES = 3
/** How long a component must stay ready, without a restart, before its upgrade counts. kubeadm itself looks once. */
const SOAK_MS = 3_000
/** A leader renews its Lease every 2 s; a new one needs the old one's 15 s first. */
const LEASE_TIMEOUT_MS = 60_000
/** kubeadm's own limit for a static pod to come back (5 minutes), with room for the kubelet's look at the file. */
export const COMPONENT_TIMEOUT_MS = 360_000
/** Components of which one instance works at a time, the one that holds the Lease of its name. */
const ELECTED: readonly UpgradedComponent[] = ['kube-controller-manager', 'kube-scheduler']

/** How a control-plane component's static pod stands: `waiting` may still come right, `crashing` will not by itself. */
export type ComponentState = { state: 'good' } | { state: 'waiting' | 'crashing'; why: string }

interface ContainerState {
  restartCount: number
  waitingReason: string
  waitingMessage: string
  exitCode: number | null
  exitReason: string
  exitMessage: string
}

/** @param before restarts of its container that do not count: those of before what may have mended it */
export function componentState(pod: KubeObject | undefined, version: string, before = 0): ComponentState {
  if (pod === undefined) return { state: 'waiting', why: 'it has no pod' }
  const tag = imageTag(pod)
  if (tag !== version) return { state: 'waiting', why: `its pod still has ${tag || 'another image'}` }
  if (isReady(pod)) return { state: 'good' }
  const container = containerState(pod)
  if (container === null) return { state: 'waiting', why: 'its container has not started' }
  const { restartCount, waitingReason, waitingMessage } = container
  const ended =
    container.exitCode === null ? '' : `it ends with exit code ${String(container.exitCode)}${container.exitReason === '' ? '' : ` (${container.exitReason})`}`
  const why = [waitingReason, ended, container.exitMessage.trim() || (ended === '' ? waitingMessage.trim() : '')].filter((text) => text !== '').join(', ')
  if (restartCount - before >= CRASHES) return { state: 'crashing', why: `${why || 'it is not ready'}, after ${String(restartCount)} restarts` }
  return { state: 'waiting', why: why || 'it is not ready' }
}

/** The first container's; null when it has none yet. */
export function containerState(pod: KubeObject): ContainerState | null {
  const status = isObject(pod['status']) ? pod['status'] : {}
  const [first] = Array.isArray(status['containerStatuses']) ? status['containerStatuses'].filter(isObject) : []
  if (first === undefined) return null
  const part = (value: unknown, name: string): Record<string, unknown> => (isObject(value) && isObject(value[name]) ? value[name] : {})
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  const waiting = part(first['state'], 'waiting')
  const now = part(first['state'], 'terminated')
  const ended = Object.keys(now).length > 0 ? now : part(first['lastState'], 'terminated')
  return {
    restartCount: typeof first['restartCount'] === 'number' ? first['restartCount'] : 0,
    waitingReason: text(waiting['reason']),
    waitingMessage: text(waiting['message']),
    exitCode: typeof ended['exitCode'] === 'number' ? ended['exitCode'] : null,
    exitReason: text(ended['reason']),
    exitMessage: text(ended['message']),
  }
}

/** Restarts by pod, so that one in between is seen even if all is ready again. */
const restarts = (pods: readonly (KubeObject | undefined)[]): string =>
  pods.map((pod) => `${pod?.metadata.uid ?? ''}:${String(pod === undefined ? 0 : (containerState(pod)?.restartCount ?? 0))}`).join()

/**
 * Waits until a node's control-plane components run a version, are ready, stay so without a restart, and renew the Leases of those that are
 * elected. What kubeadm printed is not believed.
 * @throws Error when one crashes again and again, or the time is over: what happened, what state the rest is in, what can be done
 */
export async function awaitComponents(context: StepContext, api: ClusterApi, { node, version }: { node: string; version: string }): Promise<void> {
  const { signal, clock, log, waitFor } = context
  const counted = new Map<string, number>()
  let states: { component: UpgradedComponent; seen: ComponentState }[] = []
  const look = async (): Promise<(KubeObject | undefined)[]> => {
    const pods = await api.list('/api/v1/namespaces/kube-system/pods', signal)
    const found = UPGRADED_COMPONENTS.map((component) => staticPod(pods, component, node))
    states = UPGRADED_COMPONENTS.map((component, index) => {
      const pod = found[index]
      const uid = pod?.metadata.uid ?? ''
      if (pod !== undefined && !counted.has(uid)) counted.set(uid, containerState(pod)?.restartCount ?? 0)
      return { component, seen: componentState(pod, version, counted.get(uid)) }
    })
    return found
  }
  const allGood = async (): Promise<boolean> => {
    await look()
    return states.every(({ seen }) => seen.state !== 'waiting')
  }
  const crashed = (): void => {
    if (states.some(({ seen }) => seen.state === 'crashing')) throw new Error(storyOf(states, { node, version }))
  }
  const deadlineMs = clock.now() + COMPONENT_TIMEOUT_MS
  for (;;) {
    await until(context, `control-plane pods on ${node} at ${version}`, { timeoutMs: Math.max(0, deadlineMs - clock.now()), holds: allGood }).catch(
      (error: unknown) => {
        signal.throwIfAborted()
        throw states.length === 0 ? error : new Error(storyOf(states, { node, version }), { cause: error })
      },
    )
    crashed()
    const before = restarts(await look())
    waitFor(`${String(SOAK_MS / 1000)} s without a restart`)
    await clock.sleep(SOAK_MS, { signal })
    waitFor('')
    if (restarts(await look()) === before && states.every(({ seen }) => seen.state === 'good')) break
    log(`a component on ${node} was restarted; looking again`)
  }
  for (const component of ELECTED) await leads(context, api, component)
  log(`${UPGRADED_COMPONENTS.join(', ')} on ${node} run ${version}`)
}

/** Waits until the Lease of a component is renewed: some instance of it works. */
async function leads(context: StepContext, api: ClusterApi, component: string): Promise<void> {
  const { signal, log } = context
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/${component}`
  let first: string | null = null
  let holder = ''
  const renewed = async (): Promise<boolean> => {
    try {
      const lease = await api.get(path, signal)
      const { renewTime = '', holderIdentity = '' } = (lease['spec'] as { renewTime?: string; holderIdentity?: string } | undefined) ?? {}
      holder = holderIdentity
      if (first === null) first = renewTime
      return first !== renewTime && holder !== ''
    } catch (error) {
      // Before 1.20 the leader was noted in an Endpoints object.
      if (isNotFound(error)) return true
      throw error
    }
  }
  await until(context, `${component} to renew its Lease`, { timeoutMs: LEASE_TIMEOUT_MS, holds: renewed })
  if (holder !== '') log(`${component}: ${holder} leads`)
}

function storyOf(states: readonly { component: UpgradedComponent; seen: ComponentState }[], { node, version }: { node: string; version: string }): string {
  const bad = states.flatMap(({ component, seen }) => (seen.state === 'good' ? [] : [{ component, why: seen.why }]))
  const good = states.flatMap(({ component, seen }) => (seen.state === 'good' ? [component] : []))
  const [first] = bad
  const pod = `${first?.component ?? ''}-${node}`
  return [
    `${bad.map(({ component, why }) => `${component} on ${node} does not stay up at ${version}: ${why}`).join('; ')}. That kubeadm reported success says only that the kubelet took the manifest.`,
    `${good.length === 0 ? 'No other component' : good.join(' and ')} on ${node} ${good.length > 1 ? 'are' : 'is'} ready at ${version}; its kubelet and the nodes after it were not touched.`,
    `See kubectl -n kube-system logs ${pod} --previous. Mend its image or flags, then retry: what has run is not run again. Or go back: copy ${first?.component ?? ''}.yaml from the newest /etc/kubernetes/tmp/kubeadm-backup-manifests-* to /etc/kubernetes/manifests on ${node}.`,
  ].join(' ')
}
