import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from './peers.ts'

/** Whether this user may have a namespace in which it can mount. */
export async function canMount(): Promise<boolean> {
  return (await runProgram('unshare', ['-rm', 'true'])).code === 0 && (await runProgram('nsenter', ['--version'])).code === 0
}

/** A directory on a small disk of its own, which only programs that are started `within` see by its path. */
export interface SmallDisk {
  /** What to put before a command that is to run there. */
  within: string[]
  /** The path of a file there, as everybody else reaches it. */
  outside(path: string): string
  /** Takes all room but so many bytes. */
  fill(leaveBytes: number): void
  makeRoom(): void
  close(): Promise<void>
}

/** Mounts a tmpfs of so many MiB over a directory, in a mount namespace that ends with the disk. */
export async function mountSmallDisk(directory: string, sizeMiB: number): Promise<SmallDisk> {
  const { disks, ...namespace } = await mountSmallDisks({ [directory]: sizeMiB })
  const [disk] = disks.values()
  if (disk === undefined) throw new Error(`no disk was mounted at ${directory}`)
  return { ...namespace, ...disk }
}

/** Several such disks in one mount namespace, in the order in which they are mounted; folders are made for those within another. */
export async function mountSmallDisks(
  sizesMiB: Readonly<Record<string, number>>,
): Promise<Pick<SmallDisk, 'within' | 'outside' | 'close'> & { disks: Map<string, Pick<SmallDisk, 'fill' | 'makeRoom'>> }> {
  const script = 'while [ $# -gt 0 ]; do mkdir -p "$1"; mount -t tmpfs -o size="$2"m tmpfs "$1" || exit 1; shift 2; done; echo mounted && exec cat'
  const args = Object.entries(sizesMiB).flatMap(([directory, sizeMiB]) => [directory, String(sizeMiB)])
  const holder = spawn('unshare', ['-rm', 'sh', '-c', script, 'sh', ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [said] = (await once(holder.stdout, 'data')) as [Buffer]
  if (said.toString() !== 'mounted\n') throw new Error(`no tmpfs could be mounted: ${said.toString()}`)
  const pid = String(holder.pid)
  const outside = (path: string): string => join(`/proc/${pid}/root`, path)
  const disk = (directory: string): Pick<SmallDisk, 'fill' | 'makeRoom'> => {
    const ballast = outside(join(directory, 'ballast'))
    return {
      fill: (leaveBytes) => {
        const { bavail, bsize } = statfsSync(outside(directory))
        writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes)))
      },
      makeRoom: () => {
        rmSync(ballast, { force: true })
      },
    }
  }
  return {
    within: ['nsenter', '--target', pid, '--user', '--mount', '--preserve-credentials', '--'],
    outside,
    disks: new Map(Object.keys(sizesMiB).map((directory) => [directory, disk(directory)])),
    close: async () => {
      const ended = once(holder, 'exit')
      holder.stdin.end()
      await ended
    },
  }
}
