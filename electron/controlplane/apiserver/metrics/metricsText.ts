import type { ApiResources } from '../registry/apiResources.ts'
import { qualifiedResource } from '../registry/apiResources.ts'
import type { Store } from '../storage/store.ts'
import type { ApiServerMetrics } from './apiServerMetrics.ts'
import { exposition } from './instruments.ts'
import { processMetrics } from './processMetrics.ts'

/** What `/metrics` answers now. */
export function metricsText(metrics: ApiServerMetrics, store: Store, resources: ApiResources): string {
  const sizes = new Map(store.sizes())
  metrics.storageObjects.clear()
  for (const resource of resources.list) {
    const { storage, storagePrefix } = resource
    if (storagePrefix === null || storage.group !== resource.group || storage.version !== resource.version) continue
    metrics.storageObjects.set([qualifiedResource(resource)], sizes.get(storagePrefix) ?? 0)
  }
  return exposition([...metrics.families, ...processMetrics()])
}
