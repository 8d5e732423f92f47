import { failure, StatusError } from '#shared/kubernetes/status.ts'
import { planDrain, type DrainOptions, type DrainPlan } from '#shared/planning/drain/drainPlan.ts'
import type { ClusterApi } from '../clusterApi.ts'
import type { Runbook, Step } from '../runbook.ts'
import { cordon, drain, isCordoned, isDrained } from './drain.ts'
import { readDrainFacts } from './drainFacts.ts'

export interface DrainInput {
  clusterId: string
  clusterName: string
  /** In the order of work; `cordoned` as it was before, so that an abort returns it so. */
  nodes: { name: string; cordoned: boolean }[]
  options: DrainOptions
}

/** Reads the cluster and foresees the drain. @throws StatusError NotFound when a node is not there */
export async function readDrainPlan(api: ClusterApi, names: readonly string[], options: DrainOptions, { signal }: { signal: AbortSignal }): Promise<DrainPlan> {
  const facts = await readDrainFacts(api, signal)
  try {
    return planDrain(facts, names, options)
  } catch (error) {
    if (error instanceof RangeError) throw new StatusError(failure(404, 'NotFound', error.message))
    throw error
  }
}

/** Fixes the order of work. @throws StatusError Invalid when a pod waits for the operator's word */
export function drainInput(plan: DrainPlan, cluster: { id: string; name: string }, options: DrainOptions): DrainInput {
  const undecided = plan.nodes.flatMap(({ pods }) => pods.filter(({ verdict }) => verdict === 'undecided'))
  if (undecided.length > 0)
    throw new StatusError(
      failure(
        422,
        'Invalid',
        `say for each of these pods whether to evict or leave it, and why: ${undecided.map(({ namespace, name, reason }) => `${namespace}/${name} (${reason})`).join('; ')}`,
      ),
    )
  return { clusterId: cluster.id, clusterName: cluster.name, nodes: plan.nodes.map(({ name, cordoned }) => ({ name, cordoned })), options }
}

/** The same in the operator's own tool. */
export function drainCommand(node: string, { deleteEmptyDirData, overrides }: DrainOptions): string {
  const force = overrides.some(({ action }) => action === 'evict') ? ' --force' : ''
  return `kubectl drain ${node} --ignore-daemonsets${deleteEmptyDirData ? ' --delete-emptydir-data' : ''}${force}`
}

/** Cordons all nodes, then evicts the pods of one after another. An abort lets the nodes take pods again that took pods before. */
export function drainRunbook(dependencies: { api(clusterId: string): Promise<ClusterApi> }): Runbook<DrainInput> {
  return {
    name: 'drain',
    title: ({ nodes }) => `Drain ${nodes.length === 1 ? (nodes[0]?.name ?? '') : `${String(nodes.length)} nodes`}`,
    cluster: ({ clusterId, clusterName }) => ({ id: clusterId, name: clusterName }),
    subject: ({ nodes }) => nodes.map(({ name }) => name).join(' '),
    steps: async (input) => {
      const api = await dependencies.api(input.clusterId)
      return [cordonStep(api, input), ...input.nodes.map(({ name }) => drainStep(api, name, input.options))]
    },
  }
}

function cordonStep(api: ClusterApi, { nodes }: DrainInput): Step {
  return {
    id: 'cordon',
    title: nodes.length === 1 ? `Keep new pods off ${nodes[0]?.name ?? ''}` : `Keep new pods off all ${String(nodes.length)} nodes`,
    description: 'Evicted pods then go to nodes that stay, not to one that is drained next. Pods that run are left alone.',
    commands: nodes.map(({ name }) => `kubectl cordon ${name}`),
    expectedMs: 500,
    action: async ({ signal, log }) => {
      for (const { name } of nodes) {
        if (await isCordoned(api, name, signal)) continue
        await cordon(api, name, true, signal)
        log(`node/${name} cordoned`)
      }
    },
    undo: async ({ signal, log }) => {
      for (const { name, cordoned } of nodes) {
        if (cordoned) continue
        await cordon(api, name, false, signal)
        log(`node/${name} takes pods again, as before`)
      }
    },
  }
}

function drainStep(api: ClusterApi, node: string, options: DrainOptions): Step {
  return {
    id: `${node}/drain`,
    title: `Evict the pods of ${node}`,
    description: 'Each pod goes through the Eviction API, so its disruption budget holds; a refused eviction is tried again every 5 s.',
    commands: [drainCommand(node, options)],
    expectedMs: 15_000,
    isDone: ({ signal }) => isDrained(api, { node, options }, signal),
    action: (context) => drain(api, { node, options }, context),
    postcheck: async ({ signal }) => {
      if (!(await isDrained(api, { node, options }, signal))) throw new Error(`pods have come to ${node} meanwhile, or it was uncordoned: retry`)
    },
  }
}
