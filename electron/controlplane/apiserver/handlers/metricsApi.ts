import type { KubeObject } from '#shared/kubernetes/object.ts'
import { builtinPrinter } from '#shared/kubernetes/printers/table.ts'
import type { NodeConnection, NodeUsage } from '../interface.ts'
import type { ApiRequest, ApiResponse } from '../request/apiRequest.ts'
import type { Negotiated } from '../request/mediaType.ts'
import { notFound } from '../registry/failures.ts'
import type { Store } from '../storage/store.ts'
import { encoded, isSelected, objectResponse, parseSelection } from './listing.ts'
import type { ResourceTarget } from './writing.ts'

const cpu = (cores: number): string => `${String(Math.round(cores * 1e9))}n`
const memory = (bytes: number): string => `${String(Math.round(bytes / 1024))}Ki`
const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** metrics.k8s.io out of the kubelets' samples, with the labels of the objects they belong to. */
export async function metrics(
  nodes: NodeConnection,
  store: Store,
  { resource, namespace, name }: ResourceTarget,
  request: ApiRequest,
  negotiated: Negotiated,
  nowMs: number,
): Promise<ApiResponse> {
  const usage = await nodes.usage()
  const items =
    resource.kind === 'NodeMetrics'
      ? usage.map((each) => nodeMetrics(each, store, resource.version))
      : usage.flatMap((each) => podMetrics(each, store, resource.version))
  if (name !== '') {
    const found = items.find(({ metadata }) => metadata.name === name && (metadata.namespace ?? '') === namespace)
    if (found === undefined) throw notFound(resource, namespace === '' ? name : `${namespace}/${name}`)
    return objectResponse(found, { kind: resource.kind }, nowMs, request.query, negotiated)
  }
  const selection = parseSelection(resource, request.query, '')
  const selected = items.filter((item) => (namespace === '' || item.metadata.namespace === namespace) && isSelected(selection, item))
  if (negotiated.as === 'Table') {
    const { columns, cells } = builtinPrinter(resource.kind)
    return encoded(
      {
        kind: 'Table',
        apiVersion: `meta.k8s.io/${negotiated.version}`,
        metadata: {},
        columnDefinitions: columns,
        rows: selected.map((object) => ({ cells: cells(object, nowMs), object })),
      },
      negotiated,
    )
  }
  return encoded({ kind: `${resource.kind}List`, apiVersion: `metrics.k8s.io/${resource.version}`, metadata: {}, items: selected }, negotiated)
}

function labelsOf(store: Store, prefix: string, key: string): Record<string, string> | undefined {
  return store.collection(prefix).get(`/registry/${prefix}/${key}`)?.object.metadata.labels
}

function sample(kind: string, version: string, metadata: KubeObject['metadata'], { atMs, windowSeconds }: NodeUsage): KubeObject {
  return {
    kind,
    apiVersion: `metrics.k8s.io/${version}`,
    metadata: { ...metadata, creationTimestamp: time(atMs) },
    timestamp: time(atMs),
    window: `${String(windowSeconds)}s`,
  }
}

function nodeMetrics(usage: NodeUsage, store: Store, version: string): KubeObject {
  const labels = labelsOf(store, 'minions', usage.node)
  return {
    ...sample('NodeMetrics', version, { name: usage.node, ...(labels === undefined ? {} : { labels }) }, usage),
    usage: { cpu: cpu(usage.cpuCores), memory: memory(usage.memoryBytes) },
  }
}

function podMetrics(usage: NodeUsage, store: Store, version: string): KubeObject[] {
  return usage.pods.map(({ namespace, name, containers }) => {
    const labels = labelsOf(store, 'pods', `${namespace}/${name}`)
    return {
      ...sample('PodMetrics', version, { name, namespace, ...(labels === undefined ? {} : { labels }) }, usage),
      containers: containers.map((each) => ({ name: each.name, usage: { cpu: cpu(each.cpuCores), memory: memory(each.memoryBytes) } })),
    }
  })
}
