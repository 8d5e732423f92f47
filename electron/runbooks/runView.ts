import type { RunView, StepView } from '#shared/contract/runbooks.ts'
import type { Spell } from '#shared/planning/workedTime.ts'
import type { JournalRecord } from './journal.ts'

/** Lines of a step's log that a page is sent; the journal keeps all. */
const LOG_LINES_SHOWN = 500

/** A step that waits for nothing. */
const IDLE = { waitingFor: '', blockers: [] }

/** A new run as its `created` record describes it. */
export function createdView(record: Extract<JournalRecord, { type: 'created' }>): RunView {
  return {
    id: record.id,
    runbook: record.runbook,
    title: record.title,
    clusterId: record.clusterId,
    clusterName: record.clusterName,
    clusterUid: record.clusterUid ?? '',
    onTwin: record.onTwin ?? false,
    subject: record.subject ?? '',
    state: 'planned',
    createdAtMs: record.atMs,
    startedAtMs: null,
    endedAtMs: null,
    spells: [],
    lastRecordAtMs: record.atMs,
    resumed: 0,
    steps: record.steps.map((step) => ({
      ...step,
      rehearsedMs: step.rehearsedMs ?? null,
      state: 'pending',
      startedAtMs: null,
      endedAtMs: null,
      spells: [],
      waitingFor: '',
      blockers: [],
      log: [],
      error: '',
    })),
  }
}

/** The view after one more record. Pure: the given view is left as it was. */
export function applyRecord(view: RunView, record: JournalRecord): RunView {
  return { ...applied(view, record), lastRecordAtMs: record.atMs }
}

function applied(view: RunView, record: JournalRecord): RunView {
  switch (record.type) {
    case 'created':
    case 'working':
      return view
    case 'started':
      return { ...view, state: 'running', startedAtMs: view.startedAtMs ?? record.atMs, spells: begun(view.spells, record.atMs) }
    case 'resumed': {
      const stood = standingStill(view, view.lastRecordAtMs)
      const startedAtMs = view.startedAtMs ?? record.atMs
      return { ...stood, state: 'running', startedAtMs, endedAtMs: null, spells: begun(stood.spells, record.atMs), resumed: view.resumed + 1 }
    }
    case 'aborting': {
      const stood = standingStill(view, view.lastRecordAtMs)
      return { ...stood, spells: begun(stood.spells, record.atMs) }
    }
    case 'stepStarted':
      return withStep(view, record.step, (step) => ({
        ...step,
        state: 'running',
        startedAtMs: step.startedAtMs ?? record.atMs,
        endedAtMs: null,
        spells: begun(step.spells, record.atMs),
        error: '',
      }))
    case 'stepLog':
      return withStep(view, record.step, (step) => ({ ...step, log: [...step.log, { atMs: record.atMs, text: record.text }].slice(-LOG_LINES_SHOWN) }))
    case 'stepDone':
      return withStep(view, record.step, (step) => ({ ...step, state: 'done', endedAtMs: record.atMs, spells: ended(step.spells, record.atMs), ...IDLE }))
    case 'stepFailed':
      return withStep(view, record.step, (step) => ({
        ...step,
        state: 'failed',
        endedAtMs: record.atMs,
        spells: ended(step.spells, record.atMs),
        ...IDLE,
        error: record.error,
      }))
    case 'stepSkipped':
      return withStep(view, record.step, (step) => ({
        ...step,
        state: 'skipped',
        ...IDLE,
        log: [...step.log, { atMs: record.atMs, text: `left out: ${record.reason}` }],
      }))
    case 'stepUndone':
      return withStep(view, record.step, (step) => ({ ...step, state: 'undone', ...IDLE }))
    case 'paused':
      return { ...standingStill(view, record.atMs), state: 'waiting' }
    case 'ended':
      return { ...standingStill(view, record.atMs), state: record.state, endedAtMs: record.atMs }
  }
}

/** The run as a journal tells it; one that was running when its process went is `interrupted`. */
export function foldJournal(records: JournalRecord[]): RunView | null {
  const [first, ...rest] = records
  if (first?.type !== 'created') return null
  const view = rest.reduce(applyRecord, createdView(first))
  return view.state === 'running' ? { ...standingStill(view, view.lastRecordAtMs), state: 'interrupted' } : view
}

/** The run, on which and on whose steps nobody has worked since then. */
export function standingStill(view: RunView, sinceMs: number): RunView {
  return {
    ...view,
    spells: ended(view.spells, sinceMs),
    steps: view.steps.map((step) => (step.spells.at(-1)?.toMs === null ? { ...step, spells: ended(step.spells, sinceMs) } : step)),
  }
}

const begun = (spells: Spell[], fromMs: number): Spell[] => [...ended(spells, fromMs), { fromMs, toMs: null }]
const ended = (spells: Spell[], toMs: number): Spell[] => spells.map((spell) => (spell.toMs === null ? { ...spell, toMs } : spell))

export function withStep(view: RunView, id: string, change: (step: StepView) => StepView): RunView {
  return { ...view, steps: view.steps.map((step) => (step.id === id ? change(step) : step)) }
}
