import type { Clock } from '#shared/base/clock.ts'
import type { Logger } from '#shared/base/logger.ts'
import type { Bytes, EtcdClient, TxnResponse } from '#shared/etcd/rpc.ts'

/** kube-apiserver's --etcd-compaction-interval. What is older than one to two of them can no longer be watched or paged from. */
const INTERVAL_MS = 5 * 60_000

const encoder = new TextEncoder()
const KEY: Bytes = encoder.encode('compact_rev_key')

/**
 * Has etcd forget revisions that are older than five minutes, as upstream's API server does (apiserver/pkg/storage/etcd3/compact.go):
 * of several API servers at one etcd, the one whose turn it is by the key's version compacts.
 */
export class Compactor {
  readonly #etcd: EtcdClient
  readonly #clock: Clock
  readonly #logger: Logger
  #turn = 0
  #revision = 0

  constructor({ etcd, clock, logger }: { etcd: EtcdClient; clock: Clock; logger: Logger }) {
    this.#etcd = etcd
    this.#clock = clock
    this.#logger = logger
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(INTERVAL_MS, { signal })
        await this.compact(signal)
      } catch (error) {
        if (!signal.aborted) this.#logger.warn('etcd was not compacted', { error: error instanceof Error ? error.message : String(error) })
      }
    }
  }

  /** Compacts to the revision of the last call that had its turn. */
  async compact(signal: AbortSignal): Promise<void> {
    const answer = await this.#etcd.txn(
      {
        compare: [{ result: 'EQUAL', target: 'VERSION', key: KEY, version: this.#turn }],
        success: [{ type: 'put', request: { key: KEY, value: encoder.encode(String(this.#revision)) } }],
        failure: [{ type: 'range', request: { key: KEY } }],
      },
      { signal },
    )
    const wanted = this.#revision
    this.#revision = answer.header.revision
    if (!answer.succeeded) {
      this.#turn = versionIn(answer)
      return
    }
    this.#turn += 1
    if (wanted > 0) await this.#etcd.compact({ revision: wanted }, { signal })
  }
}

function versionIn({ responses }: TxnResponse): number {
  const [first] = responses
  return first?.type === 'range' ? (first.response.kvs[0]?.version ?? 0) : 0
}
