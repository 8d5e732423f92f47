import type { Clock } from '#shared/base/clock.ts'
import { Emitter } from '#shared/base/emitter.ts'
import { invariant } from '#shared/base/invariant.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { RunView } from '#shared/contract/runbooks.ts'
import { failure, StatusError } from '#shared/kubernetes/status.ts'
import type { Hold, HoldRequest } from './clusterHold.ts'
import { Journal, JournalError, readJournals, type JournalRecord } from './journal.ts'
import type { ClusterIdentity, Runbook, Step, StepContext } from './runbook.ts'
import { rehearsalOf } from './rehearsals.ts'
import { stagesOf, type Stage } from './stages.ts'
import { failureText } from './stepFailure.ts'
import { applyRecord, createdView, foldJournal, standingStill, withStep } from './runView.ts'

export interface EngineOptions {
  /** Where the journals are. */
  directory: string
  runbooks: readonly Runbook<never>[]
  clock: Clock
  logger: Logger
  /** Makes a run's identifier, e.g. a UUID. Used as a file name. */
  newId: () => string
  /** Keeps others off the cluster while a run works on it. @throws StatusError Conflict that names who has it */
  hold: (clusterId: string, request: HoldRequest) => Promise<Hold>
  /** Which cluster it is, wherever it runs. */
  identify: (clusterId: string, options: { signal: AbortSignal }) => Promise<ClusterIdentity>
}

/** A run in such a state keeps others off its cluster. */
const UNENDED: ReadonlySet<RunView['state']> = new Set(['planned', 'running', 'waiting', 'interrupted'])

/** How often a run shows in its journal that it goes on: when it was killed is known as closely. */
const SIGN_OF_LIFE_MS = 15_000

interface Run {
  view: RunView
  input: unknown
  journal: Journal
  controller: AbortController | null
  finished: Promise<void>
}

class RunAborted extends Error {
  override readonly name = 'RunAborted'
}

class RunPaused extends Error {
  override readonly name = 'RunPaused'
}

class EngineClosed extends Error {
  override readonly name = 'EngineClosed'
}

/**
 * Runs runbooks. Each transition is on disk before the next begins. A run that was going when its process went is
 * `interrupted` when the engine opens again, and `resume` goes on with the step it was in: done steps are never entered again.
 */
export class RunbookEngine {
  readonly #options: EngineOptions
  readonly #runs = new Map<string, Run>()
  readonly #changed = new Emitter<RunView>()
  readonly #closing = new AbortController()

  constructor(options: EngineOptions) {
    this.#options = options
  }

  /** Reads the journals. Starts nothing. */
  open(): void {
    for (const { records, brokenLines } of readJournals(this.#options.directory)) {
      const view = foldJournal(records)
      const first = records[0]
      if (view === null || first?.type !== 'created') continue
      if (brokenLines > 0) this.#options.logger.warn('journal has lines cut short', { run: view.id, brokenLines })
      this.#runs.set(view.id, {
        view,
        input: first.input,
        journal: Journal.open(this.#options.directory, view.id),
        controller: null,
        finished: Promise.resolve(),
      })
    }
  }

  /** Newest first. */
  list(): RunView[] {
    return [...this.#runs.values()].map(({ view }) => view).sort((a, b) => b.createdAtMs - a.createdAtMs)
  }

  /** @throws StatusError NotFound */
  get(id: string): RunView {
    return this.#run(id).view
  }

  onChange(listener: (view: RunView) => void): () => void {
    return this.#changed.subscribe(listener)
  }

  /** Journals a new run and starts it. @returns its id */
  async start(name: string, input: unknown): Promise<string> {
    const runbook = this.#runbook(name)
    const steps = await runbook.steps(input as never)
    const cluster = runbook.cluster(input as never)
    const busy = this.list().find((view) => view.clusterId === cluster.id && UNENDED.has(view.state))
    if (busy !== undefined) throw new StatusError(failure(409, 'Conflict', `"${busy.title}" has not ended on this cluster: resume or abort it first`))
    const id = this.#options.newId()
    const title = runbook.title(input as never)
    const identity = await this.#options.identify(cluster.id, { signal: this.#closing.signal })
    const subject = runbook.subject?.(input as never) ?? ''
    const rehearsal = identity.onTwin ? null : rehearsalOf(this.list(), { runbook: name, clusterUid: identity.clusterUid, subject })
    const hold = await this.#options.hold(cluster.id, { runId: id, title, signal: this.#closing.signal })
    const record: Extract<JournalRecord, { type: 'created' }> = {
      type: 'created',
      atMs: this.#options.clock.now(),
      id,
      runbook: name,
      title,
      clusterId: cluster.id,
      clusterName: cluster.name,
      ...identity,
      subject,
      input,
      steps: steps.map(({ id: stepId, title: stepTitle, description, commands, expectedMs }) => ({
        id: stepId,
        title: stepTitle,
        description,
        commands: [...commands],
        expectedMs,
        rehearsedMs: rehearsal?.steps.find((step) => step.id === stepId)?.tookMs ?? null,
      })),
    }
    const run: Run = { view: createdView(record), input, journal: Journal.open(this.#options.directory, id), controller: null, finished: Promise.resolve() }
    await releasingOnFailure(hold, () => {
      run.journal.append(record)
      this.#runs.set(id, run)
      this.#append(run, { type: 'started', atMs: this.#options.clock.now() })
    })
    this.#go(run, { steps, hold })
    return id
  }

  /** Goes on with an interrupted, paused or failed run at the step where it stopped. */
  async resume(id: string): Promise<void> {
    const run = this.#run(id)
    // One that is only planned was killed before its first step.
    if (run.controller !== null || run.view.state === 'done' || run.view.state === 'aborted')
      throw new StatusError(failure(409, 'Conflict', `the run is ${run.view.state}; only one that is interrupted, paused or failed can go on`))
    const steps = await this.#runbook(run.view.runbook).steps(run.input as never)
    const hold = await this.#hold(run)
    if (run.controller !== null) throw new StatusError(failure(409, 'Conflict', 'the run goes on already'))
    await releasingOnFailure(hold, () => {
      this.#append(run, { type: 'resumed', atMs: this.#options.clock.now() })
    })
    this.#go(run, { steps, hold })
  }

  /** Stops the running step where it is; it is entered again on resume. */
  async pause(id: string): Promise<void> {
    const run = this.#run(id)
    if (run.view.state !== 'running') throw new StatusError(failure(409, 'Conflict', `the run is ${run.view.state}; only a running one can be paused`))
    run.controller?.abort(new RunPaused('paused by the operator'))
    await run.finished
  }

  /** Leaves the failed step out, for a reason that goes into the report, and goes on with the next one. */
  async skip(id: string, { step, reason }: { step: string; reason: string }): Promise<void> {
    const run = this.#run(id)
    const state = run.view.steps.find((view) => view.id === step)?.state
    if (run.controller !== null || state !== 'failed')
      throw new StatusError(
        failure(409, 'Conflict', `step ${step} is ${state ?? 'unknown'} and the run is ${run.view.state}; only a failed step can be left out`),
      )
    this.#append(run, { type: 'stepSkipped', atMs: this.#options.clock.now(), step, reason })
    await this.resume(id)
  }

  /** Stops the running step, then undoes what can be undone, last step first. */
  async abort(id: string): Promise<void> {
    const run = this.#run(id)
    if (run.view.state === 'done' || run.view.state === 'aborted') throw new StatusError(failure(409, 'Conflict', `the run is ${run.view.state} already`))
    run.controller?.abort(new RunAborted('aborted by the operator'))
    await run.finished
    const steps = await this.#runbook(run.view.runbook).steps(run.input as never)
    const hold = await this.#hold(run)
    try {
      this.#append(run, { type: 'aborting', atMs: this.#options.clock.now() })
      await this.#undo(run, steps, hold.lost)
      this.#append(run, { type: 'ended', atMs: this.#options.clock.now(), state: 'aborted' })
    } finally {
      await hold.release()
    }
  }

  /** Last step first; one that cannot be undone is said so and the others go on. */
  async #undo(run: Run, steps: Step[], signal: AbortSignal): Promise<void> {
    for (const step of steps.toReversed()) {
      const state = run.view.steps.find((view) => view.id === step.id)?.state
      // One that was running when its process went may have done its work in part.
      if (step.undo === undefined || (state !== 'done' && state !== 'failed' && state !== 'running')) continue
      const context = this.#context(run, step, signal)
      try {
        await step.undo(context)
        this.#append(run, { type: 'stepUndone', atMs: this.#options.clock.now(), step: step.id })
      } catch (error) {
        context.log(`could not be undone: ${failureText(error)}`)
      }
    }
  }

  /** Settles when the run has ended or stopped. */
  async settled(id: string): Promise<RunView> {
    const run = this.#run(id)
    await run.finished
    return run.view
  }

  /** Stops running steps without ending their runs: they are `interrupted` next time. */
  async close(): Promise<void> {
    this.#closing.abort(new EngineClosed('the engine is closing'))
    for (const run of this.#runs.values()) run.controller?.abort(new EngineClosed('the engine is closing'))
    await Promise.all([...this.#runs.values()].map(({ finished }) => finished))
    for (const run of this.#runs.values()) run.journal.close()
    this.#runs.clear()
  }

  #hold({ view: { id, title, clusterId } }: Run): Promise<Hold> {
    return this.#options.hold(clusterId, { runId: id, title, signal: this.#closing.signal })
  }

  #go(run: Run, { steps, hold }: { steps: Step[]; hold: Hold }): void {
    invariant(run.controller === null, 'a run is driven by one loop at a time')
    run.controller = new AbortController()
    run.finished = this.#drive(run, steps, AbortSignal.any([run.controller.signal, hold.lost])).finally(async () => {
      await hold.release()
      run.controller = null
    })
  }

  async #drive(run: Run, steps: Step[], signal: AbortSignal): Promise<void> {
    const ended = new AbortController()
    void this.#showLife(run, ended.signal)
    try {
      await this.#steps(run, steps, signal)
    } catch (error) {
      if (!(error instanceof JournalError)) throw error
      this.#stopUnjournalled(run, error)
    } finally {
      ended.abort()
    }
  }

  async #showLife(run: Run, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    try {
      for (;;) {
        await clock.sleep(SIGN_OF_LIFE_MS, { signal })
        this.#append(run, { type: 'working', atMs: clock.now() })
      }
    } catch (error) {
      // A journal that cannot be written stops the run at its next transition.
      if (!signal.aborted) this.#options.logger.warn('no sign of life was written', { run: run.view.id, error: failureText(error) })
    }
  }

  /** What cannot be written down is not begun: the run stands as its journal has it, and goes on from there. */
  #stopUnjournalled(run: Run, error: JournalError): void {
    this.#options.logger.error('a run was stopped', { run: run.view.id, error: error.message })
    const text = `${error.message}. Nothing was begun after that. Make room on its disk, then resume`
    const step = run.view.steps.find(({ state }) => state === 'running' || state === 'pending') ?? run.view.steps.at(-1)
    const stopped = standingStill(run.view, this.#options.clock.now())
    this.#show(run, { ...withStep(stopped, step?.id ?? '', (view) => ({ ...view, error: text })), state: 'interrupted' })
  }

  async #steps(run: Run, steps: Step[], signal: AbortSignal): Promise<void> {
    for (const lanes of stagesOf(steps)) if (!(await this.#stage(run, lanes, signal))) return
    this.#append(run, { type: 'ended', atMs: this.#options.clock.now(), state: 'done' })
  }

  /** Lanes side by side. When one stops, the others end the step they are in and begin no other. @returns whether all came to their end */
  async #stage(run: Run, { lanes, parallel }: Stage, signal: AbortSignal): Promise<boolean> {
    const waiting = [...lanes]
    let stopped = false
    let fault: unknown = null
    const work = async (): Promise<void> => {
      for (let lane = waiting.shift(); lane !== undefined && !stopped; lane = waiting.shift())
        for (const step of lane) if (!stopped && !(await this.#step(run, step, signal))) stopped = true
    }
    await Promise.all(
      Array.from({ length: Math.min(parallel, lanes.length) }, () =>
        work().catch((error: unknown) => {
          stopped = true
          fault ??= error
          run.controller?.abort(error)
        }),
      ),
    )
    if (fault !== null) throw fault as Error
    if (!stopped) return true
    const atMs = this.#options.clock.now()
    // A closing engine leaves the journal as a kill would: the step is entered again on resume.
    if (signal.reason instanceof EngineClosed) this.#show(run, { ...standingStill(run.view, atMs), state: 'interrupted' })
    else if (signal.reason instanceof RunPaused) this.#append(run, { type: 'paused', atMs })
    else if (!(signal.reason instanceof RunAborted)) this.#append(run, { type: 'ended', atMs, state: 'failed' })
    return false
  }

  /** @returns false when it did not come to its end */
  async #step(run: Run, step: Step, signal: AbortSignal): Promise<boolean> {
    const now = (): number => this.#options.clock.now()
    const state = run.view.steps.find((view) => view.id === step.id)?.state
    if (state === 'done' || state === 'skipped') return true
    this.#append(run, { type: 'stepStarted', atMs: now(), step: step.id })
    const context = this.#context(run, step, signal)
    try {
      signal.throwIfAborted()
      if ((await step.isDone?.(context)) === true) context.log('already so, nothing to do')
      else {
        await step.precheck?.(context)
        await step.action(context)
      }
      await step.postcheck?.(context)
    } catch (error) {
      if (signal.reason instanceof JournalError) throw signal.reason
      if (error instanceof JournalError) throw error
      if (!(signal.reason instanceof EngineClosed) && !(signal.reason instanceof RunPaused))
        this.#append(run, { type: 'stepFailed', atMs: now(), step: step.id, error: failureText(signal.aborted ? signal.reason : error) })
      return false
    }
    this.#append(run, { type: 'stepDone', atMs: now(), step: step.id })
    return true
  }

  #context(run: Run, step: Step, signal: AbortSignal): StepContext {
    return {
      signal,
      clock: this.#options.clock,
      runId: run.view.id,
      stepId: step.id,
      startedAtMs: run.view.steps.find(({ id }) => id === step.id)?.startedAtMs ?? this.#options.clock.now(),
      log: (text) => {
        try {
          this.#append(run, { type: 'stepLog', atMs: this.#options.clock.now(), step: step.id, text })
        } catch (error) {
          // What the step is doing is stopped where it waits next; it must not take this for its own failure.
          run.controller?.abort(error)
        }
      },
      waitFor: (text, blockers = []) => {
        this.#show(
          run,
          withStep(run.view, step.id, (view) => ({ ...view, waitingFor: text, blockers: [...blockers] })),
        )
      },
    }
  }

  #append(run: Run, record: JournalRecord): void {
    run.journal.append(record)
    this.#show(run, applyRecord(run.view, record))
  }

  #show(run: Run, view: RunView): void {
    run.view = view
    this.#changed.emit(view)
  }

  #run(id: string): Run {
    const run = this.#runs.get(id)
    if (run === undefined) throw new StatusError(failure(404, 'NotFound', `no run ${id}`))
    return run
  }

  #runbook(name: string): Runbook<never> {
    const runbook = this.#options.runbooks.find((candidate) => candidate.name === name)
    if (runbook === undefined) throw new StatusError(failure(404, 'NotFound', `no runbook ${name}`))
    return runbook
  }
}

/** A cluster is not kept from others by a run that did not begin. */
async function releasingOnFailure(hold: Hold, begin: () => void): Promise<void> {
  try {
    begin()
  } catch (error) {
    await hold.release()
    throw error
  }
}
