// The one table of who may import whom. Lint, the architecture test and docs/architecture.md read it.
//
// A room is a folder. A file may import its own room and what its row lists; a name ending in /* stands for every room below.

/** room -> rooms it may import. */
export const layers = {
  'shared/base': [],
  'shared/etcd': ['shared/base'],
  'shared/kubernetes': ['shared/base'],
  'shared/planning': ['shared/kubernetes', 'shared/base'],
  'shared/contract': ['shared/planning', 'shared/kubernetes', 'shared/base'],
  'shared/resources': ['shared/contract', 'shared/planning', 'shared/kubernetes', 'shared/base'],

  'electron/platform': ['shared/base', 'shared/kubernetes', 'shared/contract'],
  'electron/client': ['electron/platform', 'shared/base', 'shared/kubernetes', 'shared/etcd'],
  'electron/pki': ['electron/platform', 'shared/base', 'shared/kubernetes', 'shared/planning', 'shared/contract'],
  'electron/snapshot': ['electron/platform', 'shared/base', 'shared/etcd', 'shared/kubernetes', 'shared/planning', 'shared/contract'],
  'electron/metrics': ['electron/client', 'electron/platform', 'shared/*'],
  'electron/clusters': ['electron/client', 'electron/platform', 'electron/metrics', 'electron/pki', 'shared/*'],
  'electron/runbooks': ['electron/client', 'electron/snapshot', 'electron/clusters', 'electron/platform', 'electron/pki', 'shared/*'],

  'electron/controlplane/etcd': ['electron/platform', 'shared/base', 'shared/etcd'],
  'electron/controlplane/apiserver': ['electron/controlplane/etcd', 'electron/platform', 'shared/base', 'shared/etcd', 'shared/kubernetes', 'shared/planning'],
  'electron/controlplane/scheduler': ['electron/client', 'electron/platform', 'shared/base', 'shared/kubernetes', 'shared/planning'],
  'electron/controlplane/controller-manager': ['electron/client', 'electron/platform', 'shared/base', 'shared/kubernetes', 'shared/planning'],
  'electron/controlplane/kubelet': ['electron/client', 'electron/platform', 'shared/base', 'shared/kubernetes', 'shared/planning'],
  'electron/controlplane/kubeadm': ['electron/client', 'electron/pki', 'electron/platform', 'shared/base', 'shared/kubernetes', 'shared/planning'],
  'electron/controlplane/kube-proxy': ['electron/client', 'electron/platform', 'shared/base', 'shared/kubernetes', 'shared/planning'],
  'electron/controlplane/coredns': ['electron/client', 'electron/platform', 'shared/base', 'shared/kubernetes', 'shared/planning'],
  // Composition: the one place that knows every component.
  'electron/controlplane': ['electron/controlplane/*', 'electron/client', 'electron/pki', 'electron/snapshot', 'electron/platform', 'shared/*'],

  'electron/api': [
    'electron/runbooks',
    'electron/clusters',
    'electron/snapshot',
    'electron/pki',
    'electron/metrics',
    'electron/client',
    'electron/platform',
    'shared/*',
  ],
  'electron/preload': ['shared/contract', 'shared/kubernetes', 'shared/base'],
  'electron/desktop': ['electron/api', 'electron/platform', 'shared/contract', 'shared/kubernetes', 'shared/base'],
  'electron/commands': ['electron/*', 'electron', 'shared/*'],
  // application.ts, main.ts, serve.ts, cli.ts.
  electron: ['electron/*', 'shared/*'],

  'renderer/ipc': ['shared/contract', 'shared/kubernetes', 'shared/base'],
  'renderer/locales': [],
  'renderer/styles': [],
  'renderer/composables': ['renderer/locales', 'shared/*'],
  'renderer/charts': ['renderer/composables', 'renderer/locales', 'shared/*'],
  'renderer/components': ['renderer/charts', 'renderer/composables', 'renderer/locales', 'renderer/styles', 'shared/*'],
  'renderer/resources': ['renderer/components', 'renderer/charts', 'renderer/composables', 'renderer/locales', 'shared/*'],
  'renderer/stores': ['renderer/ipc', 'renderer/composables', 'shared/*'],
  'renderer/pages': ['renderer/stores', 'renderer/resources', 'renderer/components', 'renderer/charts', 'renderer/composables', 'renderer/locales', 'shared/*'],
  // main.ts, App.vue, router.ts.
  renderer: ['renderer/*', 'shared/*'],
}

const roomNames = Object.keys(layers).sort((a, b) => b.length - a.length)

/** The room a file belongs to (longest match), or null. Paths are relative to the project's top, with `/`. */
export function roomOf(path) {
  return roomNames.find((room) => path.startsWith(`${room}/`)) ?? null
}

/** Whether a file of room `from` may import a file of room `to`. */
export function mayImport(from, to) {
  if (from === to) return true
  return (layers[from] ?? []).some((allowed) => (allowed.endsWith('/*') ? to.startsWith(allowed.slice(0, -1)) : to === allowed))
}
