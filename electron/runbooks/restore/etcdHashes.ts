import { connectEtcd } from '../../client/etcd/connectEtcd.ts'
import type { NodeShellFactory } from '../nodeShell/nodeShell.ts'
import { nodeEtcd } from '../nodeEtcd.ts'

/** Revision, HashKV and number of members as the etcd of each node tells them, reached through SSH. @throws Error when one is not reached */
export async function etcdHashes(
  shells: NodeShellFactory,
  nodes: readonly { name: string; address: string }[],
  { signal }: { signal: AbortSignal },
): Promise<{ node: string; revision: number; hash: number; members: number }[]> {
  return Promise.all(
    nodes.map(async ({ name, address }) => {
      const shell = await shells(name, { signal, address })
      try {
        const reached = await nodeEtcd(shell, { signal })
        try {
          const etcd = await connectEtcd(reached)
          try {
            const { header, hash } = await etcd.hashKv({}, { signal })
            return { node: name, revision: header.revision, hash, members: (await etcd.members({ signal })).length }
          } finally {
            await etcd.close()
          }
        } finally {
          await reached.close()
        }
      } finally {
        shell.close()
      }
    }),
  )
}
