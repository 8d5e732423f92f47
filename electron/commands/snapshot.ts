import { Option, type Command } from 'commander'
import { SystemClock } from '#shared/base/clock.ts'
import { differences, liveKeys, readValue } from '../snapshot/contents.ts'
import { humanBytes, printStatus, printTable, type OutputFormat } from '../snapshot/print.ts'
import { SnapshotFile } from '../snapshot/snapshotFile.ts'
import { snapshotStatus } from '../snapshot/status.ts'
import { interruptible } from './interruptible.ts'
import type { ApplyFlags } from './snapshotApply.ts'
import { registerExport } from './snapshotExport.ts'
import { registerRestore } from './snapshotRestore.ts'
import { writing } from './writeFlags.ts'
import { readSealing, readUnlock, sealable, unlockable, unpackDirectory, withSnapshot, type SealFlags, type UnlockFlags } from './snapshotSecrets.ts'

const formats: OutputFormat[] = ['simple', 'table', 'json', 'fields']

/** Loaded when they are asked for, as the tables of Kubernetes' kinds are: `status` needs none of them, and a start is most of what it takes. */
const byObjects = () => import('./snapshotObjects.ts')

/** `drydock snapshot …`: etcdctl's and etcdutl's words, flags and columns where they have them. */
export function register(program: Command): void {
  const snapshot = program.command('snapshot').description('save, check and restore etcd snapshots')
  const output = (): Option => new Option('-w, --write-out <format>', 'output format').choices(formats).default('simple')

  sealable(snapshot.command('save <file>'))
    .description('save a snapshot of an etcd into a file')
    .option('--endpoints <endpoint>', 'the etcd member to read from', '127.0.0.1:2379')
    .option('--cacert <file>', 'CA bundle that the server is checked by')
    .option('--cert <file>', 'client certificate')
    .option('--key <file>', "client certificate's key")
    .action((file: string, options: SaveFlags) => interruptible((signal) => save(file, options, signal)))

  unlockable(snapshot.command('status <file>'))
    .description('hash, revision, keys and size, as etcdctl prints them')
    .addOption(output())
    .action((file: string, { writeOut, ...flags }: { writeOut: OutputFormat } & UnlockFlags) =>
      interruptible(async (signal) => {
        say(printStatus(await withSnapshot(file, flags, signal, (path) => snapshotStatus(path, { signal })), writeOut))
      }),
    )

  unlockable(snapshot.command('verify <file>'))
    .description('read the whole file and check everything that can be checked; exit code 1 when it is broken')
    .addOption(output())
    .action((file: string, { writeOut, ...flags }: { writeOut: OutputFormat } & UnlockFlags) =>
      interruptible((signal) => verify(file, { writeOut, flags }, signal)),
    )

  unlockable(snapshot.command('ls <file> [prefix]'))
    .description('the keys alive in a snapshot')
    .option('--rev <revision>', 'as of this revision', wholeNumber)
    .option('--objects', 'Kubernetes objects by resource, namespace and name, in place of keys', false)
    .addOption(output())
    .action((file: string, prefix: string | undefined, { objects, ...options }: { rev?: number; objects: boolean; writeOut: OutputFormat } & UnlockFlags) =>
      interruptible((signal) =>
        withSnapshot(file, options, signal, async (path) =>
          objects ? (await byObjects()).listObjects(path, { ...options, signal }) : list(path, { prefix, ...options }, signal),
        ),
      ),
    )

  unlockable(snapshot.command('get <file> <key>'))
    .description("one key's value, or the object `RESOURCE/NAME`; Kubernetes objects as YAML")
    .option('-n, --namespace <name>', 'of RESOURCE/NAME')
    .option('--rev <revision>', 'as of this revision', wholeNumber)
    .option('--raw', 'the stored bytes as they are')
    .addOption(output())
    .action((file: string, key: string, options: GetFlags) =>
      interruptible((signal) => withSnapshot(file, options, signal, (path) => get(path, key, { ...options, signal }))),
    )

  registerRestore(snapshot)
  writing(unlockable(snapshot.command('apply <path>')))
    .description('make what `snapshot export` wrote in a cluster, in the order in which objects need each other; exit code 1 when any of them failed')
    .option('--skip-encrypted', 'leave out the Secrets that are encrypted', false)
    .action((path: string, flags: ApplyFlags) => interruptible(async (signal) => (await import('./snapshotApply.ts')).applyExport(path, flags, signal)))
  registerExport(snapshot, wholeNumber)

  unlockable(snapshot.command('diff <before> <after> [prefix]'))
    .description('keys added, removed and changed between two snapshots; exit code 1 when there are any')
    .option('--objects', 'Kubernetes objects with the fields that differ, without noise, in place of keys', false)
    .addOption(output())
    .action(
      (
        before: string,
        after: string,
        prefix: string | undefined,
        { objects, writeOut, ...flags }: { objects: boolean; writeOut: OutputFormat } & UnlockFlags,
      ) =>
        interruptible((signal) =>
          withSnapshot(before, flags, signal, (left) =>
            withSnapshot(after, flags, signal, async (right) =>
              objects ? (await byObjects()).diffObjects(left, right, { signal, writeOut }) : diff({ before: left, after: right, prefix, writeOut }, signal),
            ),
          ),
        ),
    )
}

interface SaveFlags extends SealFlags {
  endpoints: string
  cacert?: string
  cert?: string
  key?: string
}

interface GetFlags extends UnlockFlags {
  rev?: number
  raw?: boolean
  namespace?: string
  writeOut: OutputFormat
}

async function get(path: string, key: string, { rev, raw, namespace = '', writeOut, signal }: GetFlags & { signal: AbortSignal }): Promise<void> {
  const [, resource, name] = /^([^/]+)\/([^/]+)$/.exec(key) ?? []
  if (resource !== undefined && name !== undefined) {
    await (await byObjects()).getObject(path, { resource, namespace, name }, { signal, writeOut, rev })
    return
  }
  const [{ describeValue }, { storedObjectAsYaml }] = await Promise.all([import('../snapshot/etcdView.ts'), import('../snapshot/storedObject.ts')])
  withFile(path, (opened) => {
    const kv = readValue(opened, { key, atRevision: rev })
    if (kv === null) throw new Error(`there is no key ${key} in ${path}`)
    if (raw === true) process.stdout.write(kv.value)
    else say(describeValue(kv.value, storedObjectAsYaml).text.replace(/\n$/, ''))
  })
}

async function save(path: string, options: SaveFlags, signal: AbortSignal): Promise<void> {
  const endpoints = options.endpoints.split(',').filter((endpoint) => endpoint !== '')
  const [endpoint] = endpoints
  if (endpoint === undefined || endpoints.length > 1) throw new Error('snapshot save reads from one member: give exactly one endpoint')
  const [{ connectMaintenance }, { saveSnapshot }] = await Promise.all([import('../client/etcd/snapshotStream.ts'), import('../snapshot/save.ts')])
  const sealing = await readSealing(options)
  const etcd = await connectMaintenance({ endpoint, caFile: options.cacert, certFile: options.cert, keyFile: options.key })
  try {
    const isTerminal = process.stderr.isTTY
    const saved = await saveSnapshot({
      etcd,
      path,
      clock: new SystemClock(),
      sealing,
      signal,
      onProgress: ({ receivedBytes, totalBytes, bytesPerSecond }) => {
        if (isTerminal)
          process.stderr.write(`\r${humanBytes(receivedBytes)} of ${totalBytes === null ? '?' : humanBytes(totalBytes)}, ${humanBytes(bytesPerSecond)}/s   `)
      },
    })
    if (isTerminal) process.stderr.write('\n')
    say(`Snapshot saved at ${saved.path}`)
  } finally {
    await etcd.close()
  }
}

async function verify(path: string, { writeOut, flags }: { writeOut: OutputFormat; flags: UnlockFlags }, signal: AbortSignal): Promise<void> {
  const { verifyFile } = await import('../snapshot/envelope/verifyFile.ts')
  const found = await verifyFile(path, { unlock: await readUnlock(path, flags), directory: unpackDirectory(), signal })
  if (writeOut === 'json') say(JSON.stringify(found))
  else {
    if (writeOut === 'table')
      say(
        printTable(
          ['CHECK', 'VERDICT', 'DETAIL'],
          found.checks.map((check) => [check.name, check.verdict, check.detail]),
        ),
      )
    else for (const check of found.checks) say(`${check.verdict}: ${check.name}: ${check.detail}`)
    say(`${path}: ${found.verdict}`)
  }
  if (found.verdict === 'broken') process.exitCode = 1
}

async function list(
  path: string,
  { prefix, rev, writeOut }: { prefix?: string | undefined; rev?: number; writeOut: OutputFormat },
  signal: AbortSignal,
): Promise<void> {
  const keys = [...(await withFile(path, (file) => liveKeys(file, { signal, prefix, atRevision: rev }))).values()]
  if (writeOut === 'json') say(JSON.stringify(keys))
  else if (writeOut === 'table')
    say(
      printTable(
        ['KEY', 'CREATED', 'MODIFIED', 'VERSION', 'SIZE'],
        keys.map((key) => [key.key, String(key.createRevision), String(key.modRevision), String(key.version), humanBytes(key.valueSizeBytes)]),
      ),
    )
  else for (const { key } of keys) say(key)
}

async function diff(
  { before, after, prefix, writeOut }: { before: string; after: string; prefix: string | undefined; writeOut: OutputFormat },
  signal: AbortSignal,
): Promise<void> {
  const keysOf = (path: string): ReturnType<typeof liveKeys> => withFile(path, (file) => liveKeys(file, { signal, prefix }))
  const found = differences(await keysOf(before), await keysOf(after))
  const marks = { added: '+', removed: '-', changed: '~' }
  if (writeOut === 'json') say(JSON.stringify(found))
  else if (writeOut === 'table')
    say(
      printTable(
        ['CHANGE', 'KEY'],
        found.map(({ change, key }) => [change, key]),
      ),
    )
  else for (const { change, key } of found) say(`${marks[change]} ${key}`)
  if (found.length > 0) process.exitCode = 1
}

/** Opens, uses and closes; the use may be synchronous or not, and keeps no view of a value. */
function withFile<T>(path: string, use: (file: SnapshotFile) => T): T {
  const file = new SnapshotFile(path, { recycle: true })
  const close = (): void => {
    file.close()
  }
  let result: T
  try {
    result = use(file)
  } catch (error) {
    close()
    throw error
  }
  if (result instanceof Promise) return result.finally(close) as T
  close()
  return result
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`${text} is no revision`)
  return Number(text)
}
