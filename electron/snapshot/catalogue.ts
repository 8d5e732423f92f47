import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { Emitter } from '#shared/base/emitter.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Backup } from '#shared/contract/backups.ts'

/** What is written beside each file; `present` is looked up. */
type Facts = Omit<Backup, 'present'>

const verdict = v.picklist(['good', 'suspicious', 'broken'])
const facts: v.GenericSchema<unknown, Facts> = v.object({
  id: v.string(),
  clusterName: v.string(),
  clusterId: v.string(),
  endpoint: v.string(),
  path: v.string(),
  fileSizeBytes: v.number(),
  sha256: v.string(),
  createdAtMs: v.number(),
  durationMs: v.number(),
  status: v.nullable(v.object({ hash: v.number(), revision: v.number(), totalKeys: v.number(), totalSizeBytes: v.number(), version: v.string() })),
  checks: v.array(v.object({ name: v.picklist(['envelope', 'sha256-trailer', 'structure', 'order', 'status-hash']), verdict, detail: v.string() })),
  verifiedAtMs: v.nullable(v.number()),
  verdict: v.picklist(['good', 'suspicious', 'broken', 'unverified', 'saving', 'interrupted']),
  failure: v.optional(v.string(), ''),
  objectCounts: v.record(v.string(), v.number()),
  encryption: v.optional(v.picklist(['none', 'passphrase', 'recipients']), 'none'),
  compression: v.optional(v.picklist(['none', 'zstd', 'zip']), 'none'),
  pkiPath: v.optional(v.string(), ''),
  pinned: v.optional(v.boolean(), false),
  origin: v.optional(v.picklist(['manual', 'scheduled']), 'manual'),
  testRestore: v.optional(
    v.nullable(
      v.object({
        atMs: v.number(),
        durationMs: v.number(),
        outcome: v.picklist(['good', 'failed']),
        kinds: v.number(),
        objects: v.number(),
        short: v.array(v.object({ resource: v.string(), inFile: v.number(), read: v.number() })),
        notServed: v.array(v.string()),
        sample: v.string(),
        failure: v.string(),
      }),
    ),
    null,
  ),
})

const UNPACKED = '.unpacked'

/**
 * The backups that are known: one directory, in which each snapshot has a JSON file of facts beside it. The facts outlive the
 * snapshot, so that a file deleted behind the catalogue's back is shown as gone rather than forgotten.
 */
export class Catalogue {
  readonly directory: string
  readonly #logger: Logger
  readonly #changes = new Emitter<void>()

  constructor({ directory, logger }: { directory: string; logger: Logger }) {
    this.directory = directory
    this.#logger = logger
  }

  /** Makes the directory, removes what interrupted saves left, and notes in their facts what came of them. @returns the names removed */
  async open(): Promise<string[]> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 })
    await rm(this.unpackDirectory, { recursive: true, force: true })
    const parts = (await readdir(this.directory)).filter((name) => name.endsWith('.part'))
    for (const name of parts) {
      await rm(join(this.directory, name), { force: true })
      this.#logger.warn('an interrupted backup was removed', { name })
    }
    for (const backup of await this.list()) {
      if (backup.verdict !== 'saving') continue
      // A file under its own name is whole, as renaming comes last: only reading it back is missing.
      if (backup.present) await this.put({ ...backup, verdict: 'unverified', fileSizeBytes: (await stat(backup.path)).size })
      else await this.put({ ...backup, verdict: 'interrupted', failure: 'Drydock ended while it was being saved; nothing was kept. Back up again' })
    }
    return parts
  }

  /** Newest first. Files of facts that cannot be read are left out and logged. */
  async list(): Promise<Backup[]> {
    const names = (await readdir(this.directory)).filter((name) => name.endsWith('.json'))
    const backups = (await Promise.all(names.map((name) => this.#read(name)))).filter((backup) => backup !== null)
    return backups.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
  }

  async get(id: string): Promise<Backup | null> {
    return isId(id) ? this.#read(`${id}.json`) : null
  }

  /** Adds or replaces, durably. */
  async put({ present: _, ...backup }: Backup): Promise<void> {
    const path = join(this.directory, `${backup.id}.json`)
    const file = await open(`${path}.part`, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(backup, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.part`, path)
    this.#changes.emit()
  }

  /** Forgets a backup and deletes its file, the file first; one that lies outside the catalogue's directory is left alone. */
  async delete(backup: Backup): Promise<void> {
    for (const path of [backup.path, backup.pkiPath]) if (path.startsWith(this.directory)) await rm(path, { force: true })
    await rm(join(this.directory, `${backup.id}.json`), { force: true })
    this.#changes.emit()
  }

  /** A name for a new backup, e.g. `prod-20260131T120000Z`, with a number where that is taken. */
  async newId(clusterName: string, nowMs: number): Promise<string> {
    const slug =
      clusterName
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 60) || 'cluster'
    const stamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')
    const taken = new Set(await readdir(this.directory))
    for (let number = 1; ; number++) {
      const id = number === 1 ? `${slug}-${stamp}` : `${slug}-${stamp}-${String(number)}`
      if (![...taken].some((name) => name.startsWith(`${id}.`))) return id
    }
  }

  /** @param suffix what its envelope adds to the name, e.g. `.zst.age` */
  pathOf(id: string, suffix = ''): string {
    return join(this.directory, `${id}.db${suffix}`)
  }

  /** Where files are unpacked while they are read. */
  get unpackDirectory(): string {
    return join(this.directory, UNPACKED)
  }

  onChange(listener: () => void): () => void {
    return this.#changes.subscribe(listener)
  }

  async #read(name: string): Promise<Backup | null> {
    try {
      const parsed = v.safeParse(facts, JSON.parse(await readFile(join(this.directory, name), 'utf8')))
      if (parsed.success) return { ...parsed.output, present: await isPresent(parsed.output.path) }
      this.#logger.warn('a backup has unreadable facts', { name, problem: parsed.issues[0].message })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#logger.warn('a backup has unreadable facts', { name, problem: (error as Error).message })
    }
    return null
  }
}

function isId(id: string): boolean {
  return /^[a-z0-9][A-Za-z0-9-]*$/.test(id)
}

async function isPresent(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
