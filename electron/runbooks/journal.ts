import { closeSync, fdatasyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync, fsyncSync } from 'node:fs'
import { join } from 'node:path'
import type { RunState } from '#shared/contract/runbooks.ts'

/** What a step looks like in the journal's first record; the rest of it is code. */
export interface JournalledStep {
  id: string
  title: string
  description: string
  commands: string[]
  expectedMs: number
  rehearsedMs?: number | null
}

/** One line of a run's journal. Folding the lines in order gives the run (runView.ts). */
export type JournalRecord =
  | {
      type: 'created'
      atMs: number
      id: string
      runbook: string
      title: string
      clusterId: string
      clusterName: string
      /** These three are missing in journals of before there were rehearsals. */
      clusterUid?: string
      onTwin?: boolean
      subject?: string
      input: unknown
      steps: JournalledStep[]
    }
  | { type: 'started'; atMs: number }
  | { type: 'resumed'; atMs: number }
  /** What can be undone is going to be. */
  | { type: 'aborting'; atMs: number }
  /** A sign of life, written now and then while steps are worked on. */
  | { type: 'working'; atMs: number }
  | { type: 'stepStarted'; atMs: number; step: string }
  | { type: 'stepLog'; atMs: number; step: string; text: string }
  | { type: 'stepDone'; atMs: number; step: string }
  | { type: 'stepFailed'; atMs: number; step: string; error: string }
  | { type: 'stepSkipped'; atMs: number; step: string; reason: string }
  | { type: 'stepUndone'; atMs: number; step: string }
  | { type: 'paused'; atMs: number }
  | { type: 'ended'; atMs: number; state: Extract<RunState, 'done' | 'failed' | 'aborted'> }

/** The journal could not be written, e.g. as its disk is full. */
export class JournalError extends Error {
  override readonly name = 'JournalError'
}

/**
 * The journal of one run: JSON lines in `<id>.jsonl`. A transition is on disk (fdatasync) before `append` returns, so what a
 * process was doing when it was killed can be read afterwards. Log lines and signs of life go with the next transition.
 */
export class Journal {
  readonly #descriptor: number
  readonly #path: string
  /** Whether the last line is cut short. */
  #torn = false

  private constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor
    this.#path = path
  }

  /** Opens for appending; a last line cut short by a kill is ended first, so that the next record stands on a line of its own. */
  static open(directory: string, id: string): Journal {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const path = join(directory, `${id}.jsonl`)
    const descriptor = openSync(path, 'a+', 0o600)
    const text = readFileSync(path, 'utf8')
    if (text !== '' && !text.endsWith('\n')) writeSync(descriptor, '\n')
    syncDirectory(directory)
    return new Journal(descriptor, path)
  }

  /** @throws JournalError when it is not on disk: nothing may be begun then */
  append(record: JournalRecord): void {
    const line = `${JSON.stringify(record)}\n`
    try {
      if (this.#torn) writeSync(this.#descriptor, '\n')
      this.#torn = false
      // A disk that becomes full takes a part of a line without a word.
      const written = writeSync(this.#descriptor, line)
      this.#torn = written < Buffer.byteLength(line)
      if (this.#torn) throw new Error('ENOSPC: no space left on device')
      if (record.type !== 'stepLog' && record.type !== 'working') fdatasyncSync(this.#descriptor)
    } catch (error) {
      throw new JournalError(`the journal ${this.#path} cannot be written (${error instanceof Error ? error.message : String(error)})`, { cause: error })
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

/** A new file is only sure to be found after a power cut once its directory is on disk too. */
function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Every run's records, in file order. Lines that are no JSON (cut short by a kill) are passed over. */
export function readJournals(directory: string): { records: JournalRecord[]; brokenLines: number }[] {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => {
      const records: JournalRecord[] = []
      let brokenLines = 0
      for (const line of readFileSync(join(directory, name), 'utf8').split('\n')) {
        if (line === '') continue
        try {
          records.push(JSON.parse(line) as JournalRecord)
        } catch {
          brokenLines += 1
        }
      }
      return { records, brokenLines }
    })
    .filter(({ records }) => records[0]?.type === 'created')
}
