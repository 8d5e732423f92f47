import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { connectEtcd } from '#electron/client/etcd/connectEtcd.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const ROUNDS = 50
const WRITERS = 8
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** What a writer was told is written: key to the highest value acknowledged. */
type Acknowledged = Map<string, { value: number; revision: number }>

function connect({ etcd, pki }: RunningCluster): Promise<EtcdClient> {
  return connectEtcd({
    endpoint: etcd,
    caFile: join(pki, 'etcd/ca.crt'),
    certFile: join(pki, 'etcd/healthcheck-client.crt'),
    keyFile: join(pki, 'etcd/healthcheck-client.key'),
  })
}

/** Writes ever higher values until the connection breaks. */
async function write(client: EtcdClient, key: string, acknowledged: Acknowledged, onWrite: () => void): Promise<void> {
  const { signal } = new AbortController()
  for (;;) {
    const value = (acknowledged.get(key)?.value ?? 0) + 1
    try {
      const { header } = await client.put({ key: encoder.encode(key), value: encoder.encode(String(value)) }, { signal })
      acknowledged.set(key, { value, revision: header.revision })
      onWrite()
    } catch {
      // Not acknowledged: it may be there or not.
      return
    }
  }
}

describe('kill -9 of the cluster process during writes', () => {
  it(`loses no acknowledged write and never goes back, ${String(ROUNDS)} times`, { timeout: 600_000 }, async () => {
    const dataDir = temporaryDirectory('crash')
    const random = new SeededRandom(9)
    const acknowledged: Acknowledged = new Map()
    let highest = 0
    let writes = 0
    for (let round = 0; round < ROUNDS; round++) {
      const cluster = await startCluster(dataDir, ['--nodes', '1'])
      const client = await connect(cluster)
      const { signal } = new AbortController()
      try {
        for (const [key, { value, revision }] of acknowledged) {
          const { kvs, header } = await client.range({ key: encoder.encode(key) }, { signal })
          const [kv] = kvs
          expect(Number(decoder.decode(kv?.value)), `${key} in round ${String(round)}`).toBeGreaterThanOrEqual(value)
          expect(kv?.modRevision).toBeGreaterThanOrEqual(revision)
          expect(header.revision).toBeGreaterThanOrEqual(highest)
        }
        // The kill comes after a number of writes, in the middle of others.
        const killAfter = 20 + random.below(80)
        let left = killAfter
        const reached = Promise.withResolvers<undefined>()
        const writers = Array.from({ length: WRITERS }, (_, index) =>
          write(client, `crash/${String(index)}`, acknowledged, () => {
            writes++
            if (--left === 0) reached.resolve(undefined)
          }),
        )
        await reached.promise
        await cluster.end('SIGKILL')
        await Promise.all(writers)
        highest = Math.max(highest, ...[...acknowledged.values()].map(({ revision }) => revision))
      } finally {
        await client.close()
        await cluster.end('SIGKILL')
      }
    }
    expect(writes).toBeGreaterThan(ROUNDS * 20)
  })
})
