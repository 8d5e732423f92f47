import type { RunView, StepView } from '#shared/contract/runbooks.ts'

/** The run as Markdown that reads well printed: outcome, a table of steps with times against what was expected, then each step's log. */
export function reportMarkdown(view: RunView): string {
  const started = view.startedAtMs === null ? 'not started' : new Date(view.startedAtMs).toISOString()
  const taken = view.startedAtMs === null || view.endedAtMs === null ? '' : ` in ${seconds(view.endedAtMs - view.startedAtMs)}`
  const lines = [
    `# ${view.title}`,
    '',
    `- Cluster: ${view.clusterName}`,
    `- Outcome: **${view.state}**${taken}`,
    `- Started: ${started}`,
    `- Went on after an interruption: ${view.resumed} ${view.resumed === 1 ? 'time' : 'times'}`,
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
  return step.startedAtMs === null || step.endedAtMs === null ? '' : seconds(step.endedAtMs - step.startedAtMs)
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`
}
