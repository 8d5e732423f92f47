import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemClock } from '#shared/base/clock.ts'
import type { ObjectKey, RestoredItem, RestoreItem } from '#shared/contract/compare.ts'
import type { Transport } from '#shared/kubernetes/transport.ts'
import { planRestore, runRestore } from '../api/restoreObjects.ts'
import { listedResources, objectsOf, type ListedResource } from '../clusters/allObjects.ts'
import { withOpened } from '../clusters/openedSnapshot.ts'
import { ownProgram } from './ownProgram.ts'
import { report, withTarget } from './snapshotTarget.ts'
import type { WriteFlags } from './writeFlags.ts'
import { stderrLogger } from './stderrLogger.ts'

export interface RestoreObjectsFlags extends WriteFlags {
  object: string[]
  namespace: string[]
  rev?: number
}

/** `drydock snapshot restore FILE --object … --namespace …`: chosen objects made again in a cluster, as the Restore page does it. */
export async function restoreObjects(path: string, flags: RestoreObjectsFlags, signal: AbortSignal): Promise<void> {
  const clock = new SystemClock()
  const opened = { directory: join(tmpdir(), 'drydock-opened'), command: ownProgram, clock, logger: stderrLogger('error'), revision: flags.rev }
  await withTarget(flags, (to) =>
    withOpened(path, opened, signal, async (from) => {
      const objects = await chosenObjects(from, flags, signal)
      if (flags.dryRun) {
        await report((await planRestore(from, to, { objects, signal })).map(planned(flags.overwrite)), flags, 'Restore of chosen objects, dry run')
        return
      }
      let items: readonly RestoredItem[] = []
      for await (const message of runRestore(from, to, { objects, overwrite: flags.overwrite, signal })) ({ items } = message)
      await report(items, flags, 'Restore of chosen objects')
    }),
  )
}

/** What a plan says, as the outcome that it foresees. */
function planned(overwrite: boolean): (item: RestoreItem) => RestoredItem {
  const outcomes = { new: 'created', exists: overwrite ? 'replaced' : 'skipped', same: 'unchanged', 'left-out': 'skipped', invalid: 'failed' } as const
  return ({ state, message, requires, yaml: _, ...key }) => {
    const missing = requires.filter(({ where }) => where === 'source' || where === 'nowhere')
    const needs = missing.map(
      ({ resource, namespace, name, where }) =>
        `${resource} ${namespace === '' ? '' : `${namespace}/`}${name} (${where === 'source' ? 'in the snapshot, not chosen' : 'nowhere'})`,
    )
    return { ...key, outcome: outcomes[state], message: needs.length === 0 ? message : `${message}; needs ${needs.join(', ')}` }
  }
}

/** @throws Error that names what is not there */
async function chosenObjects(from: Transport, { object, namespace }: RestoreObjectsFlags, signal: AbortSignal): Promise<ObjectKey[]> {
  const { resources } = await listedResources(from, signal)
  const keys = new Map<string, ObjectKey>()
  const add = (key: ObjectKey): void => {
    keys.set(`${key.group}/${key.resource}/${key.namespace}/${key.name}`, key)
  }
  for (const each of object) add(parseObject(each, resources))
  for (const name of namespace) {
    add({ group: '', version: 'v1', resource: 'namespaces', namespace: '', name })
    for (const resource of resources.filter(({ namespaced }) => namespaced))
      for await (const { metadata } of objectsOf(from, resource, { namespace: name, signal })) {
        const { group, version } = resource
        add({ group, version, resource: resource.resource, namespace: name, name: metadata.name ?? '' })
      }
  }
  if (keys.size === 0) throw new Error('give what to restore: --object NAMESPACE/KIND/NAME, or --namespace NAME')
  return [...keys.values()]
}

/** `shop/Deployment/web`, `shop/deployments.apps/web`, `ClusterRole/view`. @throws Error */
export function parseObject(text: string, resources: readonly ListedResource[]): ObjectKey {
  const parts = text.split('/')
  const [name = '', kind = '', namespace = ''] = parts.toReversed()
  if (parts.length < 2 || parts.length > 3 || name === '' || kind === '')
    throw new Error(`${text} names no object: say NAMESPACE/KIND/NAME, or KIND/NAME without a namespace`)
  const wanted = kind.toLowerCase()
  const names = ({ group, resource, kind: own }: ListedResource): string[] => [
    resource,
    own.toLowerCase(),
    `${resource}.${group}`,
    `${own.toLowerCase()}.${group}`,
  ]
  const found = resources.find((each) => names(each).includes(wanted))
  if (found === undefined) throw new Error(`${text}: the snapshot's cluster has no kind ${kind}`)
  if (found.namespaced && namespace === '') throw new Error(`${text}: a ${found.kind} is in a namespace; say NAMESPACE/${kind}/${name}`)
  return { group: found.group, version: found.version, resource: found.resource, namespace: found.namespaced ? namespace : '', name }
}
