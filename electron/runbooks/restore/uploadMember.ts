import { createReadStream } from 'node:fs'
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { restoreDataDir } from '../../snapshot/dataDir/restoreDataDir.ts'
import type { MembershipOptions } from '../../snapshot/dataDir/membership.ts'
import type { NodeShell } from '../nodeShell/nodeShell.ts'

export interface UploadMemberOptions {
  /** On this machine. */
  snapshot: string
  /** On the node; what is there is replaced. */
  target: string
  membership: MembershipOptions
  bumpRevision: number
  signal: AbortSignal
}

/**
 * Makes a member's data directory here, where etcd's tools need not be, and puts it on the node, for root alone. The zeros at
 * the end of the write-ahead log are not sent. Safe to repeat: the directory gets its name when all of it is there.
 */
export async function uploadMember(
  shell: NodeShell,
  { snapshot, target, membership, bumpRevision, signal }: UploadMemberOptions,
): Promise<{ revision: number; bytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'drydock-restore-'))
  const part = `${target}.part`
  const run = async (command: string, input?: NodeJS.ReadableStream): Promise<string> => {
    const { exitCode, stdout, stderr } = await shell.run(command, { signal, ...(input === undefined ? {} : { input }) })
    if (exitCode !== 0) throw new Error(`the restored data was not stored on the node: «${command}» ended with exit code ${String(exitCode)}: ${stderr.trim()}`)
    return stdout
  }
  try {
    const dataDir = join(folder, 'data')
    const { revision } = await restoreDataDir({ ...membership, snapshot, dataDir, bumpRevision, signal }).catch((error: unknown) => {
      signal.throwIfAborted()
      throw new Error(`the data directory could not be made in ${folder} on this machine: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    })
    await run(`rm -rf ${part} ${target} && mkdir -p ${part}/member/snap ${part}/member/wal && chmod -R 700 ${part}`)
    let bytes = 0
    for (const file of await filesBelow(dataDir)) {
      const local = join(dataDir, file)
      const { size } = await stat(local)
      const length = await usedLength(local, size)
      const path = `${part}/${file}`
      if (length === 0) await run(`: > ${path}`)
      else await run(`cat > ${path}`, createReadStream(local, { end: length - 1 }))
      if (length < size) await run(extendCommand(path, size))
      await run(`chmod 600 ${path}`)
      const stored = Number((await run(`wc -c < ${path}`)).trim())
      if (stored !== size) throw new Error(`${path} has ${String(stored)} bytes on the node, not ${String(size)}: is its disk full?`)
      bytes += size
    }
    await run(`sync && mv ${part} ${target}`)
    return { revision, bytes }
  } catch (error) {
    // What is there in part helps nobody, and etcd on the same disk needs the room. A node that is gone keeps it until the next try.
    if (!signal.aborted) await shell.run(`rm -rf ${part}`, { signal }).catch(() => undefined)
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Takes the room of zeros as etcd does, so that its first writes find it; where a file system does not know how, the file is given its length alone. */
const extendCommand = (path: string, size: number): string =>
  `said=$(fallocate -l ${String(size)} ${path} 2>&1) || case $said in *"o space left"*) echo "$said" >&2; false;; *) truncate -s ${String(size)} ${path};; esac`

async function filesBelow(directory: string, prefix = ''): Promise<string[]> {
  const entries = await readdir(join(directory, prefix), { withFileTypes: true })
  const nested = await Promise.all(
    entries.map((entry) => (entry.isDirectory() ? filesBelow(directory, `${prefix}${entry.name}/`) : [`${prefix}${entry.name}`])),
  )
  return nested.flat()
}

const CHUNK_BYTES = 2 ** 20

/** A file's length without the zeros at its end. */
async function usedLength(path: string, size: number): Promise<number> {
  const handle = await open(path, 'r')
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES)
    for (let end = size; end > 0;) {
      const start = Math.max(0, end - CHUNK_BYTES)
      const { bytesRead } = await handle.read(chunk, 0, end - start, start)
      for (let index = bytesRead - 1; index >= 0; index--) if (chunk[index] !== 0) return start + index + 1
      end = start
    }
    return 0
  } finally {
    await handle.close()
  }
}
