import * as v from 'valibot'
import { request, subscription } from './channel.ts'
import { clusterId } from './clusters.ts'

export type StepState = 'pending' | 'running' | 'done' | 'failed' | 'skipped' | 'undone'
export type RunState = 'planned' | 'running' | 'waiting' | 'interrupted' | 'done' | 'failed' | 'aborted'

export interface StepView {
  id: string
  title: string
  /** What the operator will see happening. */
  description: string
  /** The step in the operator's own tools. */
  commands: string[]
  state: StepState
  startedAtMs: number | null
  endedAtMs: number | null
  expectedMs: number
  /** What it waits for, by name; '' when nothing. */
  waitingFor: string
  log: { atMs: number; text: string }[]
  error: string
}

export interface RunView {
  id: string
  runbook: string
  title: string
  clusterId: string
  clusterName: string
  state: RunState
  createdAtMs: number
  startedAtMs: number | null
  endedAtMs: number | null
  steps: StepView[]
  /** Times the run went on after its process had gone. */
  resumed: number
}

/** kubeadm's component table. `node` is '' for addons. */
export interface UpgradePlanRow {
  component: string
  node: string
  current: string
  target: string
}

export interface UpgradeFinding {
  level: 'blocking' | 'warning' | 'note'
  title: string
  cure: string
}

export interface UpgradePlan {
  currentVersion: string
  targetVersion: string
  /** Versions offered, newest first. */
  offers: { version: string; title: string }[]
  manual: UpgradePlanRow[]
  controlPlane: UpgradePlanRow[]
  findings: UpgradeFinding[]
}

export const runbookChannels = {
  'upgrade.plan': request<UpgradePlan>()(v.object({ clusterId, targetVersion: v.optional(v.string()) })),
  /** Makes the run, journals it and starts it. */
  'upgrade.start': request<{ runId: string }>()(v.object({ clusterId, targetVersion: v.string() })),
  'runbooks.watch': subscription<RunView[]>()(v.object({})),
  'runbooks.watchOne': subscription<RunView>()(v.object({ runId: v.string() })),
  'runbooks.resume': request<null>()(v.object({ runId: v.string() })),
  'runbooks.abort': request<null>()(v.object({ runId: v.string() })),
  'runbooks.retryStep': request<null>()(v.object({ runId: v.string() })),
  'runbooks.report': request<{ markdown: string }>()(v.object({ runId: v.string() })),
} as const
