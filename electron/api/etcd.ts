import type { Clock } from '#shared/base/clock.ts'
import type { RequestHandlers } from '#shared/contract/contract.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { compactNow, listBranches, listKeys, memberViews, readKey } from '../snapshot/etcdView.ts'
import { storedObjectAsYaml } from '../snapshot/storedObject.ts'
import type { EtcdConnections, EtcdEndpoint } from '../clusters/etcdConnections.ts'

type Names = 'etcd.members' | 'etcd.setEndpoint' | 'etcd.keys' | 'etcd.branches' | 'etcd.get' | 'etcd.defragment' | 'etcd.compact'

/** The contract's namespace `etcd`. */
export function etcdHandlers(connections: EtcdConnections, clock: Clock, requireWritable: (clusterId: string) => void): Pick<RequestHandlers, Names> {
  const using = async <T>(clusterId: string, given: EtcdEndpoint | undefined, work: (etcd: EtcdClient) => Promise<T>): Promise<T> => {
    const { etcd } = await connections.connect(clusterId, given)
    try {
      return await work(etcd)
    } finally {
      await etcd.close()
    }
  }
  return {
    'etcd.members': ({ clusterId, etcd: given }, context) =>
      using(clusterId, given, (etcd) =>
        memberViews(etcd, { clock, connectMember: async (urls) => (await connections.connect(clusterId, given, urls)).etcd }, context),
      ),
    'etcd.setEndpoint': async ({ clusterId, etcd }) => {
      await connections.set(clusterId, etcd)
      return null
    },
    'etcd.keys': ({ clusterId, prefix, after, limit }, context) => using(clusterId, undefined, (etcd) => listKeys(etcd, { prefix, after, limit }, context)),
    'etcd.branches': ({ clusterId, prefix }, context) => using(clusterId, undefined, (etcd) => listBranches(etcd, { prefix }, context)),
    'etcd.get': ({ clusterId, key, revision }, context) =>
      using(clusterId, undefined, (etcd) => readKey(etcd, { key, revision, decodeObject: storedObjectAsYaml }, context)),
    'etcd.defragment': async ({ clusterId }, context) => {
      requireWritable(clusterId)
      await using(clusterId, undefined, (etcd) => etcd.defragment(context))
      return null
    },
    'etcd.compact': async ({ clusterId }, context) => {
      requireWritable(clusterId)
      return using(clusterId, undefined, (etcd) => compactNow(etcd, context))
    },
  }
}
