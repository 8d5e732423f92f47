import { watch } from 'vue'
import type { ClusterId } from '#shared/contract/clusters.ts'
import { useClusters } from './clusters.ts'

/**
 * Calls back each time the connection to a cluster comes (back) up, while the scope lives: what was refused before is worth
 * asking again. The embedded cluster, for one, is not there yet when the window opens.
 */
export function onClusterLive(clusterId: () => ClusterId | undefined, then: () => void): void {
  const clusters = useClusters()
  watch(
    () => clusters.list.find((each) => each.id === clusterId())?.connection.state,
    (state) => {
      if (state === 'live') then()
    },
  )
}

/** The cluster that an input of the contract names, if it names one. */
export function clusterOf(input: unknown): ClusterId | undefined {
  const { clusterId } = (input ?? {}) as { clusterId?: unknown }
  return typeof clusterId === 'string' ? clusterId : undefined
}
