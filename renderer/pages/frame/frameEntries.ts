import { Anchor, Box, Keyboard, Layers, Network, Rocket, Server, SunMoon, Tags, type LucideIcon } from '@lucide/vue'
import { computed, type ComputedRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import type { ResourceName } from '#shared/contract/table.ts'
import type { PaletteEntry } from '../../composables/paletteRank.ts'
import { useClusters } from '../../stores/clusters.ts'
import { usePreferences } from '../../stores/preferences.ts'
import { useShell } from '../../stores/shell.ts'
import { useTable, type LiveTable } from '../../stores/table.ts'
import { useToasts } from '../../stores/toasts.ts'
import { allItems, routeOf } from './navigation.ts'

export interface FrameEntry extends PaletteEntry {
  icon?: LucideIcon
  hint?: string
}

/** Objects that can be found by name, with their pictures. */
const FOUND: readonly [ResourceName, LucideIcon][] = [
  ['nodes', Server],
  ['deployments', Layers],
  ['services', Network],
  ['pods', Box],
]

/** What the palette offers: pages, actions, clusters, namespaces, and the cluster's objects by name while it is open. */
export function useFrameEntries(): { entries: ComputedRef<FrameEntry[]>; run: (id: string) => void; goTo: (pageId: string) => void } {
  const { t } = useI18n()
  const router = useRouter()
  const clusters = useClusters()
  const preferences = usePreferences()
  const shell = useShell()
  const toasts = useToasts()
  const whileOpen = (resource: ResourceName): LiveTable =>
    useTable(() => (shell.paletteOpen && clusters.currentId !== '' ? { clusterId: clusters.currentId, resource, namespace: '' } : null))
  const namespaces = whileOpen('namespaces')
  const found = FOUND.map(([resource, icon]) => ({ resource, icon, table: whileOpen(resource) }))

  const keysOf = (table: LiveTable): string[] => {
    void table.version.value
    return Array.from({ length: table.store.value.count }, (_, row) => table.store.value.key(row)).sort()
  }
  const entries = computed<FrameEntry[]>(() => [
    ...(clusters.currentId === ''
      ? []
      : allItems.map((item) => ({
          id: `page ${item.id}`,
          text: t(`nav.${item.id}`),
          group: t('palette.pages'),
          icon: item.icon,
          ...(item.key === undefined ? {} : { hint: `g ${item.key}` }),
        }))),
    { id: 'action backup', text: t('backups.now'), group: t('palette.actions'), icon: Anchor },
    { id: 'action upgrade', text: t('overview.doUpgrade'), group: t('palette.actions'), icon: Rocket },
    { id: 'action theme', text: t(preferences.theme === 'dark' ? 'theme.toLight' : 'theme.toDark'), group: t('palette.actions'), icon: SunMoon },
    { id: 'action help', text: t('keys.open'), group: t('palette.actions'), icon: Keyboard, hint: '?' },
    ...clusters.list.map((cluster) => ({ id: `cluster ${cluster.id}`, text: cluster.name, group: t('palette.clusters'), icon: Server })),
    { id: 'namespace ', text: t('cluster.allNamespaces'), group: t('palette.namespaces'), icon: Tags },
    ...keysOf(namespaces).map((name) => ({ id: `namespace ${name}`, text: name, group: t('palette.namespaces'), icon: Tags })),
    ...found.flatMap(({ resource, icon, table }) =>
      keysOf(table).map((key) => ({ id: `object ${resource} ${key}`, text: key, group: t(`nav.${resource}`), icon, onlyFound: true })),
    ),
  ])

  function goTo(pageId: string): void {
    const item = allItems.find((each) => each.id === pageId)
    if (item !== undefined && clusters.currentId !== '') void router.push(routeOf(item, clusters.currentId))
  }
  function act(what: string): void {
    if (what === 'theme') void toasts.tell(preferences.toggleTheme(), { done: '', failed: t('settings.failed') })
    else if (what === 'help') shell.openHelp()
    else if (what === 'backup') void router.push({ name: 'backups', params: { cluster: clusters.currentId }, query: { now: '1' } })
    else goTo(what)
  }
  function run(id: string): void {
    const [kind = '', ...rest] = id.split(' ')
    const what = rest.join(' ')
    if (kind === 'page') goTo(what)
    else if (kind === 'cluster') void router.push({ name: 'overview', params: { cluster: what } })
    else if (kind === 'namespace') clusters.setNamespace(what)
    else if (kind === 'object')
      void router.push({ name: 'resource', params: { cluster: clusters.currentId, resource: rest[0] ?? 'pods' }, query: { open: rest[1] ?? '' } })
    else act(what)
  }
  return { entries, run, goTo }
}
