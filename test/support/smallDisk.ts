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
  const script = 'mount -t tmpfs -o size="$2"m tmpfs "$1" && echo mounted && exec cat'
  const holder = spawn('unshare', ['-rm', 'sh', '-c', script, 'sh', directory, String(sizeMiB)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [said] = (await once(holder.stdout, 'data')) as [Buffer]
  if (said.toString() !== 'mounted\n') throw new Error(`no tmpfs could be mounted: ${said.toString()}`)
  const pid = String(holder.pid)
  const outside = (path: string): string => join(`/proc/${pid}/root`, path)
  const ballast = outside(join(directory, 'ballast'))
  return {
    within: ['nsenter', '--target', pid, '--user', '--mount', '--preserve-credentials', '--'],
    outside,
    fill: (leaveBytes) => {
      const { bavail, bsize } = statfsSync(outside(directory))
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes)))
    },
    makeRoom: () => {
      rmSync(ballast, { force: true })
    },
    close: async () => {
      const ended = once(holder, 'exit')
      holder.stdin.end()
      await ended
    },
  }
}
