import { stringify } from 'yaml'
import { deepEqual } from '#shared/kubernetes/json.ts'
import { fieldChanges } from '#shared/planning/compare/fieldChanges.ts'
import { comparable, isRestless } from '#shared/planning/compare/noise.ts'
import { differences, liveKeys, type LiveKey } from '../snapshot/contents.ts'
import { printTable, type OutputFormat } from '../snapshot/print.ts'
import { SnapshotFile } from '../snapshot/snapshotFile.ts'
import { snapshotObjects, type ObjectsOptions, type SnapshotObject } from '../snapshot/snapshotObjects.ts'

interface Context {
  signal: AbortSignal
  writeOut: OutputFormat
  rev?: number | undefined
}

/** `snapshot ls --objects`: what is alive in a snapshot by kind, namespace and name. */
export async function listObjects(path: string, { signal, writeOut, rev }: Context): Promise<void> {
  const rows: { resource: string; namespace: string; name: string; modRevision: number; readable: boolean }[] = []
  await each(path, { signal, rev }, ({ resource, namespace, name, modRevision, object }) => {
    rows.push({ resource, namespace, name, modRevision, readable: object !== null })
  })
  rows.sort((a, b) => compare(a.resource, b.resource) || compare(a.namespace, b.namespace) || compare(a.name, b.name))
  if (writeOut === 'json') say(JSON.stringify(rows))
  else if (writeOut === 'table')
    say(
      printTable(
        ['RESOURCE', 'NAMESPACE', 'NAME', 'MODIFIED'],
        rows.map((row) => [row.resource, row.namespace, row.name, String(row.modRevision)]),
      ),
    )
  else for (const { resource, namespace, name } of rows) say([resource, ...(namespace === '' ? [] : [namespace]), name].join('/'))
}

/** `snapshot get FILE RESOURCE/NAME`: one object as YAML or JSON. @throws Error when it is not there */
export async function getObject(
  path: string,
  wanted: { resource: string; namespace: string; name: string },
  { signal, writeOut, rev }: Context,
): Promise<void> {
  let found: SnapshotObject | null = null
  await each(
    path,
    { signal, rev, wanted: (place) => place.resource === wanted.resource && place.namespace === wanted.namespace && place.name === wanted.name },
    (object) => {
      found = object
    },
  )
  const { object, key } = (found ?? {}) as Partial<SnapshotObject>
  const name = `${wanted.resource} ${wanted.namespace === '' ? '' : `${wanted.namespace}/`}${wanted.name}`
  if (key === undefined) throw new Error(`there is no ${name} in ${path}; \`snapshot ls --objects\` shows what is there`)
  if (object === null || object === undefined)
    throw new Error(`${name} cannot be read: it is encrypted or of an unknown kind; \`snapshot get ${path} ${key} --raw\` gives its bytes`)
  say(writeOut === 'json' ? JSON.stringify(object) : stringify(object, { lineWidth: 0 }).trimEnd())
}

interface ObjectDifference {
  change: 'added' | 'removed' | 'changed'
  resource: string
  namespace: string
  name: string
  /** Paths with what was and what is; of changed objects only. */
  fields: { path: string; before: unknown; after: unknown }[]
}

/** `snapshot diff --objects`: without what comes and goes by itself and what servers write with every change. Exit code 1 when there are any. */
export async function diffObjects(before: string, after: string, { signal, writeOut }: Context): Promise<void> {
  // Values are told apart by digest first, so that memory holds only the objects that differ.
  const differing = new Set(differences(await keysOf(before, signal), await keysOf(after, signal)).map(({ key }) => key))
  const wanted = (_: unknown, key: string): boolean => differing.has(key)
  const old = new Map<string, SnapshotObject>()
  await each(before, { signal, wanted }, (object) => old.set(object.key, object))
  const found: ObjectDifference[] = []
  const add = ({ resource, namespace, name }: SnapshotObject, change: ObjectDifference['change'], fields: ObjectDifference['fields'] = []): void => {
    if (!isRestless(resource)) found.push({ change, resource, namespace, name, fields })
  }
  await each(after, { signal, wanted }, (now) => {
    const former = old.get(now.key)
    old.delete(now.key)
    if (former === undefined) add(now, 'added')
    else if (former.object !== null && now.object !== null) {
      const [left, right] = [comparable(former.object), comparable(now.object)]
      if (!deepEqual(left, right)) add(now, 'changed', fieldChanges(left, right))
    }
  })
  for (const former of old.values()) add(former, 'removed')
  found.sort((a, b) => compare(a.namespace, b.namespace) || compare(a.resource, b.resource) || compare(a.name, b.name))
  const marks = { added: '+', removed: '-', changed: '~' }
  if (writeOut === 'json') say(JSON.stringify(found))
  else if (writeOut === 'table')
    say(
      printTable(
        ['CHANGE', 'RESOURCE', 'NAMESPACE', 'NAME', 'FIELDS'],
        found.map(({ change, resource, namespace, name, fields }) => [change, resource, namespace, name, fields.map(({ path }) => path).join(' ')]),
      ),
    )
  else
    for (const { change, resource, namespace, name, fields } of found) {
      say(`${marks[change]} ${[resource, ...(namespace === '' ? [] : [namespace]), name].join('/')}`)
      for (const { path, before: was, after: is } of fields) say(`    ${path}: ${JSON.stringify(was) ?? 'absent'} -> ${JSON.stringify(is) ?? 'absent'}`)
    }
  if (found.length > 0) process.exitCode = 1
}

async function each(
  path: string,
  { signal, rev, wanted }: { signal: AbortSignal; rev?: number | undefined; wanted?: ObjectsOptions['wanted'] },
  use: (object: SnapshotObject) => void,
): Promise<void> {
  const file = new SnapshotFile(path)
  try {
    for await (const object of snapshotObjects(file, { signal, atRevision: rev, ...(wanted === undefined ? {} : { wanted }) })) use(object)
  } finally {
    file.close()
  }
}

async function keysOf(path: string, signal: AbortSignal): Promise<Map<string, LiveKey>> {
  const file = new SnapshotFile(path, { recycle: true })
  try {
    return await liveKeys(file, { signal, prefix: '/registry/' })
  } finally {
    file.close()
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
