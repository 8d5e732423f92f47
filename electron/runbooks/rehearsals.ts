import type { RunView, UpgradeFinding } from '#shared/contract/runbooks.ts'
import { workedMs, type Spell } from '#shared/planning/workedTime.ts'

export interface Rehearsal {
  runId: string
  endedAtMs: number
  tookMs: number
  steps: { id: string; tookMs: number }[]
}

const HOUR_MS = 3_600_000
/** A cluster changes: what was rehearsed longer ago than this says little. */
const STALE_MS = 7 * 24 * HOUR_MS

const tookMs = ({ spells, endedAtMs }: { spells: readonly Spell[]; endedAtMs: number | null }): number => (endedAtMs === null ? 0 : workedMs(spells, endedAtMs))

/** The newest run of the same on a twin of the same cluster that came to its end without a step left out; null without one. */
export function rehearsalOf(
  runs: readonly RunView[],
  { runbook, clusterUid, subject }: { runbook: string; clusterUid: string; subject: string },
): Rehearsal | null {
  if (clusterUid === '') return null
  const found = runs
    .filter((run) => run.onTwin && run.state === 'done' && run.runbook === runbook && run.clusterUid === clusterUid && run.subject === subject)
    .filter(({ steps }) => steps.every(({ state }) => state === 'done'))
    .sort((a, b) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0))[0]
  if (found === undefined) return null
  return { runId: found.id, endedAtMs: found.endedAtMs ?? 0, tookMs: tookMs(found), steps: found.steps.map((step) => ({ id: step.id, tookMs: tookMs(step) })) }
}

/** What the preflight says of an upgrade's rehearsal: a protected cluster is not upgraded without one. */
export function rehearsalFinding(
  rehearsal: Rehearsal | null,
  { isProtected, targetVersion, nowMs }: { isProtected: boolean; targetVersion: string; nowMs: number },
): UpgradeFinding {
  const how = 'Rehearse it: "Rehearse on a twin" on the Upgrade page, or drydock upgrade apply --twin SNAPSHOT with the same --data-dir.'
  if (rehearsal === null)
    return {
      level: isProtected ? 'blocking' : 'note',
      title: `the upgrade to ${targetVersion} was not rehearsed on a twin of this cluster${isProtected ? ', which is protected' : ''}`,
      cure: isProtected ? `${how} Or say in writing why it is started without.` : how,
    }
  const ageMs = nowMs - rehearsal.endedAtMs
  const what = `the upgrade to ${targetVersion} was rehearsed ${ageMs < HOUR_MS ? 'within the last hour' : `${String(Math.floor(ageMs / HOUR_MS))} hours ago`}, in ${String(Math.round(rehearsal.tookMs / 1000))} s`
  if (ageMs > STALE_MS) return { level: isProtected ? 'blocking' : 'warning', title: `${what}: too long ago to count`, cure: how }
  return { level: 'note', title: what, cure: `Its report: drydock runbook show ${rehearsal.runId}. Each step is shown beside the time it took there.` }
}
