import type { Command } from 'commander'
import type { RunView } from '#shared/contract/runbooks.ts'
import { Headless, withRun, type TargetOptions } from './headless.ts'

/** `drydock runbook …`: the journal of the data directory. */
export function register(program: Command): void {
  const runbook = program.command('runbook').description('the journal of runs: list, show, go on, give up')
  withRun(runbook.command('list'))
    .description('every run, newest first')
    .action((options: TargetOptions) =>
      Headless.use(options, async (headless) => {
        const runs = await headless.first('runbooks.watch', {}, () => true)
        if (options.output === 'json') process.stdout.write(`${JSON.stringify(runs, null, 2)}\n`)
        else if (runs.length === 0) process.stdout.write('no runs yet\n')
        else
          for (const run of runs)
            process.stdout.write(`${run.id}  ${run.state.padEnd(11)}  ${new Date(run.createdAtMs).toISOString()}  ${run.clusterName}  ${run.title}\n`)
      }),
    )
  withRun(runbook.command('show <id>'))
    .description('a run as a report')
    .action((id: string, options: TargetOptions) =>
      Headless.use(options, async (headless) => {
        const run = await headless.first('runbooks.watchOne', { runId: id }, () => true)
        process.stdout.write(
          options.output === 'json' ? `${JSON.stringify(run, null, 2)}\n` : (await headless.invoke('runbooks.report', { runId: id })).markdown,
        )
      }),
    )
  withRun(runbook.command('resume <id>'))
    .description('go on with the step where a run stopped')
    .action((id: string, options: TargetOptions) =>
      Headless.use(options, async (headless) => {
        await reconnect(headless, await headless.first('runbooks.watchOne', { runId: id }, () => true))
        await headless.invoke('runbooks.resume', { runId: id })
        await headless.follow(id, options)
      }),
    )
  withRun(runbook.command('abort <id>'))
    .description('give a run up and undo what can be undone')
    .action((id: string, options: TargetOptions) =>
      Headless.use(options, async (headless) => {
        await reconnect(headless, await headless.first('runbooks.watchOne', { runId: id }, () => true))
        await headless.invoke('runbooks.abort', { runId: id })
        await headless.follow(id, options)
      }),
    )
}

/** A twin is started again with the data directory; the run waits until it answers. */
async function reconnect(headless: Headless, { clusterId, clusterName }: RunView): Promise<void> {
  const clusters = await headless.first('clusters.watch', {}, (list) => {
    const found = list.find(({ id }) => id === clusterId)
    return found === undefined || found.server !== '' || found.kind === 'remote'
  })
  if (!clusters.some(({ id }) => id === clusterId)) throw new Error(`the cluster ${clusterName} of this run is not known here: give its --kubeconfig`)
  await headless.invoke('clusters.open', { clusterId })
  // A restore stops the API server itself: whether the run can go on without one, its step knows.
  const reached = await headless.first('clusters.watch', {}, (list) =>
    list.some(({ id, connection }) => id === clusterId && !['idle', 'connecting'].includes(connection.state)),
  )
  const { connection } = reached.find(({ id }) => id === clusterId) ?? {}
  if (connection !== undefined && 'message' in connection) process.stderr.write(`drydock: ${clusterName} does not answer now: ${connection.message}\n`)
}
