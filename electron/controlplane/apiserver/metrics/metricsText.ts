import type { EtcdClient } from '#shared/etcd/rpc.ts'
import { qualifiedResource, type ApiResources } from '../registry/apiResources.ts'
import type { Store } from '../storage/store.ts'
import type { ApiServerMetrics } from './apiServerMetrics.ts'
import { exposition } from './instruments.ts'
import { processMetrics } from './processMetrics.ts'
import type { Instruments } from './releaseInstruments.ts'

export interface MetricsSources {
  metrics: ApiServerMetrics
  store: Store
  etcd: EtcdClient
  resources: ApiResources
  /** As `/version` tells it, in the order of its fields. */
  build: readonly string[]
}

/** What `/metrics` answers now. */
export async function metricsText({ metrics, store, etcd, resources, build }: MetricsSources, signal: AbortSignal): Promise<string> {
  const instruments = metrics.now
  const sizes = new Map(store.sizes())
  instruments.storageObjects.clear()
  for (const resource of resources.list) {
    const { storage, storagePrefix } = resource
    if (storagePrefix === null || storage.group !== resource.group || storage.version !== resource.version) continue
    instruments.storageObjects.set([qualifiedResource(resource)], sizes.get(storagePrefix) ?? 0)
  }
  instruments.buildInfo.set(build, 1)
  await measureDatabase(instruments, etcd, signal)
  return exposition([...metrics.families, ...processMetrics()])
}

/** Leaves the size out when etcd does not tell it, as who asks for metrics may want to know why etcd does not answer. */
async function measureDatabase({ databaseSize }: Instruments, etcd: EtcdClient, signal: AbortSignal): Promise<void> {
  databaseSize.clear()
  try {
    const [{ dbSizeBytes }, members] = await Promise.all([etcd.status({ signal }), etcd.members({ signal })])
    const place = databaseSize.labels[0] === 'endpoint' ? (members[0]?.clientUrls[0] ?? '') : 'etcd-0'
    databaseSize.set([place], dbSizeBytes)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof Error)) throw error
  }
}
