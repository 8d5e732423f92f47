import { join } from 'node:path'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import type { StillReader } from '#shared/etcd/stillReader.ts'
import { connectEtcdServers } from '#electron/client/etcd/connectEtcdServers.ts'
import { encodeSnapshot } from '#electron/snapshot/encodeSnapshot.ts'
import { openEtcdStore } from './etcd/embeddedEtcd.ts'
import { serveEtcd, type EtcdServer, type EtcdServerOptions } from './etcd/server.ts'
import type { ControlPlaneOptions } from './interface.ts'
import { SnapshotDatabase } from './snapshotDatabase.ts'

/** Where a control plane keeps its objects: its own etcd, or one that is there already. */
export interface Storage {
  etcd: EtcdClient
  /** Of a snapshot that is read in place; null of everything that may change. */
  still: StillReader | null
  /** Serves an etcd of its own; of an existing one only tells where it is. */
  listen(tls: EtcdServerOptions['tls']): Promise<ReachedStorage>
  close(): Promise<void>
}

/** Where clients reach it. */
export interface ReachedStorage {
  /** Client URLs, comma-separated. */
  urls: string
  /** The server in this process; null when the etcd is somebody else's. */
  own: Pick<EtcdServer, 'port' | 'setServingCertificate'> | null
}

/** A snapshot in which nothing moves is read where it lies; one that goes on is copied first. */
export function isReadInPlace<O extends Pick<ControlPlaneOptions, 'fromSnapshot' | 'readOnly'>>(options: O): options is O & { fromSnapshot: string } {
  return options.fromSnapshot !== undefined && options.readOnly === true
}

/** @throws Error that names the servers when none of them answers */
export async function openStorage(options: ControlPlaneOptions, memberName: string): Promise<Storage> {
  return options.etcd === undefined ? ownStorage(options, memberName) : await existingStorage(options, options.etcd)
}

function ownStorage({ dataDir, etcdPort: port, clock, logger, ...options }: ControlPlaneOptions, memberName: string): Storage {
  const etcd = openEtcdStore({
    dataDir: join(dataDir, 'etcd'),
    clock,
    logger: logger.with({ component: 'etcd' }),
    memberName,
    encodeSnapshot,
    ...(isReadInPlace(options) ? { still: new SnapshotDatabase(options.fromSnapshot, options.atRevision ?? null) } : {}),
  })
  let stop = (): Promise<void> => Promise.resolve()
  return {
    etcd,
    still: etcd.still(),
    listen: async (tls) => {
      const server = await serveEtcd({ etcd, port, tls, logger })
      stop = () => server.close()
      const url = `https://127.0.0.1:${String(server.port)}`
      etcd.clientUrls = [url]
      return { urls: url, own: server }
    },
    close: async () => {
      await stop()
      await etcd.close()
    },
  }
}

async function existingStorage(options: ControlPlaneOptions, servers: NonNullable<ControlPlaneOptions['etcd']>): Promise<Storage> {
  if (options.fromSnapshot !== undefined)
    throw new Error('--from-snapshot fills the embedded etcd: restore it into the existing one with etcdutl, or leave --etcd-servers out')
  const etcd = await connectEtcdServers(servers)
  try {
    await etcd.status({ signal: new AbortController().signal })
  } catch (error) {
    await etcd.close()
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`none of the etcd servers ${servers.endpoints.join(', ')} answers (${why}): check their addresses, and --cacert, --cert and --key`, {
      cause: error,
    })
  }
  return { etcd, still: null, listen: () => Promise.resolve({ urls: servers.endpoints.join(','), own: null }), close: () => etcd.close() }
}
