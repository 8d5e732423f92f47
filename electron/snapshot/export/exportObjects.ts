import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { stringify } from 'yaml'
import type { ExportReport } from '#shared/contract/exports.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { cleaned, reasonToLeaveOut } from '#shared/planning/restore/cleaned.ts'
import { inOrder } from '#shared/planning/restore/order.ts'
import { writeFully } from '../bbolt/pageWriter.ts'
import { checkSealing, seal, type Sealing } from '../envelope/envelope.ts'
import { SnapshotError } from '../snapshotError.ts'

/** The folder of what belongs to no namespace. No namespace can have this name. */
const CLUSTER_FOLDER = '_cluster'
const SECRETS = 'secrets.yaml.age'

export interface ExportTarget {
  /** An empty or new folder, which gets one for each namespace and kind in it; or a file that is not there, whose name ends in `.yaml`. */
  output: string
  /** left-out, readable for whoever may read the output, or encrypted in one file of their own. */
  secrets: 'left-out' | 'readable' | Sealing
  /** Only this namespace, with its Namespace object. */
  namespace?: string | undefined
  kind?: string | undefined
}

/** Where Secrets go that are encrypted with what is exported to `output`. */
export function secretsPathOf(output: string): string {
  return isOneFile(output) ? output.replace(/\.ya?ml$/, `.${SECRETS}`) : join(output, SECRETS)
}

export const isOneFile = (output: string): boolean => /\.ya?ml$/.test(output)

/** Gathers objects as they can be applied again, without what a server gave them, and writes them. */
export class Export {
  readonly #target: ExportTarget
  readonly #kept: KubeObject[] = []
  readonly #secrets: KubeObject[] = []
  readonly #leftOut: Record<string, number> = {}

  /** @throws SnapshotError locked when a recipient is none */
  constructor(target: ExportTarget) {
    this.#target = target
    if (typeof target.secrets === 'object') checkSealing(target.secrets)
  }

  /** Whether an object of this place may be wanted: for whoever can tell before reading it. */
  wants({ resource, namespace, name }: { resource: string; namespace: string; name: string }): boolean {
    const wanted = this.#target.namespace
    return wanted === undefined || namespace === wanted || (resource === 'namespaces' && name === wanted)
  }

  add(object: KubeObject): void {
    const { kind, secrets } = this.#target
    if (kind !== undefined && object.kind?.toLowerCase() !== kind.toLowerCase()) return
    const why = reasonToLeaveOut(object)
    if (why !== null) this.leaveOut(object.metadata.ownerReferences === undefined ? why : 'a controller makes it')
    else if (object.kind !== 'Secret' || secrets === 'readable') this.#kept.push(cleaned(object))
    else if (secrets === 'left-out') this.leaveOut('Secrets, which are written only when asked for')
    else this.#secrets.push(cleaned(object))
  }

  leaveOut(why: string): void {
    this.#leftOut[why] = (this.#leftOut[why] ?? 0) + 1
  }

  /** @throws SnapshotError exists; the system's error, as EEXIST */
  async write(): Promise<ExportReport> {
    const { output, secrets } = this.#target
    const secretsPath = typeof secrets === 'object' && this.#secrets.length > 0 ? secretsPathOf(output) : ''
    if (isOneFile(output)) await writeFile(output, documents(this.#kept), { mode: 0o600, flag: 'wx' })
    else await writeFolders(output, inOrder(this.#kept))
    if (secretsPath !== '' && typeof secrets === 'object') await writeSealed(secretsPath, documents(this.#secrets), secrets)
    return { output, exported: this.#kept.length, encryptedSecrets: this.#secrets.length, secretsPath, leftOut: this.#leftOut }
  }
}

/** In the order in which objects need each other. */
const documents = (objects: readonly KubeObject[]): string => inOrder(objects).map(yamlOf).join('---\n')
const yamlOf = (object: KubeObject): string => stringify(object, { lineWidth: 0 })

async function writeFolders(folder: string, objects: readonly KubeObject[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if ((await readdir(folder)).length > 0)
    throw new SnapshotError('exists', `${folder} is not empty: name a new folder, so that nothing old stays among what is exported`)
  const names = new Set<string>()
  for (const object of objects) {
    const into = join(folder, object.metadata.namespace ?? CLUSTER_FOLDER, object.kind?.toLowerCase() ?? '')
    // Kinds of two groups may have one name; a name may hold characters that a file's may not.
    const base = encodeURIComponent(object.metadata.name ?? '')
    let name = `${base}.yaml`
    if (names.has(join(into, name))) name = `${base}.${(object.apiVersion ?? '').replaceAll('/', '_')}.yaml`
    names.add(join(into, name))
    await mkdir(into, { recursive: true, mode: 0o700 })
    await writeFile(join(into, name), yamlOf(object), { mode: 0o600 })
  }
}

/** Under its own name only when it is whole. */
async function writeSealed(path: string, text: string, sealing: Sealing): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(`${path}.part`, 'wx', 0o600)
  try {
    let position = 0
    await seal(Readable.from([Buffer.from(text)]), sealing, async (bytes) => {
      await writeFully(file, bytes, position)
      position += bytes.length
    })
    await file.sync()
    await file.close()
    await rename(`${path}.part`, path)
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(`${path}.part`, { force: true })
    throw error
  }
}
