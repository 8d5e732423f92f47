import type { Clock } from '#shared/base/clock.ts'
import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { Backup } from '#shared/contract/backups.ts'
import type { UpgradePlan } from '#shared/contract/runbooks.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'
import { ClusterApi } from '../runbooks/clusterApi.ts'
import { checkCertificates, controlPlaneNodes } from '../runbooks/certificates/certificatesRunbook.ts'
import { drainInput, readDrainPlan } from '../runbooks/drain/drainRunbook.ts'
import type { RunbookEngine } from '../runbooks/engine.ts'
import type { NodeShellFactory } from '../runbooks/nodeShell/nodeShell.ts'
import { reportMarkdown } from '../runbooks/report.ts'
import { readRestorePlan, restoreInput } from '../runbooks/restore/restorePlan.ts'
import { readNodeManifests } from '../runbooks/staticPodEditor/nodeManifests.ts'
import { staticPodInput } from '../runbooks/staticPodEditor/staticPodRunbook.ts'
import { makePlan, readFacts } from '../runbooks/upgrade/plan.ts'
import { upgradeInput, type UpgradeDependencies } from '../runbooks/upgrade/upgrade.ts'
import type { Catalogue } from '../snapshot/catalogue.ts'
import { following } from './changes.ts'

/** A plan that was made longer ago is made again before an upgrade starts. */
const PLAN_FRESH_MS = 60_000

/** The contract's namespaces `drain`, `certs`, `clusterRestore`, `staticPods`, `upgrade` and `runbooks`. */
export function runbookHandlers(
  registry: ClusterRegistry,
  engine: RunbookEngine,
  {
    shells,
    catalogue,
    preflight,
    clock,
  }: { shells: (clusterId: string) => NodeShellFactory; catalogue: Catalogue; preflight: UpgradeDependencies['preflight']; clock: Clock },
): {
  requests: Pick<
    RequestHandlers,
    | 'drain.plan'
    | 'drain.start'
    | 'certs.check'
    | 'certs.renew'
    | 'clusterRestore.plan'
    | 'clusterRestore.start'
    | 'staticPods.list'
    | 'staticPods.edit'
    | 'upgrade.plan'
    | 'upgrade.start'
    | 'runbooks.resume'
    | 'runbooks.pause'
    | 'runbooks.abort'
    | 'runbooks.retryStep'
    | 'runbooks.skipStep'
    | 'runbooks.report'
  >
  subscriptions: Pick<SubscriptionHandlers, 'runbooks.watch' | 'runbooks.watchOne'>
} {
  const api = (clusterId: string): ClusterApi => new ClusterApi(registry.session(clusterId).transport)
  const cluster = (clusterId: string): { clusterId: string; clusterName: string } => ({ clusterId, clusterName: registry.summary(clusterId).name })
  let lastPlan: { clusterId: string; targetVersion: string; atMs: number; plan: UpgradePlan } | null = null
  const plan = async (clusterId: string, targetVersion: string | undefined, signal: AbortSignal): Promise<UpgradePlan> => {
    const made = makePlan(await readFacts(api(clusterId), signal), targetVersion)
    if (made.currentVersion === made.targetVersion) return made
    const read = { ...made, findings: [...made.findings, ...(await preflight(clusterId, { ...made, signal }))] }
    lastPlan = { clusterId, targetVersion: made.targetVersion, atMs: clock.now(), plan: read }
    return read
  }
  /** What was shown a moment ago without anything blocking is not read from every node again; the run's first step reads it anew. */
  const planToStart = async (clusterId: string, targetVersion: string, signal: AbortSignal): Promise<UpgradePlan> => {
    const shown = lastPlan
    const isFresh = shown?.clusterId === clusterId && shown.targetVersion === targetVersion && clock.now() - shown.atMs < PLAN_FRESH_MS
    return isFresh && !shown.plan.findings.some(({ level }) => level === 'blocking') ? shown.plan : plan(clusterId, targetVersion, signal)
  }
  const backup = async (id: string): Promise<Backup> => {
    const found = await catalogue.get(id)
    if (found === null || !found.present)
      throw new StatusError(failure(404, 'NotFound', found === null ? `there is no backup ${id}` : `the file ${found.path} is not there any more`))
    if (found.encryption !== 'none' || found.compression !== 'none')
      throw new StatusError(
        failure(
          422,
          'Invalid',
          `${found.path} is compressed or encrypted, and nodes are given it as it is: unpack it (age -d, zstd -d) and add that file to the backups`,
        ),
      )
    return found
  }
  return {
    requests: {
      'drain.plan': ({ clusterId, nodes, options }, { signal }) => readDrainPlan(api(clusterId), nodes, options, { signal }),
      'drain.start': async ({ clusterId, nodes, options }, { signal }) => {
        registry.requireWritable(clusterId)
        const plan = await readDrainPlan(api(clusterId), nodes, options, { signal })
        return { runId: await engine.start('drain', drainInput(plan, { id: clusterId, name: registry.summary(clusterId).name }, options)) }
      },
      'certs.check': async ({ clusterId }, { signal }) => checkCertificates(shells(clusterId), await controlPlaneNodes(api(clusterId), signal), { signal }),
      'certs.renew': async ({ clusterId }, { signal }) => {
        registry.requireWritable(clusterId)
        const input = { ...cluster(clusterId), controlPlaneNodes: await controlPlaneNodes(api(clusterId), signal) }
        return { runId: await engine.start('certificates', input) }
      },
      'clusterRestore.plan': async ({ clusterId, backupId }, { signal }) =>
        readRestorePlan(api(clusterId), shells(clusterId), await backup(backupId), { signal }),
      'clusterRestore.start': async ({ clusterId, backupId }, { signal }) => {
        registry.requireWritable(clusterId)
        const plan = await readRestorePlan(api(clusterId), shells(clusterId), await backup(backupId), { signal })
        return { runId: await engine.start('restore', restoreInput(plan, { id: clusterId, name: registry.summary(clusterId).name })) }
      },
      'staticPods.list': async ({ clusterId, node }, { signal }) => {
        const shell = await shells(clusterId)(node, { signal })
        try {
          return await readNodeManifests(api(clusterId), shell, { node, signal })
        } finally {
          shell.close()
        }
      },
      'staticPods.edit': async ({ clusterId, ...edit }, { signal }) => {
        registry.requireWritable(clusterId)
        const shell = await shells(clusterId)(edit.node, { signal })
        try {
          const known = { id: clusterId, name: registry.summary(clusterId).name }
          return { runId: await engine.start('static-pod', await staticPodInput(api(clusterId), shell, { cluster: known, edit, signal })) }
        } finally {
          shell.close()
        }
      },
      'upgrade.plan': ({ clusterId, targetVersion }, { signal }) => plan(clusterId, targetVersion, signal),
      'upgrade.start': async ({ clusterId, targetVersion, waiver = '', parallelWorkers = 1 }, { signal }) => {
        registry.requireWritable(clusterId)
        const blocking = (await planToStart(clusterId, targetVersion, signal)).findings.filter(({ level }) => level === 'blocking')
        if (blocking.length > 0 && waiver.trim() === '')
          throw new StatusError(failure(422, 'Invalid', `${blocking.map(({ title, cure }) => `${title}. ${cure}`).join(' ')} To start all the same, say why.`))
        const input = await upgradeInput(
          api(clusterId),
          { id: clusterId, name: registry.summary(clusterId).name },
          { targetVersion, waiver: waiver.trim(), parallelWorkers },
          signal,
        )
        return { runId: await engine.start('upgrade', input) }
      },
      'runbooks.resume': async ({ runId }) => {
        await engine.resume(runId)
        return null
      },
      'runbooks.abort': async ({ runId }) => {
        await engine.abort(runId)
        return null
      },
      'runbooks.pause': async ({ runId }) => {
        await engine.pause(runId)
        return null
      },
      'runbooks.skipStep': async ({ runId, stepId, reason }) => {
        await engine.skip(runId, { step: stepId, reason })
        return null
      },
      'runbooks.retryStep': async ({ runId }) => {
        await engine.resume(runId)
        return null
      },
      'runbooks.report': ({ runId }) => Promise.resolve({ markdown: reportMarkdown(engine.get(runId)) }),
    },
    subscriptions: {
      'runbooks.watch': (_input, { signal }) =>
        following(
          () => engine.list(),
          (listener) => engine.onChange(listener),
          signal,
        ),
      'runbooks.watchOne': ({ runId }, { signal }) =>
        following(
          () => engine.get(runId),
          (listener) =>
            engine.onChange(({ id }) => {
              if (id === runId) listener()
            }),
          signal,
        ),
    },
  }
}
