import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { connectEtcd } from '#electron/client/etcd/connectEtcd.ts'
import { freePort } from './freePort.ts'

export interface EtcdClusterMember {
  name: string
  endpoint: string
  /** Where its peers reach it. */
  peerPort: number
  child: ChildProcess
}

/** Real etcd members that speak TLS to each other and to clients. */
export interface EtcdCluster {
  members: EtcdClusterMember[]
  tls: { caFile: string; certFile: string; keyFile: string }
  /** The member that leads. */
  leader(signal: AbortSignal): Promise<EtcdClusterMember>
  kill(member: EtcdClusterMember): Promise<void>
  /** Starts one again that was killed, with what it had on its disk. */
  start(member: EtcdClusterMember): void
  end(): Promise<void>
}

/**
 * @param pkiDir kubeadm's, with `etcd/` below it
 * @param userOf the user a member runs as, so that rules can tell its packets; who starts it by default
 */
export async function startEtcdCluster(
  program: string,
  dir: string,
  { pkiDir, size, userOf }: { pkiDir: string; size: number; userOf?: (index: number) => number },
): Promise<EtcdCluster> {
  const file = (name: string): string => join(pkiDir, 'etcd', name)
  const plans = await Promise.all(
    Array.from({ length: size }, async (_, index) => ({
      name: `m${String(index)}`,
      client: `https://127.0.0.1:${String(await freePort())}`,
      peer: `https://127.0.0.1:${String(await freePort())}`,
    })),
  )
  const initial = plans.map(({ name, peer }) => `${name}=${peer}`).join(',')
  const runs = new Map<string, () => ChildProcess>()
  const members = plans.map(({ name, client, peer }, index): EtcdClusterMember => {
    const user = userOf === undefined ? {} : { uid: userOf(index), gid: userOf(index) }
    if (userOf !== undefined) {
      mkdirSync(join(dir, name), { recursive: true, mode: 0o700 })
      chownSync(join(dir, name), userOf(index), userOf(index))
    }
    const run = (): ChildProcess =>
      spawn(
        program,
        [
          ...['--name', name, '--data-dir', join(dir, name), '--listen-client-urls', client, '--advertise-client-urls', client],
          ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', initial],
          ...['--cert-file', file('server.crt'), '--key-file', file('server.key'), '--client-cert-auth', '--trusted-ca-file', file('ca.crt')],
          ...['--peer-cert-file', file('peer.crt'), '--peer-key-file', file('peer.key'), '--peer-client-cert-auth', '--peer-trusted-ca-file', file('ca.crt')],
        ],
        { stdio: 'ignore', ...user },
      )
    runs.set(name, run)
    return { name, endpoint: client, peerPort: Number(new URL(peer).port), child: run() }
  })
  const tls = { caFile: file('ca.crt'), certFile: join(pkiDir, 'apiserver-etcd-client.crt'), keyFile: join(pkiDir, 'apiserver-etcd-client.key') }
  const kill = async ({ child }: EtcdClusterMember): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  const ask = async <T>({ endpoint }: EtcdClusterMember, question: (etcd: EtcdClient) => Promise<T>): Promise<T> => {
    const etcd = await connectEtcd({ endpoint, ...tls })
    try {
      return await question(etcd)
    } finally {
      await etcd.close()
    }
  }
  return {
    members,
    tls,
    kill,
    start: (member) => {
      const run = runs.get(member.name)
      if (run !== undefined) member.child = run()
    },
    leader: async (signal) => {
      for (const member of members) {
        const { header, leader } = await ask(member, (etcd) => etcd.status({ signal }))
        if (header.memberId === leader) return member
      }
      throw new Error('no member leads')
    },
    end: async () => {
      await Promise.all(members.map(kill))
    },
  }
}
