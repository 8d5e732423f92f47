import type { Command } from 'commander'
import type { DrainOptions, DrainPlan, PlannedPod, PodOverride } from '#shared/planning/drain/drainPlan.ts'
import { Headless, withRun, type TargetOptions } from './headless.ts'
import { table } from './table.ts'

type Options = TargetOptions & { deleteEmptydirData: boolean; override: PodOverride[] }

/** `drydock drain plan|apply NODE…`: what a drain would do, and the drain itself, without a window. */
export function register(program: Command): void {
  const drain = program.command('drain').description('plan a drain of nodes, then evict their pods')
  withDrain(drain.command('plan <node...>'))
    .description('every pod with what becomes of it, where its replacement fits, and what stands in the way; nothing is changed')
    .action((nodes: string[], options: Options) =>
      Headless.use(options, async (headless) => {
        const plan = await headless.invoke('drain.plan', { clusterId: await headless.cluster(options), nodes, options: drainOptions(options) })
        process.stdout.write(options.output === 'json' ? `${JSON.stringify(plan, null, 2)}\n` : planText(plan))
        if (held(plan).length > 0) process.exitCode = 3
      }),
    )
  withDrain(drain.command('apply <node...>'))
    .description('cordon the nodes, then evict their pods by the Eviction API, node after node')
    .action((nodes: string[], options: Options) =>
      Headless.use(options, async (headless) => {
        const clusterId = await headless.cluster(options)
        const plan = await headless.invoke('drain.plan', { clusterId, nodes, options: drainOptions(options) })
        if (options.output !== 'json') process.stdout.write(planText(plan))
        const undecided = held(plan).filter(({ verdict }) => verdict === 'undecided')
        if (undecided.length > 0) {
          process.stderr.write(
            `drydock: nothing was changed: decide on ${undecided.map(({ namespace, name }) => `${namespace}/${name}`).join(', ')} with --override NAMESPACE/POD=evict|leave:REASON, or --delete-emptydir-data\n`,
          )
          process.exitCode = 3
          return
        }
        await headless.confirm(`Drain ${nodes.join(', ')} now?`, options)
        const { runId } = await headless.invoke('drain.start', { clusterId, nodes, options: drainOptions(options) })
        process.stderr.write(`drydock: run ${runId}\n`)
        await headless.follow(runId, options)
      }),
    )
}

function withDrain(command: Command): Command {
  return withRun(command)
    .option('--delete-emptydir-data', 'evict pods that use emptyDir; their data is lost', false)
    .option('--override <pod>', 'NAMESPACE/POD=evict:REASON or NAMESPACE/POD=leave:REASON; may be given several times', collectOverride, [])
}

function collectOverride(text: string, before: PodOverride[]): PodOverride[] {
  const match = /^([^/=]+)\/([^/=]+)=(evict|leave):(.*\S.*)$/.exec(text)
  if (match === null) throw new Error(`--override must be NAMESPACE/POD=evict:REASON or NAMESPACE/POD=leave:REASON, not ${JSON.stringify(text)}`)
  const [, namespace = '', name = '', action, reason = ''] = match
  return [...before, { namespace, name, action: action === 'evict' ? 'evict' : 'leave', reason: reason.trim() }]
}

const drainOptions = ({ deleteEmptydirData, override }: Options): DrainOptions & { overrides: PodOverride[] } => ({
  deleteEmptyDirData: deleteEmptydirData,
  overrides: override,
})

/** Pods that cannot go without somebody doing something. */
const held = ({ nodes }: DrainPlan): PlannedPod[] => nodes.flatMap(({ pods }) => pods.filter(({ verdict }) => verdict === 'blocked' || verdict === 'undecided'))

function planText({ nodes }: DrainPlan): string {
  const lines = nodes.flatMap(({ name, cordoned, pods }, index) => [
    `${String(index + 1)}. ${name}${cordoned ? ' (cordoned already)' : ''}: ${String(pods.length)} pods`,
    table([
      ['POD', 'VERDICT', 'GOES TO', 'WHY'],
      ...pods.map((pod) => [
        `${pod.namespace}/${pod.name}`,
        pod.verdict,
        pod.target || (pod.fitProblem === '' ? '-' : 'nowhere'),
        [pod.reason, pod.fitProblem, pod.losesEmptyDir && pod.verdict !== 'stays' ? 'loses its emptyDir data' : ''].filter((text) => text !== '').join('; '),
      ]),
    ]),
    '',
  ])
  return `${lines.join('\n')}\n`
}
