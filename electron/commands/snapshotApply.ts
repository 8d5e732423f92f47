import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { SystemClock } from '#shared/base/clock.ts'
import type { RestoredItem } from '#shared/contract/compare.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { inOrder } from '#shared/planning/restore/order.ts'
import { unwrapped } from '../snapshot/envelope/envelope.ts'
import { isOneFile, secretsPathOf } from '../snapshot/export/exportObjects.ts'
import { listedResources, type ListedResource } from '../clusters/allObjects.ts'
import { keyOf, makeAndReport, report, withTarget } from './snapshotTarget.ts'
import { readUnlock, type UnlockFlags } from './snapshotSecrets.ts'
import type { WriteFlags } from './writeFlags.ts'

export interface ApplyFlags extends WriteFlags, UnlockFlags {
  skipEncrypted: boolean
}

/** A new definition is served within a second or so. */
const SERVED_WITHIN_MS = 15_000
const LOOK_EVERY_MS = 300
const DEFINITION = 'CustomResourceDefinition'

/** `drydock snapshot apply PATH`: what `snapshot export` wrote, made in order. Definitions come first, and are waited for. */
export async function applyExport(path: string, flags: ApplyFlags, signal: AbortSignal): Promise<void> {
  const objects = inOrder(await readObjects(path, flags, signal))
  if (objects.length === 0) throw new Error(`${path} holds no objects`)
  const [definitions, others] = [objects.filter(({ kind }) => kind === DEFINITION), objects.filter(({ kind }) => kind !== DEFINITION)]
  await withTarget(flags, async (to) => {
    const items = await make(to, definitions, flags, signal)
    if (!flags.dryRun) await served(to, definitions, signal)
    items.push(...(await make(to, others, flags, signal)))
    await report(items, flags, `Apply of ${path}`)
  })
}

/** Kinds that the cluster does not serve are told of among the others. */
async function make(to: Transport, objects: readonly KubeObject[], flags: WriteFlags, signal: AbortSignal): Promise<RestoredItem[]> {
  if (objects.length === 0) return []
  const { resources } = await listedResources(to, signal)
  const placed = objects.map((source) => ({ source, key: keyOf(source, resources) }))
  const made = await makeAndReport(
    to,
    placed.flatMap(({ source, key }) => (key === null ? [] : [{ source, key }])),
    flags,
    signal,
  )
  return [
    ...made,
    ...placed.flatMap(({ source, key }): RestoredItem[] => {
      if (key !== null) return []
      const { namespace = '', name = '' } = source.metadata
      const message = `the cluster serves no ${source.kind ?? '?'} of ${source.apiVersion ?? '?'}`
      return [{ group: '', version: '', resource: '', namespace, name, kind: source.kind ?? '', outcome: 'failed', message }]
    }),
  ]
}

async function served(to: Transport, definitions: readonly KubeObject[], signal: AbortSignal): Promise<void> {
  const clock = new SystemClock()
  const untilMs = clock.now() + SERVED_WITHIN_MS
  const isServed = (resources: readonly ListedResource[]): boolean =>
    definitions.every((each) => {
      const { group, names } = each['spec'] as { group: string; names: { kind: string } }
      return resources.some((resource) => resource.group === group && resource.kind === names.kind)
    })
  while (definitions.length > 0 && clock.now() < untilMs && !isServed((await listedResources(to, signal)).resources))
    await clock.sleep(LOOK_EVERY_MS, { signal })
}

/** Of a file and the encrypted Secrets beside it, or of every YAML file below a folder. @throws Error that names the file that is none */
export async function readObjects(path: string, flags: UnlockFlags & { skipEncrypted: boolean }, signal: AbortSignal): Promise<KubeObject[]> {
  const files = (await stat(path)).isDirectory()
    ? (await readdir(path, { recursive: true })).filter((name) => /\.(?:ya?ml|json)(?:\.age)?$/.test(name)).map((name) => join(path, name))
    : [path, ...(await besides(path))]
  const objects: KubeObject[] = []
  for (const file of files.sort()) {
    if (!file.endsWith('.age')) objects.push(...objectsIn(file, await readFile(file, 'utf8')))
    else if (!flags.skipEncrypted) objects.push(...objectsIn(file, await decrypted(file, flags, signal)))
  }
  return objects
}

async function besides(path: string): Promise<string[]> {
  const secrets = secretsPathOf(path)
  return isOneFile(path) && (await stat(secrets).catch(() => null)) !== null ? [secrets] : []
}

async function decrypted(file: string, flags: UnlockFlags, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of unwrapped(file, { unlock: await readUnlock(file, flags), signal })) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function objectsIn(file: string, text: string): KubeObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors
    if (error !== undefined) throw new Error(`${file}: ${error.message}`)
    const object = document.toJS() as KubeObject | null
    if (object === null) return []
    if (typeof object !== 'object' || typeof object.kind !== 'string' || typeof object.metadata !== 'object')
      throw new Error(`${file} holds something that is no Kubernetes object`)
    return [object]
  })
}
