import type { RunView, StepView } from '#shared/contract/runbooks.ts'
import { workedMs } from '#shared/planning/workedTime.ts'

/** A shorter standstill is that of the program itself. */
const STANDSTILL_MS = 1_000

/** The run as Markdown that reads well printed: outcome, a table of steps with times against what was expected, then each step's log. */
export function reportMarkdown(view: RunView): string {
  const started = view.startedAtMs === null ? 'not started' : new Date(view.startedAtMs).toISOString()
  const lastMs = view.endedAtMs ?? view.lastRecordAtMs
  const worked = workedMs(view.spells, lastMs)
  const stoodMs = lastMs - (view.startedAtMs ?? lastMs) - worked
  const lines = [
    `# ${view.title}`,
    '',
    `- Cluster: ${view.clusterName}`,
    `- Outcome: **${view.state}**${view.endedAtMs === null ? '' : ` in ${seconds(worked)}`}`,
    `- Started: ${started}`,
    `- Went on after an interruption: ${view.resumed} ${view.resumed === 1 ? 'time' : 'times'}`,
    ...(stoodMs < STANDSTILL_MS ? [] : [`- Stood still: ${seconds(stoodMs)}, which no time below counts`]),
    '',
    '| Step | State | Took | Expected | In the rehearsal |',
    '| --- | --- | ---: | ---: | ---: |',
    ...view.steps.map(
      (step) =>
        `| ${step.title} | ${step.state} | ${took(step)} | ${seconds(step.expectedMs)} | ${step.rehearsedMs === null ? '' : seconds(step.rehearsedMs)} |`,
    ),
  ]
  for (const step of view.steps) {
    lines.push('', `## ${step.title}`, '', step.description)
    if (step.commands.length > 0) lines.push('', '```', ...step.commands, '```')
    if (step.error !== '') lines.push('', `**Failed:** ${step.error}`)
    if (step.log.length > 0) lines.push('', ...step.log.map(({ atMs, text }) => `- ${new Date(atMs).toISOString().slice(11, 19)} ${text}`))
  }
  return `${lines.join('\n')}\n`
}

function took(step: StepView): string {
  return step.spells.length === 0 || step.endedAtMs === null ? '' : seconds(workedMs(step.spells, step.endedAtMs))
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`
}
