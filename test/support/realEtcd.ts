import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { vi } from 'vitest'
import { freePort, runProgram } from './peers.ts'

/** A real etcd member on loopback. */
export interface RealEtcd {
  endpoint: string
  /** Ends it as an operator does. */
  stop(): Promise<void>
}

export interface EtcdPlace {
  name: string
  client: string
  peer: string
}

/** A member's name with free addresses for it. */
export async function etcdPlace(name: string): Promise<EtcdPlace> {
  return { name, client: `http://127.0.0.1:${String(await freePort())}`, peer: `http://127.0.0.1:${String(await freePort())}` }
}

/**
 * Starts one member and does not wait until it is ready: the first of three never is without the others. See {@link etcdReady}.
 * @param members all of the cluster, this one among them @default it alone
 */
export function startEtcd({
  program,
  dataDir,
  place,
  members = [place],
}: {
  program: string
  dataDir: string
  place: EtcdPlace
  members?: EtcdPlace[]
}): RealEtcd {
  const child = spawn(
    program,
    [
      ...['--name', place.name, '--data-dir', dataDir, '--listen-client-urls', place.client, '--advertise-client-urls', place.client],
      ...['--listen-peer-urls', place.peer, '--initial-advertise-peer-urls', place.peer],
      ...['--initial-cluster', members.map(({ name, peer }) => `${name}=${peer}`).join(',')],
    ],
    { stdio: 'ignore' },
  )
  return {
    endpoint: place.client,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** etcdctl with the v3 API. @throws with its message when it fails */
export async function etcdctl(program: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, ['--command-timeout=30s', ...args], {
    env: { ETCDCTL_API: '3' },
    timeoutMs: 60_000,
    ...(input === undefined ? {} : { input }),
  })
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
  return stdout
}

export async function etcdReady(program: string, endpoint: string): Promise<void> {
  await vi.waitFor(() => etcdctl(program, ['--endpoints', endpoint, 'endpoint', 'health']), { timeout: 90_000, interval: 300 })
}
