import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'

/** A resource as the typed clients and discovery have it. */
export interface Resource {
  group: string
  version: string
  kind: string
  plural: string
  namespaced: boolean
  verbs: readonly string[]
  subresources: readonly string[]
  shortNames: readonly string[]
  categories: readonly string[]
}

const CLIENTS = [
  'client-go/kubernetes/typed',
  'apiextensions-apiserver/pkg/client/clientset/clientset/typed',
  'metrics/pkg/client/clientset/versioned/typed',
  'kube-aggregator/pkg/client/clientset_generated/clientset/typed',
]

// What the clients do not show: read in the registry sources of 1.20 (pkg/registry/*/storage). `ip`, `vac` and the admission policies' category
// came later, and are as the documentation of kubectl has them.
const SHORT_NAMES: Readonly<Record<string, string>> = {
  certificatesigningrequests: 'csr',
  componentstatuses: 'cs',
  configmaps: 'cm',
  cronjobs: 'cj',
  customresourcedefinitions: 'crd crds',
  daemonsets: 'ds',
  deployments: 'deploy',
  endpoints: 'ep',
  events: 'ev',
  horizontalpodautoscalers: 'hpa',
  ingresses: 'ing',
  ipaddresses: 'ip',
  limitranges: 'limits',
  namespaces: 'ns',
  networkpolicies: 'netpol',
  nodes: 'no',
  persistentvolumeclaims: 'pvc',
  persistentvolumes: 'pv',
  poddisruptionbudgets: 'pdb',
  pods: 'po',
  podsecuritypolicies: 'psp',
  priorityclasses: 'pc',
  replicasets: 'rs',
  replicationcontrollers: 'rc',
  resourcequotas: 'quota',
  serviceaccounts: 'sa',
  services: 'svc',
  statefulsets: 'sts',
  storageclasses: 'sc',
  volumeattributesclasses: 'vac',
}

const WORKLOADS = 'pods services replicationcontrollers daemonsets deployments replicasets statefulsets horizontalpodautoscalers jobs cronjobs'
const EXTENSIONS = [
  ...['customresourcedefinitions', 'apiservices', 'mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
  ...['validatingadmissionpolicies', 'validatingadmissionpolicybindings', 'mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'],
]

function categoriesOf(plural: string): string[] {
  if (WORKLOADS.split(' ').includes(plural)) return ['all']
  return EXTENSIONS.includes(plural) ? ['api-extensions'] : []
}

/** Subresources that no client has a method for. */
const SERVER_SUBRESOURCES: Readonly<Record<string, string>> = {
  pods: 'attach binding eviction exec log portforward proxy',
  nodes: 'proxy',
  services: 'proxy',
  namespaces: 'finalize',
}

/** Verbs of the server where the client's differ: services have deletecollection since 1.23, component statuses and metrics are only read. */
const SERVER_VERBS: Readonly<Record<string, string>> = {
  '/v1/services': 'create delete deletecollection get list patch update watch',
  '/v1/componentstatuses': 'get list',
  'metrics.k8s.io/v1beta1/nodes': 'get list',
  'metrics.k8s.io/v1beta1/pods': 'get list',
}

const METHODS = ['Create', 'Delete', 'DeleteCollection', 'Get', 'List', 'Patch', 'Update', 'Watch']

/** @param groupOf the group that a client's folder and version stand for; null when the table has none */
export function readResources(root: string, groupOf: (folder: string, version: string) => string | null): Resource[] {
  const found: Resource[] = []
  for (const folder of CLIENTS)
    for (const file of clientFiles(join(root, folder))) {
      const [groupFolder = '', version = ''] = relative(join(root, folder), file).split('/')
      const group = groupOf(groupFolder, version)
      const resource = group === null ? null : readClient(readFileSync(file, 'utf8'), group, version)
      if (resource !== null) found.push(resource)
    }
  const bindings = { group: '', version: 'v1', kind: 'Binding', plural: 'bindings', namespaced: true, verbs: ['create'] }
  if (!found.some(({ plural }) => plural === 'bindings')) found.push({ ...bindings, subresources: [], shortNames: [], categories: [] })
  return found
}

function readClient(source: string, group: string, version: string): Resource | null {
  const [constructor, namespace] = /^func new\w+\(c \*\w+(, namespace string)?\)/m.exec(source) ?? []
  const kind = /^\/\/ (\w+)Interface has methods/m.exec(source)?.[1]
  const plural = (/gentype\.New\w+(?:\[[^(]*\])?\(\s*"(\w+)"/.exec(source) ?? /Resource\("(\w+)"\)/.exec(source))?.[1]
  // An eviction is only a subresource of pods.
  if (constructor === undefined || kind === undefined || plural === undefined || plural === 'evictions') return null
  // Apply is a patch with another content type: discovery never lists it.
  const verbs = METHODS.filter((method) => new RegExp(`^\\t${method}\\(ctx`, 'm').test(source)).map((verb) => verb.toLowerCase())
  const subresources = new Set([...source.matchAll(/SubResource\("(\w+)"\)/g)].map((match) => match[1] ?? ''))
  if (/UpdateStatus\(/.test(source)) subresources.add('status')
  if (group === '') for (const extra of words(SERVER_SUBRESOURCES[plural])) subresources.add(extra)
  // Pods and nodes of metrics share only their plural with those of core.
  const own = group !== 'metrics.k8s.io'
  return {
    group,
    version,
    kind,
    plural,
    namespaced: namespace !== undefined,
    verbs: SERVER_VERBS[`${group}/${version}/${plural}`]?.split(' ') ?? verbs,
    subresources: [...subresources].sort(),
    shortNames: own ? words(SHORT_NAMES[plural]) : [],
    categories: own ? categoriesOf(plural) : [],
  }
}

const words = (text = ''): string[] => text.split(' ').filter((word) => word !== '')

function clientFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith('.go') && !/\/fake\/|_client\.go$|_expansion|doc\.go$/.test(path))
}
