import {
  Activity,
  Anchor,
  BadgeCheck,
  Box,
  Boxes,
  CalendarClock,
  Database,
  FileCode,
  Gauge,
  HardDrive,
  KeyRound,
  Layers,
  ListChecks,
  Network,
  Rocket,
  ScrollText,
  Server,
  Settings,
  ShieldCheck,
  SquareStack,
  TriangleAlert,
  Users,
  type LucideIcon,
} from '@lucide/vue'
import type { RouteLocationRaw } from 'vue-router'
import type { ResourceName } from '#shared/contract/table.ts'

export interface NavItem {
  /** Also the key of its text, `nav.<id>`. */
  id: string
  icon: LucideIcon
  /** Set when the page is a resource's table. */
  resource?: ResourceName
  /** Begins a part of a long group, titled `nav.<heading>`. */
  heading?: string
  /** The letter after `g` that leads there. */
  key?: string
}

export interface NavGroup {
  id: 'operate' | 'protect' | 'change' | 'explore'
  items: readonly NavItem[]
}

const table = (resource: ResourceName, icon: LucideIcon, key?: string): NavItem => ({ id: resource, resource, icon, ...(key === undefined ? {} : { key }) })

/** The sidebar: four groups by intent. */
export const navigation: readonly NavGroup[] = [
  {
    id: 'operate',
    items: [
      { id: 'overview', icon: Activity, key: 'o' },
      table('nodes', Server, 'n'),
      table('pods', Box, 'p'),
      table('deployments', Layers, 'd'),
      table('statefulsets', SquareStack),
      table('daemonsets', Boxes),
      table('jobs', ListChecks),
      table('cronjobs', CalendarClock),
      table('events', TriangleAlert, 'e'),
      { id: 'metrics', icon: Gauge, key: 'm' },
    ],
  },
  {
    id: 'protect',
    items: [
      { id: 'backups', icon: Anchor, key: 'b' },
      { id: 'etcd', icon: Database, key: 't' },
      { id: 'certificates', icon: BadgeCheck, key: 'c' },
      { id: 'access', icon: ShieldCheck, key: 'a' },
    ],
  },
  {
    id: 'change',
    items: [
      { id: 'upgrade', icon: Rocket, key: 'u' },
      { id: 'runbooks', icon: ScrollText, key: 'r' },
      { id: 'apply', icon: FileCode, key: 'y' },
    ],
  },
  {
    id: 'explore',
    items: [
      { ...table('namespaces', Boxes), heading: 'configuration' },
      table('configmaps', FileCode),
      table('secrets', KeyRound),
      { ...table('services', Network, 's'), heading: 'network' },
      table('ingresses', Network),
      table('endpointslices', Network),
      { ...table('persistentvolumeclaims', HardDrive), heading: 'storage' },
      table('persistentvolumes', HardDrive),
      table('storageclasses', HardDrive),
      { ...table('replicasets', Layers), heading: 'scheduling' },
      table('poddisruptionbudgets', ShieldCheck),
      table('leases', CalendarClock),
      { ...table('serviceaccounts', Users), heading: 'rights' },
      table('roles', Users),
      table('rolebindings', Users),
      table('clusterroles', Users),
      table('clusterrolebindings', Users),
      table('certificatesigningrequests', BadgeCheck),
    ],
  },
]

export const settingsItem: NavItem = { id: 'settings', icon: Settings, key: ',' }

/** Every page, settings included. */
export const allItems: readonly NavItem[] = [...navigation.flatMap((group) => group.items), settingsItem]

export function routeOf(item: NavItem, clusterId: string): RouteLocationRaw {
  return item.resource === undefined
    ? { name: item.id, params: { cluster: clusterId } }
    : { name: 'resource', params: { cluster: clusterId, resource: item.resource } }
}
