import type { Backup, TestRestore } from '#shared/contract/backups.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { listedResources, objectOrNull, objectsOf, type ListedResource } from './allObjects.ts'
import { withOpened, type OpenedOptions } from './openedSnapshot.ts'

interface Context {
  signal: AbortSignal
  onProgress: (detail: string, ratio: number | null) => void
}

/** Kinds that are no API resources: the API server keeps them for itself. */
const INTERNAL = new Set(['masterleases', 'peerserverleases'])

/**
 * Proves that a backup can be used: a control plane of its own is started from it, every kind is listed through the Kubernetes API and
 * counted against the file, one object is read by name. Nothing of it is left. That it does not start is a result, not an error.
 * @throws the signal's reason, or the system's error when there is no place for it
 */
export async function testRestore(
  backup: Pick<Backup, 'path' | 'objectCounts'>,
  options: OpenedOptions,
  { signal, onProgress }: Context,
): Promise<TestRestore> {
  const { clock } = options
  const startedMs = clock.now()
  const none = { kinds: 0, objects: 0, short: [], notServed: [], sample: '' }
  const answer = (found: Omit<TestRestore, 'atMs' | 'durationMs' | 'outcome'>): TestRestore => ({
    ...found,
    atMs: startedMs,
    durationMs: clock.now() - startedMs,
    outcome: found.failure === '' ? 'good' : 'failed',
  })
  try {
    onProgress('opening the backup', null)
    return answer(await withOpened(backup.path, options, signal, (transport) => readThrough(transport, backup.objectCounts, { signal, onProgress })))
  } catch (error) {
    signal.throwIfAborted()
    return answer({ ...none, failure: error instanceof Error ? error.message : String(error) })
  }
}

async function readThrough(
  transport: Transport,
  inFile: Readonly<Record<string, number>>,
  { signal, onProgress }: Context,
): Promise<Omit<TestRestore, 'atMs' | 'durationMs' | 'outcome'>> {
  const { resources, failed } = await listedResources(transport, signal)
  const problems = failed.map(({ resource, why }) => `${resource}: ${why}`)
  const short: TestRestore['short'] = []
  const served = new Set<string>()
  let objects = 0
  let sample: { resource: ListedResource; object: KubeObject } | null = null
  for (const [index, resource] of resources.entries()) {
    onProgress(`reading ${resource.resource}`, index / resources.length)
    const names = namesOf(resource)
    for (const name of names) served.add(name)
    let read = 0
    try {
      for await (const object of objectsOf(transport, resource, { signal })) {
        read++
        sample ??= resource.namespaced && resource.resource !== 'events' ? { resource, object } : null
      }
    } catch (error) {
      signal.throwIfAborted()
      problems.push(`${resource.resource}: ${error instanceof Error ? error.message : String(error)}`)
    }
    objects += read
    const expected = names.reduce((sum, name) => sum + (inFile[name] ?? 0), 0)
    if (read < expected) short.push({ resource: resource.resource, inFile: expected, read })
  }
  if (short.length > 0)
    problems.push(`fewer than in the file: ${short.map((each) => `${each.resource} ${String(each.read)} of ${String(each.inFile)}`).join(', ')}`)
  const found = sample === null ? '' : await readSample(transport, sample, signal)
  return {
    kinds: resources.length,
    objects,
    short,
    notServed: Object.keys(inFile).filter((name) => !served.has(name) && !INTERNAL.has(name)),
    sample: found,
    failure: problems.join('; '),
  }
}

/** What a file's counts may call a resource: built-in groups have no group in their keys. */
function namesOf({ group, resource }: ListedResource): string[] {
  return group === '' ? [resource] : [...(group.endsWith('.k8s.io') || !group.includes('.') ? [resource] : []), `${resource}.${group}`]
}

async function readSample(transport: Transport, { resource, object }: { resource: ListedResource; object: KubeObject }, signal: AbortSignal): Promise<string> {
  const { namespace = '', name = '' } = object.metadata
  const read = await objectOrNull(transport, resource, { namespace, name, signal })
  if (read === null) throw new Error(`${resource.kind} ${namespace}/${name} is listed but cannot be read`)
  return `${resource.kind} ${namespace}/${name}`
}
