import type { RequestHandlers, SubscriptionHandlers } from '#shared/contract/contract.ts'
import type { ClusterSummary } from '#shared/contract/clusters.ts'
import type { ClusterRegistry } from '../clusters/clusterRegistry.ts'
import { following } from './changes.ts'

/** The contract's namespaces `clusters` and `table`. */
export function clusterHandlers(
  registry: ClusterRegistry,
  options: {
    rememberKubeconfig: (path: string) => Promise<void>
    rememberProtection: (clusterId: string, protection: ClusterSummary['protection']) => void
    restartEmbedded: () => void
    opened: (clusterId: string) => void
  },
): {
  requests: Pick<RequestHandlers, 'clusters.open' | 'clusters.setProtection' | 'clusters.addKubeconfig' | 'clusters.retry' | 'table.export'>
  subscriptions: Pick<SubscriptionHandlers, 'clusters.watch' | 'table.watch'>
} {
  return {
    requests: {
      'clusters.open': ({ clusterId }) => {
        registry.session(clusterId)
        options.opened(clusterId)
        return Promise.resolve(registry.summary(clusterId))
      },
      'clusters.setProtection': ({ clusterId, protection }) => {
        registry.setProtection(clusterId, protection)
        options.rememberProtection(clusterId, protection)
        return Promise.resolve(null)
      },
      'clusters.addKubeconfig': async ({ path }) => {
        const added = await registry.addKubeconfig(path)
        await options.rememberKubeconfig(path)
        return { added }
      },
      'clusters.retry': ({ clusterId }) => {
        if (registry.summary(clusterId).kind === 'embedded' && registry.context(clusterId).problem !== '') options.restartEmbedded()
        else registry.session(clusterId).retry()
        return Promise.resolve(null)
      },
      'table.export': async ({ clusterId, resource, namespace }, { signal }) => {
        const { feed, release } = registry.session(clusterId).acquire(resource, namespace ?? '')
        try {
          if (!feed.synced) await synced(feed, signal)
          return { text: csv(feed.rows.table()) }
        } finally {
          release()
        }
      },
    },
    subscriptions: {
      'clusters.watch': (_input, { signal }) =>
        following(
          () => registry.list(),
          (listener) => registry.changes.subscribe(listener),
          signal,
        ),
      'table.watch': async function* ({ clusterId, resource, namespace }, { signal }) {
        const { feed, release } = registry.session(clusterId).acquire(resource, namespace ?? '')
        try {
          yield* feed.subscribe({ signal })
        } finally {
          release()
        }
      },
    },
  }
}

type Feed = ReturnType<ReturnType<ClusterRegistry['session']>['acquire']>['feed']

async function synced(feed: Feed, signal: AbortSignal): Promise<void> {
  for await (const message of feed.subscribe({ signal })) if (message.type === 'snapshot') return
}

function csv({ keys, columns }: ReturnType<Feed['rows']['table']>): string {
  const names = Object.keys(columns)
  const cell = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const rows = keys.map((_, row) =>
    names
      .map((name) => {
        const column = columns[name]
        if (column === undefined) return ''
        if (column.kind === 'text') return cell(column.dictionary[column.codes[row] ?? 0] ?? '')
        const value = column.values[row] ?? Number.NaN
        return Number.isNaN(value) ? '' : String(value)
      })
      .join(','),
  )
  return `${[names.map(cell).join(','), ...rows].join('\n')}\n`
}
