import type { Clock } from '#shared/base/clock.ts'
import type { Blocker } from '#shared/contract/runbooks.ts'

/** What a step may use while it works. */
export interface StepContext {
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly runId: string
  readonly stepId: string
  /** When the step was first entered, by the journal. */
  readonly startedAtMs: number
  /** One line for the run's log and report. */
  log(text: string): void
  /** Names what the step is waiting for, e.g. `pod default/web-1 to be evicted`; '' when it no longer waits. `blockers` are what holds it up. */
  waitFor(text: string, blockers?: readonly Blocker[]): void
}

/**
 * One step of a runbook. A run may be killed at any point and its running step is then entered again, so `action` must be
 * safe to repeat: `isDone` is asked first and, when it says so, the action is not run a second time.
 */
export interface Step {
  /** Unique in the runbook and stable across versions, as the journal names steps by it. */
  readonly id: string
  readonly title: string
  /** What the operator will see happening. */
  readonly description: string
  /** The step in the operator's own tools. */
  readonly commands: readonly string[]
  /** How long it usually takes, in milliseconds. */
  readonly expectedMs: number
  /**
   * Neighbouring steps of one group may go side by side, `parallel` lanes at a time; those of one lane go in order. Only for steps whose
   * lanes do not need each other. @default alone, after all that stand before it
   */
  readonly lane?: { readonly group: string; readonly name: string; readonly parallel: number }
  /** Throws with a reason when the step must not start. */
  precheck?(context: StepContext): Promise<void>
  /** Whether what the step brings about is so already. @default never */
  isDone?(context: StepContext): Promise<boolean>
  action(context: StepContext): Promise<void>
  /** Throws with a reason when the step did not bring about what it should. */
  postcheck?(context: StepContext): Promise<void>
  /** Takes the step back when the run is aborted. Steps without it are left as they are, and the report says so. */
  undo?(context: StepContext): Promise<void>
}

/** A kind of run, e.g. `upgrade`. `Input` is JSON: it is kept in the journal and the steps are made from it again on resume. */
export interface Runbook<Input = unknown> {
  readonly name: string
  title(input: Input): string
  /** The cluster the run works on. */
  cluster(input: Input): { id: string; name: string }
  /** What it works towards: a rehearsal counts for a run of the same. @default '' */
  subject?(input: Input): string
  /** @throws when the input cannot be worked on (any longer) */
  steps(input: Input): Promise<Step[]>
}

/** Which cluster a run works on, so that a run on its twin is known for a rehearsal of it. */
export interface ClusterIdentity {
  /** Uid of the namespace kube-system; '' when it could not be read. */
  clusterUid: string
  onTwin: boolean
}
