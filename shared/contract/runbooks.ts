import * as v from 'valibot'
import type { DrainPlan } from '#shared/planning/drain/drainPlan.ts'
import type { Spell } from '#shared/planning/workedTime.ts'
import { request, subscription } from './channel.ts'
import { clusterId } from './clusters.ts'

export type StepState = 'pending' | 'running' | 'done' | 'failed' | 'skipped' | 'undone'
export type RunState = 'planned' | 'running' | 'waiting' | 'interrupted' | 'done' | 'failed' | 'aborted'

export interface Blocker {
  subject: string
  reason: string
}

export interface StepView {
  id: string
  title: string
  /** What the operator will see happening. */
  description: string
  /** The step in the operator's own tools. */
  commands: string[]
  state: StepState
  /** When it was first entered. */
  startedAtMs: number | null
  endedAtMs: number | null
  /** When it was worked on, oldest first: what lies between a stop, or a kill, and the resume is in none. */
  spells: Spell[]
  expectedMs: number
  /** How long it took when the same was rehearsed on a twin of this cluster; null when it was not. */
  rehearsedMs: number | null
  /** What it waits for, by name; '' when nothing. */
  waitingFor: string
  /** What holds it up now, one by one, each with its reason. */
  blockers: Blocker[]
  log: { atMs: number; text: string }[]
  error: string
}

export interface RunView {
  id: string
  runbook: string
  title: string
  clusterId: string
  clusterName: string
  /** Uid of the cluster's kube-system namespace: a twin has that of the cluster it was made from. '' when it could not be read. */
  clusterUid: string
  /** Whether it ran on a twin. */
  onTwin: boolean
  /** What it works towards, to be compared with a rehearsal: the target version of an upgrade, the nodes of a drain. */
  subject: string
  state: RunState
  createdAtMs: number
  startedAtMs: number | null
  endedAtMs: number | null
  /** When it was gone on with, oldest first: what it stood still, for a decision or as its process had gone, is in none. */
  spells: Spell[]
  /** When its journal was last written: the last sign of life of a process that has gone. */
  lastRecordAtMs: number
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

/** What a server shows against the file it should show. */
export interface CertificateComparison {
  server: string
  file: string
  fileSerial: string
  fileNotAfterMs: number
  servedSerial: string
  servedNotAfterMs: number | null
  same: boolean
  /** Why the server could not be asked; '' when it was. */
  problem: string
}

export interface CertificateCheck {
  node: string
  /** The two tables of `kubeadm certs check-expiration`. */
  table: string
  served: CertificateComparison[]
}

/** An etcd member as it is restored. */
export interface RestorePlanNode {
  name: string
  address: string
  member: string
  peerUrls: string
  /** Where its data is, and where kubeadm would look for it. */
  dataPath: string
  kubeadmPath: string
  /** Those of the two that are mount points or links: they stay, and `member` is moved within them. */
  keptInPlace?: string[]
}

export interface RestorePlan {
  backup: { id: string; path: string; clusterName: string; createdAtMs: number; objectCounts: Record<string, number> }
  nodes: RestorePlanNode[]
  readyNodes: string[]
  findings: UpgradeFinding[]
}

const drainRequest = v.object({
  clusterId,
  nodes: v.pipe(v.array(v.string()), v.minLength(1)),
  options: v.object({
    deleteEmptyDirData: v.boolean(),
    overrides: v.array(
      v.object({
        namespace: v.string(),
        name: v.string(),
        action: v.picklist(['evict', 'leave']),
        reason: v.pipe(v.string(), v.trim(), v.minLength(3, 'write why, in at least three letters')),
      }),
    ),
  }),
})

export const runbookChannels = {
  /** What a drain would do, in the order it would do it. Changes nothing. */
  'drain.plan': request<DrainPlan>()(drainRequest),
  'drain.start': request<{ runId: string }>()(drainRequest),
  /** kubeadm's certificates of each control-plane node, read there, and what is served. */
  'certs.check': request<CertificateCheck[]>()(v.object({ clusterId })),
  'certs.renew': request<{ runId: string }>()(v.object({ clusterId })),
  /** A kubeadm cluster's etcd restored on its nodes, through SSH. */
  'clusterRestore.plan': request<RestorePlan>()(v.object({ clusterId, backupId: v.string() })),
  'clusterRestore.start': request<{ runId: string }>()(v.object({ clusterId, backupId: v.string() })),
  'upgrade.plan': request<UpgradePlan>()(v.object({ clusterId, targetVersion: v.optional(v.string()) })),
  /** Makes the run, journals it and starts it. */
  'upgrade.start': request<{ runId: string }>()(
    v.object({
      clusterId,
      targetVersion: v.string(),
      /** Why it is started all the same, where something blocks. */
      waiver: v.optional(v.string()),
      /** Workers that are drained and upgraded side by side. @default 1 */
      parallelWorkers: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64))),
    }),
  ),
  'runbooks.watch': subscription<RunView[]>()(v.object({})),
  'runbooks.watchOne': subscription<RunView>()(v.object({ runId: v.string() })),
  'runbooks.resume': request<null>()(v.object({ runId: v.string() })),
  'runbooks.abort': request<null>()(v.object({ runId: v.string() })),
  /** Stops the running step; the run waits until it is resumed or aborted. */
  'runbooks.pause': request<null>()(v.object({ runId: v.string() })),
  /** Leaves a failed step out for a written reason and goes on with the next. */
  'runbooks.skipStep': request<null>()(v.object({ runId: v.string(), stepId: v.string(), reason: v.pipe(v.string(), v.trim(), v.minLength(3)) })),
  'runbooks.retryStep': request<null>()(v.object({ runId: v.string() })),
  'runbooks.report': request<{ markdown: string }>()(v.object({ runId: v.string() })),
} as const
