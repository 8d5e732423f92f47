import type { Command } from 'commander'
import type { UpgradePlan } from '#shared/contract/runbooks.ts'
import { Headless, withRun, type TargetOptions } from './headless.ts'
import { table } from './table.ts'

type Options = TargetOptions & { to?: string }

/** `drydock upgrade plan|apply`: the guided kubeadm upgrade without a window. */
export function register(program: Command): void {
  const upgrade = program.command('upgrade').description('plan and run a kubeadm upgrade')
  withRun(upgrade.command('plan'))
    .description("kubeadm's component tables and what stands in the way; nothing is changed")
    .option('--to <version>', 'the version to plan for (default: the newest that can be taken)')
    .action((options: Options) =>
      Headless.use(options, async (headless) => {
        const clusterId = await headless.cluster(options)
        const plan = await headless.invoke('upgrade.plan', { clusterId, ...(options.to === undefined ? {} : { targetVersion: options.to }) })
        process.stdout.write(options.output === 'json' ? `${JSON.stringify(plan, null, 2)}\n` : planText(plan))
        if (plan.findings.some(({ level }) => level === 'blocking')) process.exitCode = 3
      }),
    )
  withRun(upgrade.command('apply'))
    .description('back up etcd, then upgrade every node in order, draining by eviction')
    .requiredOption('--to <version>', 'the version to upgrade to')
    .option('--waive <reason>', 'start although something blocks; the reason goes into the report', '')
    .option('--parallel-workers <n>', 'workers that are drained and upgraded side by side', '1')
    .action((options: Options & { to: string; waive: string; parallelWorkers: string }) =>
      Headless.use(options, async (headless) => {
        const clusterId = await headless.cluster(options)
        const plan = await headless.invoke('upgrade.plan', { clusterId, targetVersion: options.to })
        if (options.output !== 'json') process.stdout.write(planText(plan))
        const blocking = plan.findings.filter(({ level }) => level === 'blocking')
        if (blocking.length > 0 && options.waive === '') {
          process.stderr.write(`drydock: nothing was changed: ${String(blocking.length)} blocking finding${blocking.length === 1 ? '' : 's'}\n`)
          process.exitCode = 3
          return
        }
        await headless.confirm(`Upgrade from ${plan.currentVersion} to ${plan.targetVersion} now?`, options)
        const { runId } = await headless.invoke('upgrade.start', {
          clusterId,
          targetVersion: options.to,
          waiver: options.waive,
          parallelWorkers: Number(options.parallelWorkers),
        })
        process.stderr.write(`drydock: run ${runId}\n`)
        await headless.follow(runId, options)
      }),
    )
}

/** The tables of `kubeadm upgrade plan`, by node where kubeadm counts. */
function planText({ currentVersion, targetVersion, manual, controlPlane, findings, offers }: UpgradePlan): string {
  const counted = new Map<string, number>()
  for (const { current } of manual) counted.set(current, (counted.get(current) ?? 0) + 1)
  const lines = [
    `Cluster version: ${currentVersion}`,
    `Offered: ${offers.map(({ version, title }) => `${version} (${title})`).join(', ') || 'nothing newer is in the catalogue'}`,
    '',
    'Components that are upgraded after the control plane, node by node:',
    table([['COMPONENT', 'CURRENT', 'TARGET'], ...[...counted].map(([version, count]) => ['kubelet', `${String(count)} x ${version}`, targetVersion])]),
    '',
    table([['COMPONENT', 'NODE', 'CURRENT', 'TARGET'], ...controlPlane.map(({ component, node, current, target }) => [component, node, current, target])]),
    '',
    ...findings.map(({ level, title, cure }) => `${level.toUpperCase()}: ${title}. ${cure}`),
  ]
  return `${lines.join('\n')}\n`
}
