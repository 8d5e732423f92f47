import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeShell } from '#electron/runbooks/nodeShell/nodeShell.ts'
import { writePrograms } from './realNode/programs.ts'
import { mountSmallDisks, type SmallDisk } from './smallDisk.ts'

const MANIFESTS = '/etc/kubernetes/manifests'

/**
 * A node's files on small disks of their own, and this machine's shell to work on them. Its kubelet needs no time: whatever has a manifest
 * in the folder runs. systemd's and the container runtime's commands are scripts that know what runbooks ask.
 */
export interface DiskNode {
  shell: NodeShell
  disks: Map<string, Pick<SmallDisk, 'fill' | 'makeRoom'>>
  /** Where a file of the node is for everybody else. */
  outside(path: string): string
  /** Is told of each command before it is run. */
  onCommand: (command: string) => void
  run(command: string): Promise<{ exitCode: number; stdout: string; stderr: string }>
  /** Names of the units that were started there, in order. */
  units(): string[]
  /** Names of the manifests in the kubelet's folder. */
  manifests(): Promise<string[]>
  close(): Promise<void>
}

/** @param sizesMiB by where they are mounted, outer ones first */
export async function startDiskNode(directory: string, sizesMiB: Readonly<Record<string, number>>): Promise<DiskNode> {
  const [bin, unitLog] = [join(directory, 'bin'), join(directory, 'units.log')]
  mkdirSync(directory, { recursive: true })
  writePrograms(bin, { units: join(directory, 'units'), unitLog, containers: '' })
  const row = 'echo "id  image  now  Running  $(basename "$each" .yaml)  0  pod"'
  writeFileSync(
    join(bin, 'crictl'),
    `#!/bin/sh\n[ "$1" = ps ] || exit 1\nfor each in ${MANIFESTS}/*.yaml; do if [ -e "$each" ]; then ${row}; fi; done\nexit 0\n`,
  )
  chmodSync(join(bin, 'crictl'), 0o755)
  const { within, outside, disks, close } = await mountSmallDisks(sizesMiB)
  const run = async (command: string, input?: NodeJS.ReadableStream): ReturnType<DiskNode['run']> => {
    const [program = '', ...rest] = [...within, 'sh', '-c', command]
    const child = spawn(program, rest, { env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` } })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
    // One that ends early takes no more.
    child.stdin.on('error', () => undefined)
    if (input === undefined) child.stdin.end()
    else input.pipe(child.stdin)
    const [exitCode] = (await once(child, 'close')) as [number | null]
    return { exitCode: exitCode ?? 1, stdout, stderr }
  }
  const node: DiskNode = {
    shell: {
      run: (command, { input }) => {
        node.onCommand(command)
        return run(command, input)
      },
      forward: () => Promise.reject(new Error('nothing listens here')),
      close: () => undefined,
    },
    disks,
    outside,
    onCommand: () => undefined,
    run: (command) => run(command),
    units: () => (existsSync(unitLog) ? readFileSync(unitLog, 'utf8').trim().split('\n') : []),
    manifests: async () => (await run(`ls ${MANIFESTS}`)).stdout.trim().split('\n').sort(),
    close,
  }
  return node
}
