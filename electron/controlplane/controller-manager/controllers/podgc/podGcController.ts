import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { NODES, PODS } from '#electron/client/resources.ts'
import { isDeleting, nodeNameOf, statusOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'

const PERIOD_MS = 20_000
/** A node is believed gone once it has been missing this long. */
const QUARANTINE_MS = 40_000
/** Ended pods kept for looking at (--terminated-pod-gc-threshold). */
const TERMINATED_KEPT = 12_500
/** Releases that mark pods they remove as disrupted. */
const DISRUPTION_SINCE = 26

const podName = ({ metadata }: KubeObject): { namespace: string | undefined; name: string } => ({ namespace: metadata.namespace, name: metadata.name ?? '' })

/** Removes pods that nobody else will: of nodes that are gone, deleted before they were bound, and ended ones beyond a number. */
export function podGcController(context: ControllerContext): Controller {
  const { client, clock, minor } = context
  const pods = context.informer(PODS)
  const nodes = context.informer(NODES)
  const missing = new Map<string, number>()

  async function collect(signal: AbortSignal): Promise<void> {
    const all = pods.list()
    const ended = all.filter((pod) => ['Succeeded', 'Failed'].includes(textAt(statusOf(pod)['phase'])))
    ended.sort((a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? ''))
    for (const pod of ended.slice(0, Math.max(0, ended.length - TERMINATED_KEPT))) await remove(pod, signal)
    await collectOrphans(all, signal)
    for (const pod of all) if (isDeleting(pod) && nodeNameOf(pod) === '') await remove(pod, signal)
  }

  async function collectOrphans(all: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const gone = new Set<string>()
    const names = new Set(all.map(nodeNameOf).filter((name) => name !== '' && nodes.get('', name) === undefined))
    for (const name of missing.keys()) if (!names.has(name)) missing.delete(name)
    for (const name of names) {
      const sinceMs = missing.get(name) ?? clock.now()
      missing.set(name, sinceMs)
      if (clock.now() - sinceMs >= QUARANTINE_MS && !(await exists(name, signal))) gone.add(name)
    }
    for (const pod of all) {
      if (!gone.has(nodeNameOf(pod))) continue
      if (minor >= DISRUPTION_SINCE && !['Succeeded', 'Failed'].includes(textAt(statusOf(pod)['phase']))) await markFailed(pod, signal)
      await remove(pod, signal)
    }
  }

  async function exists(name: string, signal: AbortSignal): Promise<boolean> {
    try {
      await client.get(NODES, { name }, signal)
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  async function markFailed(pod: KubeObject, signal: AbortSignal): Promise<void> {
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
      lastTransitionTime: context.now(),
    }
    try {
      await client.patch(
        PODS,
        { ...podName(pod), subresource: 'status' },
        { status: { phase: 'Failed', conditions: [condition] } },
        { type: 'strategic' },
        signal,
      )
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async function remove(pod: KubeObject, signal: AbortSignal): Promise<void> {
    try {
      await client.delete(PODS, podName(pod), { gracePeriodSeconds: 0, uid: pod.metadata.uid }, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  return {
    name: 'podgc',
    run: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(PERIOD_MS, { signal }).catch(() => undefined)
        if (signal.aborted) return
        try {
          await collect(signal)
        } catch (error) {
          if (!signal.aborted) context.logger.warn('collecting pods failed', { error: error instanceof Error ? error.message : String(error) })
        }
      }
    },
  }
}
