import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { SystemClock } from '#shared/base/clock.ts'
import type { RestoredItem } from '#shared/contract/compare.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { inOrder } from '#shared/planning/restore/order.ts'
import { listedResources, type ListedResource } from '../clusters/allObjects.ts'
import { keyOf, makeAndReport, report, withTarget } from './snapshotTarget.ts'
import type { WriteFlags } from './writeFlags.ts'

/** A new definition is served within a second or so. */
const SERVED_WITHIN_MS = 15_000
const LOOK_EVERY_MS = 300
const DEFINITION = 'CustomResourceDefinition'

/** `drydock snapshot apply PATH`: what `snapshot export` wrote, made in order. Definitions come first, and are waited for. */
export async function applyExport(path: string, flags: WriteFlags, signal: AbortSignal): Promise<void> {
  const objects = inOrder(await readObjects(path))
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

/** Of a file, or of every YAML file below a folder. @throws Error that names the file that is none */
export async function readObjects(path: string): Promise<KubeObject[]> {
  const files = (await stat(path)).isDirectory()
    ? (await readdir(path, { recursive: true })).filter((name) => /\.(?:ya?ml|json)$/.test(name)).map((name) => join(path, name))
    : [path]
  const objects: KubeObject[] = []
  for (const file of files.sort())
    for (const document of parseAllDocuments(await readFile(file, 'utf8'))) {
      const [error] = document.errors
      if (error !== undefined) throw new Error(`${file}: ${error.message}`)
      const object = document.toJS() as KubeObject | null
      if (object === null) continue
      if (typeof object !== 'object' || typeof object.kind !== 'string' || typeof object.metadata !== 'object')
        throw new Error(`${file} holds something that is no Kubernetes object`)
      objects.push(object)
    }
  return objects
}
