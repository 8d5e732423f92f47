import type { Command } from 'commander'
import { restoreDataDir } from '../snapshot/dataDir/restoreDataDir.ts'
import { interruptible } from './interruptible.ts'
import type { RestoreObjectsFlags } from './snapshotRestoreObjects.ts'
import { writing } from './writeFlags.ts'
import { unlockable, withSnapshot, type UnlockFlags } from './snapshotSecrets.ts'

interface Options extends UnlockFlags, RestoreObjectsFlags {
  dataDir?: string
  walDir?: string
  name: string
  initialCluster: string
  initialClusterToken: string
  initialAdvertisePeerUrls: string
  skipHashCheck: boolean
  bumpRevision: number
  markCompacted: boolean
}

/** `drydock snapshot restore`: etcdutl's flags and defaults. */
export function registerRestore(snapshot: Command): void {
  const collected = (each: string, all: string[]): string[] => [...all, each]
  writing(unlockable(snapshot.command('restore <file>')))
    .description(
      'make the data directory one etcd member starts from, run per member with the same file and cluster; or with --object or --namespace, make objects again in a cluster',
    )
    .option('--object <object>', 'NAMESPACE/KIND/NAME or KIND/NAME, made in the cluster of --kubeconfig; may be repeated', collected, [])
    .option('--rev <revision>', 'objects as they were at this revision', wholeNumber)
    .option('-n, --namespace <name>', 'everything of a namespace, likewise; may be repeated', collected, [])
    .option('--data-dir <dir>', 'the data directory to make (default: NAME.etcd)')
    .option('--wal-dir <dir>', 'where the write-ahead log goes (default: member/wal in the data directory)')
    .option('--name <name>', "the member's name", 'default')
    .option('--initial-cluster <pairs>', 'name=peerURL pairs of all members, comma-separated', 'default=http://localhost:2380')
    .option('--initial-cluster-token <token>', 'keeps members of another cluster out', 'etcd-cluster')
    .option('--initial-advertise-peer-urls <urls>', "this member's peer URLs", 'http://localhost:2380')
    .option('--skip-hash-check', 'for a copied database, which has no SHA-256 at its end', false)
    .option('--bump-revision <n>', 'begin this many revisions above the snapshot', wholeNumber, 0)
    .option('--mark-compacted', 'compact everything below the new revision, so that old watches are cancelled', false)
    .action((file: string, options: Options) =>
      interruptible((signal) =>
        withSnapshot(file, options, signal, async (path) => {
          if (options.object.length > 0 || options.namespace.length > 0)
            await (await import('./snapshotRestoreObjects.ts')).restoreObjects(path, options, signal)
          else await restore(file, { ...options, path }, signal)
        }),
      ),
    )
}

async function restore(file: string, options: Options & { path: string }, signal: AbortSignal): Promise<void> {
  if (options.markCompacted !== options.bumpRevision > 0)
    throw new Error('--mark-compacted and --bump-revision go together: give both, the second above 0, or neither')
  const dataDir = options.dataDir ?? `${options.name}.etcd`
  const isTerminal = process.stderr.isTTY
  const { memberId, clusterId, revision } = await restoreDataDir({
    ...options,
    snapshot: options.path,
    dataDir,
    signal,
    onProgress: (revisions) => {
      if (isTerminal) process.stderr.write(`\r${String(revisions)} revisions   `)
    },
  })
  if (isTerminal) process.stderr.write('\n')
  process.stdout.write(
    `Restored ${file} to ${dataDir}: member ${options.name} (${memberId.toString(16)}) of cluster ${clusterId.toString(16)}, revision ${String(revision)}\n`,
  )
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`a revision is a whole number, not ${JSON.stringify(text)}`)
  return Number(text)
}
