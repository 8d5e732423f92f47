import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'

export interface AuditLogFileOptions {
  /** `-` is standard output. */
  path: string
  /** Megabytes a file may have before it is put aside. @default 100 */
  maxSizeMb: number
  /** Files put aside that are kept; 0 keeps all. */
  maxBackups: number
  /** Days a file put aside is kept; 0 is for ever. */
  maxAgeDays: number
  nowMs(): number
}

const MEGABYTE = 1024 * 1024
const DAY_MS = 24 * 3600 * 1000
const MODE = 0o600

/**
 * A log file that is put aside as `name-<time>.ext` when it is full. Lines are written before the caller goes on, so an answer
 * that was given is in the log.
 */
export class AuditLogFile {
  readonly #options: AuditLogFileOptions
  #file: { handle: number; size: number } | null = null

  constructor(options: AuditLogFileOptions) {
    this.#options = options
  }

  /** @throws Error of the file system */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    if (this.#options.path === '-') {
      writeSync(1, bytes)
      return
    }
    let file = this.#open()
    if (file.size > 0 && file.size + bytes.length > this.#limit) {
      this.#rotate()
      file = this.#open()
    }
    // A write may be short, on a disk that is nearly full.
    for (let written = 0; written < bytes.length;) written += writeSync(file.handle, bytes, written)
    file.size += bytes.length
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file.handle)
    this.#file = null
  }

  get #limit(): number {
    return this.#options.maxSizeMb * MEGABYTE
  }

  #open(): { handle: number; size: number } {
    if (this.#file !== null) return this.#file
    mkdirSync(dirname(this.#options.path), { recursive: true })
    const handle = openSync(this.#options.path, 'a', MODE)
    return (this.#file = { handle, size: fstatSync(handle).size })
  }

  #rotate(): void {
    this.close()
    const { path, nowMs } = this.#options
    const extension = extname(path)
    const time = new Date(nowMs()).toISOString().slice(0, 23).replaceAll(':', '-')
    renameSync(path, join(dirname(path), `${basename(path, extension)}-${time}${extension}`))
    this.#prune()
  }

  /** Removes files put aside that are too many or too old. */
  #prune(): void {
    const { path, maxBackups, maxAgeDays, nowMs } = this.#options
    const extension = extname(path)
    const prefix = `${basename(path, extension)}-`
    const backups = readdirSync(dirname(path))
      .filter((name) => name.startsWith(prefix) && name.endsWith(extension))
      .flatMap((name) => {
        const time = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(name.slice(prefix.length, name.length - extension.length))
        return time === null ? [] : [{ name, atMs: Date.parse(`${time[1] ?? ''}:${time[2] ?? ''}:${time[3] ?? ''}Z`) }]
      })
      .sort((a, b) => b.atMs - a.atMs)
    for (const [index, { name, atMs }] of backups.entries()) {
      const tooMany = maxBackups > 0 && index >= maxBackups
      const tooOld = maxAgeDays > 0 && nowMs() - atMs > maxAgeDays * DAY_MS
      if (tooMany || tooOld) rmSync(join(dirname(path), name), { force: true })
    }
  }
}
