export const frame = {
  app: { name: 'Drydock' },
  nav: {
    main: 'Pages',
    operate: 'Operate', protect: 'Protect', change: 'Change', explore: 'Explore',
    overview: 'Overview', nodes: 'Nodes', pods: 'Pods', events: 'Events', metrics: 'Metrics', apply: 'Apply YAML',
    backups: 'Backups', etcd: 'etcd', certificates: 'Certificates', access: 'Access', upgrade: 'Upgrade', runbooks: 'Runbooks', settings: 'Settings',
    deployments: 'Deployments', replicasets: 'ReplicaSets', daemonsets: 'DaemonSets', statefulsets: 'StatefulSets', jobs: 'Jobs', cronjobs: 'CronJobs',
    namespaces: 'Namespaces', services: 'Services', configmaps: 'ConfigMaps', secrets: 'Secrets', persistentvolumeclaims: 'Volume claims', persistentvolumes: 'Volumes',
    poddisruptionbudgets: 'Disruption budgets', certificatesigningrequests: 'Signing requests', roles: 'Roles', rolebindings: 'Role bindings', clusterroles: 'Cluster roles',
    clusterrolebindings: 'Cluster role bindings', serviceaccounts: 'Service accounts', leases: 'Leases', ingresses: 'Ingresses', endpointslices: 'Endpoint slices', storageclasses: 'Storage classes',
  },
  cluster: {
    choose: 'Choose a cluster', none: 'No cluster', rail: 'Clusters', namespaces: 'Namespace', allNamespaces: 'All namespaces',
    add: 'Add a kubeconfig file', addPath: 'Path of the kubeconfig file', added: 'No cluster added | One cluster added | {n} clusters added', addFailed: 'The kubeconfig file could not be added',
    kind: { embedded: 'Simulated', twin: 'Twin', snapshot: 'Snapshot', remote: 'Cluster' },
    protection: { none: 'Not protected', protected: 'Protected', 'read-only': 'Read-only' },
    notFound: 'No such cluster', notFoundDetail: 'Nothing is known of {id}. Choose one above.',
  },
  connection: {
    idle: 'Not connected', connecting: 'Connecting', live: 'Live', stale: 'Stale since {age}', unreachable: 'Unreachable', denied: 'Access denied',
    retryIn: 'next attempt in {seconds} s', retryNow: 'Try now', lineLost: 'Drydock itself is not reachable. What you see is from before.', lineStarting: 'Connecting to Drydock', version: 'Version', user: 'Signed in as',
  },
  theme: { toLight: 'Switch to light', toDark: 'Switch to dark' },
  palette: { open: 'Search or run a command', title: 'Commands', search: 'Page, cluster, namespace or action', empty: 'Nothing matches {query}', pages: 'Pages', clusters: 'Clusters', actions: 'Actions', namespaces: 'Namespaces', label: 'Matches' },
  keys: {
    title: 'Keyboard', open: 'Keyboard map', palette: 'Commands', filter: 'Filter the table', rows: 'Move between rows', enter: 'Open the row', back: 'Close details, leave the filter', select: 'Select the row', all: 'Select all rows', copy: 'Copy selected rows', help: 'This map', go: 'Go to {page}', theme: 'Switch between light and dark', sort: 'Sort by the column in focus',
  },
  common: {
    close: 'Close', cancel: 'Cancel', copy: 'Copy', copied: 'Copied', command: 'Show the command', commandTitle: 'The same in your terminal', refresh: 'Refresh', loading: 'Loading', retry: 'Try again', open: 'Open', all: 'All', none: 'None', yes: 'Yes', no: 'No', save: 'Save', delete: 'Delete', unknown: 'Unknown', ago: '{age} ago', since: 'since {age}', notifications: 'Messages', dismiss: 'Dismiss', name: 'Name', more: 'More', skip: 'Skip to the page', mustType: 'Type {name} to confirm', readOnly: 'This cluster is read-only here', search: 'Search',
  },
  state: {
    errorTitle: 'This could not be read', deniedTitle: 'You may not read this', deniedHint: 'An administrator can grant it with a role binding. Access shows who may.', staleTitle: 'The connection is lost. Shown as of {time}.', lineDown: 'No connection to Drydock',
  },
  settings: {
    title: 'Settings', appearance: 'Appearance', theme: 'Theme', system: 'As the system', light: 'Light', dark: 'Dark', clusters: 'Clusters', protection: 'Protection', source: 'Source', server: 'Server', kubeconfigs: 'Kubeconfig files', addKubeconfig: 'Add', backups: 'Backups', directory: 'Directory for backups', metrics: 'Metrics', retention: 'Keep samples for (hours)', about: 'About', version: 'Version', dataDirectory: 'Data directory', shell: 'Shell', desktop: 'Desktop app', browser: 'Browser', platform: 'Platform', node: 'Node', saved: 'Saved', failed: 'The setting was not saved', remove: 'Remove',
    protectionHint: 'Protected asks for the cluster’s name before anything that cannot be undone. Read-only refuses every write.',
  },
}
