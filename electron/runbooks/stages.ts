import type { Step } from './runbook.ts'

/** Lanes that go side by side, so many at a time; the steps of each in order. */
export interface Stage {
  lanes: Step[][]
  parallel: number
}

/** A runbook's steps as they are worked on: one after the other, or neighbours of one group in lanes. */
export function stagesOf(steps: readonly Step[]): Stage[] {
  const stages: (Stage & { group: string })[] = []
  for (const step of steps) {
    const last = stages.at(-1)
    const group = step.lane?.group ?? ''
    const lane = last?.lanes.find(([first]) => first?.lane?.name === step.lane?.name)
    if (last === undefined || group === '' || last.group !== group) stages.push({ lanes: [[step]], parallel: step.lane?.parallel ?? 1, group })
    else if (lane === undefined) last.lanes.push([step])
    else lane.push(step)
  }
  return stages
}
