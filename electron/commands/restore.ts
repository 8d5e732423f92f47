import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { RestorePlan } from '#shared/contract/runbooks.ts'
import { Headless, withRun, type TargetOptions } from './headless.ts'
import { table } from './table.ts'

/** `drydock restore plan|apply FILE`: etcd of a kubeadm cluster restored in place on its nodes. */
export function register(program: Command): void {
  const restore = program.command('restore').description("restore a kubeadm cluster's etcd on its nodes")
  withRun(restore.command('plan <snapshot>'))
    .description('the members and where their data is, what the backup holds, and what stands in the way; nothing is changed')
    .action((snapshot: string, options: TargetOptions) =>
      Headless.use(options, async (headless) => {
        const { plan } = await read(headless, snapshot, options)
        process.stdout.write(options.output === 'json' ? `${JSON.stringify(plan, null, 2)}\n` : planText(plan))
        if (plan.findings.some(({ level }) => level === 'blocking')) process.exitCode = 3
      }),
    )
  withRun(restore.command('apply <snapshot>'))
    .description('save what is there, stop the control planes, put the restored data in place, start them again and compare')
    .action((snapshot: string, options: TargetOptions) =>
      Headless.use(options, async (headless) => {
        const { plan, clusterId } = await read(headless, snapshot, options)
        if (options.output !== 'json') process.stdout.write(planText(plan))
        if (plan.findings.some(({ level }) => level === 'blocking')) {
          process.stderr.write('drydock: nothing was changed: something stands in the way\n')
          process.exitCode = 3
          return
        }
        await headless.confirm(`Take the cluster back to what ${snapshot} holds? What was written since is lost.`, options)
        const { runId } = await headless.invoke('clusterRestore.start', { clusterId, backupId: plan.backup.id })
        process.stderr.write(`drydock: run ${runId}\n`)
        await headless.follow(runId, options)
      }),
    )
}

async function read(headless: Headless, snapshot: string, options: TargetOptions): Promise<{ plan: RestorePlan; clusterId: string }> {
  const clusterId = await headless.cluster(options)
  const known = (await headless.first('backups.watch', {}, () => true)).find(({ path }) => path === resolve(snapshot))
  const backup = known?.verdict === 'good' ? known : await headless.invoke('backups.import', { path: resolve(snapshot) })
  return { plan: await headless.invoke('clusterRestore.plan', { clusterId, backupId: backup.id }), clusterId }
}

function planText({ backup, nodes, findings }: RestorePlan): string {
  const objects = Object.values(backup.objectCounts).reduce((sum, count) => sum + count, 0)
  return `${[
    `Backup: ${backup.path}`,
    `Holds: ${String(objects)} objects of ${String(Object.keys(backup.objectCounts).length)} kinds`,
    '',
    table([
      ['NODE', 'MEMBER', 'PEER', 'DATA', 'AFTERWARDS'],
      ...nodes.map(({ name, member, peerUrls, dataPath, kubeadmPath }) => [name, member, peerUrls, dataPath, kubeadmPath]),
    ]),
    '',
    ...findings.map(({ level, title, cure }) => `${level.toUpperCase()}: ${title}. ${cure}`),
  ].join('\n')}\n`
}
