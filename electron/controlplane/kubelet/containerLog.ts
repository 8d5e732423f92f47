import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { LogOptions } from './nodeAgent.ts'

export interface LogLine {
  atMs: number
  text: string
}

/** Lines kept of one container; the kubelet of a real node rotates at 10 MiB. */
const MAX_LINES = 10_000

type LogStream = 'stdout' | 'stderr'

/** A container's log: what was written, and a way to wait for more. Kept in a file as container runtimes write it, so that it outlives the kubelet. */
export class ContainerLog {
  #lines: LogLine[] = []
  /** Lines dropped at the front so far; a reader's position counts them. */
  #dropped = 0
  #closed = false
  #wake: (() => void)[] = []
  #file: string | null
  #fileLines = 0
  /** In the file's form, to be written at the end of this turn. */
  #unsaved: string[] = []

  /**
   * @param file where the log is kept; null for nowhere
   * @param resume takes over what an earlier kubelet wrote there; else the file begins anew
   */
  constructor(file: string | null, { resume }: { resume: boolean }) {
    this.#file = file
    if (file === null || !existsSync(file)) return
    if (resume) this.#lines = readLines(file).slice(-MAX_LINES)
    else writeFileSync(file, '')
    this.#fileLines = this.#lines.length
  }

  /** Appends text; a line ends at each newline, and at the end of the text. */
  write(text: string, atMs: number, stream: LogStream = 'stdout'): void {
    for (const line of text.replace(/\n$/, '').split('\n')) {
      this.#lines.push({ atMs, text: line })
      if (this.#file === null) continue
      if (this.#unsaved.length === 0)
        void Promise.resolve().then(() => {
          this.#save()
        })
      this.#unsaved.push(savedLine(line, atMs, stream))
    }
    if (this.#lines.length > MAX_LINES) {
      const excess = this.#lines.length - MAX_LINES
      this.#lines.splice(0, excess)
      this.#dropped += excess
    }
    this.#notify()
  }

  /** The container ended: followers end too. */
  close(): void {
    this.#closed = true
    this.#notify()
  }

  /** Last line, for a termination message. */
  tail(count: number): string {
    return this.#lines
      .slice(-count)
      .map(({ text }) => text)
      .join('\n')
  }

  async *read(options: LogOptions & { signal: AbortSignal; nowMs: number }): AsyncGenerator<Uint8Array> {
    const sinceMs =
      options.sinceSeconds !== undefined
        ? options.nowMs - options.sinceSeconds * 1000
        : options.sinceTime !== undefined
          ? Date.parse(options.sinceTime)
          : -Infinity
    let selected = this.#lines.filter(({ atMs }) => atMs >= sinceMs)
    if (options.tailLines !== undefined) selected = options.tailLines === 0 ? [] : selected.slice(-options.tailLines)
    let position = this.#dropped + this.#lines.length
    let left = options.limitBytes ?? Infinity
    const encoder = new TextEncoder()
    const encode = (lines: LogLine[]): Uint8Array => {
      const bytes = encoder.encode(
        lines.map(({ atMs, text }) => `${options.timestamps ? `${new Date(atMs).toISOString().replace('Z', '000000Z')} ` : ''}${text}\n`).join(''),
      )
      const kept = bytes.subarray(0, Math.min(bytes.length, left))
      left -= kept.length
      return kept
    }
    if (selected.length > 0) yield encode(selected)
    while (options.follow && left > 0) {
      options.signal.throwIfAborted()
      const fresh = this.#lines.slice(Math.max(0, position - this.#dropped))
      position = this.#dropped + this.#lines.length
      if (fresh.length > 0) yield encode(fresh)
      else if (this.#closed) return
      else await this.#more(options.signal)
    }
  }

  #save(): void {
    const lines = this.#unsaved.splice(0)
    if (this.#file === null) return
    try {
      if (this.#fileLines === 0) mkdirSync(dirname(this.#file), { recursive: true })
      this.#fileLines += lines.length
      if (this.#fileLines <= 2 * MAX_LINES) appendFileSync(this.#file, lines.join(''))
      else {
        writeFileSync(this.#file, this.#lines.map(({ atMs, text }) => savedLine(text, atMs, 'stdout')).join(''))
        this.#fileLines = this.#lines.length
      }
    } catch {
      // A full disk must not end the container: its log goes on in memory.
      this.#file = null
    }
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#wake.push(() => {
        signal.removeEventListener('abort', abort)
        resolve()
      })
    })
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** As the container runtimes' interface has it: time, stream, F for a full line, text. */
function savedLine(text: string, atMs: number, stream: LogStream): string {
  return `${new Date(atMs).toISOString().replace('Z', '000000Z')} ${stream} F ${text}\n`
}

function readLines(file: string): LogLine[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const match = /^(\S+) std(?:out|err) [FP] (.*)$/s.exec(line)
      return match?.[1] === undefined || match[2] === undefined ? [] : [{ atMs: Date.parse(match[1]), text: match[2] }]
    })
}
