import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import * as v from 'valibot'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import { settings, type Settings } from '#shared/contract/settings.ts'

const endpoint = v.object({ endpoint: v.string(), caFile: v.optional(v.string()), certFile: v.optional(v.string()), keyFile: v.optional(v.string()) })
const protection = v.picklist(['none', 'protected', 'read-only'])
const stored = v.object({ ...settings.entries, etcdEndpoints: v.record(v.string(), endpoint), protections: v.record(v.string(), protection) })
type Stored = v.InferOutput<typeof stored>

/** The user's settings in one JSON file, written whole and renamed into place. */
export class SettingsFile {
  readonly changes = new Emitter<Settings>()
  readonly #path: string
  #value: Stored

  /** A file that cannot be read is kept beside and the defaults are used. */
  constructor(path: string, defaults: Settings, logger: Logger) {
    this.#path = path
    this.#value = { ...defaults, etcdEndpoints: {}, protections: {} }
    try {
      const parsed = v.safeParse(v.partial(stored), JSON.parse(readFileSync(path, 'utf8')))
      if (parsed.success) this.#value = { ...this.#value, ...(parsed.output as Partial<Stored>) }
      else throw new Error(parsed.issues[0].message)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      logger.warn('settings cannot be read; defaults are used and the file is kept', { path, error: (error as Error).message })
      renameSync(path, `${path}.unreadable`)
    }
  }

  get value(): Settings {
    const { etcdEndpoints: _, protections: __, ...visible } = this.#value
    return visible
  }

  get etcdEndpoints(): Readonly<Record<string, v.InferOutput<typeof endpoint>>> {
    return this.#value.etcdEndpoints
  }

  /** By cluster, as the user set it. */
  get protections(): Readonly<Record<string, v.InferOutput<typeof protection>>> {
    return this.#value.protections
  }

  /** On disk when it returns. */
  change(change: Partial<Stored>): void {
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
    this.#value = { ...this.#value, ...given }
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
    writeFileSync(`${this.#path}.part`, `${JSON.stringify(this.#value, null, 2)}\n`, { mode: 0o600 })
    renameSync(`${this.#path}.part`, this.#path)
    this.changes.emit(this.value)
  }
}
