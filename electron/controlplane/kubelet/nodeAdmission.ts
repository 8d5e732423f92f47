import { memoized } from '#shared/base/memo.ts'
import { addQuantities, compareQuantities, milliValue, parseQuantity, wholeValue, type Quantity } from '#shared/kubernetes/quantity.ts'
import type { Pod } from './types.ts'

/** Why a node does not take a pod that was bound to it, as the pod's status tells it. */
export interface Refusal {
  reason: string
  message: string
}

const ZERO: Quantity = { mantissa: 0n, exponent: 0, format: 'decimal' }

// Each new pod asks what all others on its node want, and they want the same few amounts.
const quantityOf = memoized((text) => parseQuantity(text) ?? ZERO, 1_024)

/**
 * Looks whether a pod fits beside those that are on the node. Whoever bound it may not have: a pod can name its node itself.
 *
 * @param others pods that have not ended
 * @param allocatable of the node, by resource; a resource that is missing is not looked at
 * @see kubernetes pkg/kubelet/lifecycle/predicate.go
 */
export function refusalOf(pod: Pod, others: readonly Pod[], allocatable: Readonly<Record<string, string>>): Refusal | null {
  for (const resource of ['cpu', 'memory', 'ephemeral-storage'] as const) {
    const capacity = parseQuantity(allocatable[resource] ?? '')
    const wanted = requestOf(pod, resource)
    if (capacity === null || wanted.mantissa === 0n) continue
    const used = others.map((other) => requestOf(other, resource)).reduce(addQuantities, ZERO)
    if (compareQuantities(addQuantities(used, wanted), capacity) <= 0) continue
    const shown = (quantity: Quantity): string => String(resource === 'cpu' ? milliValue(quantity) : wholeValue(quantity))
    return {
      reason: `OutOf${resource}`,
      message: `Pod Node didn't have enough resource: ${resource}, requested: ${shown(wanted)}, used: ${shown(used)}, capacity: ${shown(capacity)}`,
    }
  }
  const taken = others.flatMap(hostPorts)
  const conflict = hostPorts(pod).some((wanted) =>
    taken.some(
      (other) =>
        other.port === wanted.port && other.protocol === wanted.protocol && (other.ip === wanted.ip || other.ip === '0.0.0.0' || wanted.ip === '0.0.0.0'),
    ),
  )
  return conflict ? { reason: 'NodePorts', message: 'Pod Predicate NodePorts failed' } : null
}

/** Containers run together, init containers one after the other. */
function requestOf({ spec }: Pod, resource: string): Quantity {
  const of = (containers: Pod['spec']['containers']): Quantity[] =>
    containers.map(({ resources }) => quantityOf(resources?.requests?.[resource] ?? resources?.limits?.[resource] ?? '0'))
  const together = of(spec.containers).reduce(addQuantities, ZERO)
  return of(spec.initContainers ?? []).reduce((most, each) => (compareQuantities(each, most) > 0 ? each : most), together)
}

function hostPorts({ spec }: Pod): { ip: string; port: number; protocol: string }[] {
  return spec.containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP = '', protocol = 'TCP' }) =>
      hostPort === undefined || hostPort === 0 ? [] : [{ ip: hostIP === '' ? '0.0.0.0' : hostIP, port: hostPort, protocol }],
    ),
  )
}
