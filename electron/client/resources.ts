import type { GroupVersionResource } from '#shared/kubernetes/object.ts'

const core = (resource: string): GroupVersionResource => ({ group: '', version: 'v1', resource })
const apps = (resource: string): GroupVersionResource => ({ group: 'apps', version: 'v1', resource })

/** The resources that components ask for by name. */
export const PODS = core('pods')
export const NODES = core('nodes')
export const NAMESPACES = core('namespaces')
export const EVENTS = core('events')
export const SERVICES = core('services')
export const ENDPOINTS = core('endpoints')
export const SERVICE_ACCOUNTS = core('serviceaccounts')
export const CONFIG_MAPS = core('configmaps')
export const SECRETS = core('secrets')
export const RESOURCE_QUOTAS = core('resourcequotas')
export const LIMIT_RANGES = core('limitranges')
export const REPLICATION_CONTROLLERS = core('replicationcontrollers')
export const PERSISTENT_VOLUMES = core('persistentvolumes')
export const PERSISTENT_VOLUME_CLAIMS = core('persistentvolumeclaims')
export const DEPLOYMENTS = apps('deployments')
export const REPLICA_SETS = apps('replicasets')
export const DAEMON_SETS = apps('daemonsets')
export const STATEFUL_SETS = apps('statefulsets')
export const CONTROLLER_REVISIONS = apps('controllerrevisions')
export const JOBS: GroupVersionResource = { group: 'batch', version: 'v1', resource: 'jobs' }
export const CRON_JOBS: GroupVersionResource = { group: 'batch', version: 'v1', resource: 'cronjobs' }
export const LEASES: GroupVersionResource = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' }
export const ENDPOINT_SLICES: GroupVersionResource = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' }
export const POD_DISRUPTION_BUDGETS: GroupVersionResource = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' }
export const CERTIFICATE_SIGNING_REQUESTS: GroupVersionResource = { group: 'certificates.k8s.io', version: 'v1', resource: 'certificatesigningrequests' }
export const CLUSTER_ROLES: GroupVersionResource = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' }
export const PRIORITY_CLASSES: GroupVersionResource = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' }
export const CUSTOM_RESOURCE_DEFINITIONS: GroupVersionResource = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' }
export const HORIZONTAL_POD_AUTOSCALERS: GroupVersionResource = { group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers' }
export const STORAGE_CLASSES: GroupVersionResource = { group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses' }
