import { milliValue, parseQuantity, wholeValue } from '#shared/kubernetes/quantity.ts'
import type { Container, Pod, ResourceFieldRef } from './types.ts'

/** What a pod may be told of itself and its node. */
export interface PodFacts {
  pod: Pod
  nodeName: string
  hostIP: string
  podIP: string
  /** By resource name, as the node's status has it. */
  nodeAllocatable: Record<string, string>
}

/** A reference that leads nowhere; the message is the kubelet's. */
export class ReferenceFault extends Error {
  override readonly name = 'ReferenceFault'
}

/**
 * The text of a field of the pod.
 *
 * @throws ReferenceFault
 * @see kubernetes pkg/fieldpath
 */
export function fieldText(fieldPath: string, { pod, nodeName, hostIP, podIP }: PodFacts): string {
  const { metadata, spec } = pod
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath)
  if (subscript !== null) return metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2] ?? ''] ?? ''
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name ?? ''
    case 'metadata.namespace':
      return metadata.namespace ?? ''
    case 'metadata.uid':
      return metadata.uid ?? ''
    case 'metadata.labels':
      return mapText(metadata.labels)
    case 'metadata.annotations':
      return mapText(metadata.annotations)
    case 'spec.nodeName':
      return nodeName
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? ''
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostIP
    case 'status.podIP':
    case 'status.podIPs':
      return podIP
    default:
      throw new ReferenceFault(`unsupported fieldPath: ${fieldPath}`)
  }
}

/** A line for each, sorted, values quoted. */
function mapText(map: Record<string, string> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')
}

/**
 * A container's limit or request in units of the divisor, rounded up. A limit that is not set is the node's allocatable.
 *
 * @throws ReferenceFault
 * @see kubernetes pkg/api/v1/resource ExtractContainerResourceValue
 */
export function resourceText({ containerName, resource, divisor = '1' }: ResourceFieldRef, own: Container | null, { pod, nodeAllocatable }: PodFacts): string {
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  const container = containerName === undefined || containerName === '' ? own : all.find(({ name }) => name === containerName)
  if (container === null || container === undefined) throw new ReferenceFault(`container ${containerName ?? ''} not found`)
  const [kind = '', name = ''] = resource.split(/\.(.*)/s)
  if ((kind !== 'limits' && kind !== 'requests') || !/^(cpu|memory|ephemeral-storage|hugepages-.+)$/.test(name))
    throw new ReferenceFault(`Unsupported container resource : ${resource}`)
  const set = container.resources?.[kind]?.[name]
  const value = parseQuantity(set ?? (kind === 'limits' ? (nodeAllocatable[name] ?? '0') : '0'))
  const unit = parseQuantity(divisor)
  const measure = name === 'cpu' ? milliValue : wholeValue
  const amount = value === null ? 0n : measure(value)
  // A divisor of 0 stands for 1.
  const units = unit === null || measure(unit) === 0n ? (name === 'cpu' ? 1000n : 1n) : measure(unit)
  return String((amount + units - 1n) / units)
}
