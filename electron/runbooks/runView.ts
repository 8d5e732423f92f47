import type { RunView, StepView } from '#shared/contract/runbooks.ts'
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
    resumed: 0,
    steps: record.steps.map((step) => ({
      ...step,
      rehearsedMs: step.rehearsedMs ?? null,
      state: 'pending',
      startedAtMs: null,
      endedAtMs: null,
      waitingFor: '',
      blockers: [],
      log: [],
      error: '',
    })),
  }
}

/** The view after one more record. Pure: the given view is left as it was. */
export function applyRecord(view: RunView, record: JournalRecord): RunView {
  switch (record.type) {
    case 'created':
      return view
    case 'started':
      return { ...view, state: 'running', startedAtMs: view.startedAtMs ?? record.atMs }
    case 'resumed':
      return { ...view, state: 'running', startedAtMs: view.startedAtMs ?? record.atMs, endedAtMs: null, resumed: view.resumed + 1 }
    case 'stepStarted':
      return withStep(view, record.step, (step) => ({ ...step, state: 'running', startedAtMs: step.startedAtMs ?? record.atMs, endedAtMs: null, error: '' }))
    case 'stepLog':
      return withStep(view, record.step, (step) => ({ ...step, log: [...step.log, { atMs: record.atMs, text: record.text }].slice(-LOG_LINES_SHOWN) }))
    case 'stepDone':
      return withStep(view, record.step, (step) => ({ ...step, state: 'done', endedAtMs: record.atMs, ...IDLE }))
    case 'stepFailed':
      return withStep(view, record.step, (step) => ({ ...step, state: 'failed', endedAtMs: record.atMs, ...IDLE, error: record.error }))
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
      return { ...view, state: 'waiting' }
    case 'ended':
      return { ...view, state: record.state, endedAtMs: record.atMs }
  }
}

/** The run as a journal tells it; one that was running when its process went is `interrupted`. */
export function foldJournal(records: JournalRecord[]): RunView | null {
  const [first, ...rest] = records
  if (first?.type !== 'created') return null
  const view = rest.reduce(applyRecord, createdView(first))
  return view.state === 'running' ? { ...view, state: 'interrupted' } : view
}

export function withStep(view: RunView, id: string, change: (step: StepView) => StepView): RunView {
  return { ...view, steps: view.steps.map((step) => (step.id === id ? change(step) : step)) }
}
