import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProgram, type CommandResult } from './peers.ts'

const top = fileURLToPath(new URL('../..', import.meta.url))
export const cli = join(top, 'build/drydock.mjs')

/** A `drydock cluster` in a process of its own, as a user starts it. */
export interface RunningCluster {
  apiUrl: string
  kubeconfig: string
  etcd: string
  pki: string
  ssh: string
  sshKey: string
  process: ChildProcess
  /** Milliseconds from start to the ready line. */
  readyMs: number
  kubectl(args: string[], options?: { input?: string; timeoutMs?: number }): Promise<CommandResult>
  etcdctl(args: string[], options?: { input?: string; timeoutMs?: number }): Promise<CommandResult>
  /** Ends it with a signal and waits for its end. */
  end(signal?: NodeJS.Signals): Promise<void>
}

const READY = /^drydock: cluster ready (\S+) kubeconfig=(.+) etcd=(\S+) pki=(.+) ssh=(\S+) ssh-key=(.+)$/

/**
 * @param program what is run in place of the command line
 * @param within a command that runs what follows it, e.g. in another namespace
 * @throws Error with its stderr when it ends before it is ready
 */
export async function startCluster(
  dataDir: string,
  args: string[] = [],
  { program = cli, within = [] }: { program?: string; within?: string[] } = {},
): Promise<RunningCluster> {
  const startedMs = performance.now()
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', program, 'cluster', '--data-dir', dataDir, '--port', '0', ...args]
  const [command = process.execPath, ...rest] = [...within, ...node]
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString()
  })
  const lines = createInterface({ input: child.stdout })
  const line = await Promise.race([once(lines, 'line').then(([text]) => String(text)), once(child, 'exit').then(() => '')])
  const match = READY.exec(line)
  if (match === null) throw new Error(`drydock cluster did not become ready: ${line} ${stderr}`)
  const [, apiUrl = '', kubeconfig = '', etcd = '', pki = '', ssh = '', sshKey = ''] = match
  const tls = [
    '--endpoints',
    etcd,
    '--cacert',
    join(pki, 'etcd/ca.crt'),
    '--cert',
    join(pki, 'etcd/healthcheck-client.crt'),
    '--key',
    join(pki, 'etcd/healthcheck-client.key'),
  ]
  return {
    apiUrl,
    kubeconfig,
    etcd,
    pki,
    ssh,
    sshKey,
    process: child,
    readyMs: performance.now() - startedMs,
    kubectl: (own, options = {}) =>
      runProgram('kubectl', ['--kubeconfig', kubeconfig, '--cache-dir', join(dataDir, 'kubectl-cache'), ...own], { timeoutMs: 40_000, ...options }),
    etcdctl: (own, options = {}) => runProgram('etcdctl', [...tls, ...own], { env: { ETCDCTL_API: '3' }, timeoutMs: 40_000, ...options }),
    end: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
    },
  }
}
