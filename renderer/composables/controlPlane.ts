import type { RowStore } from './rowStore.ts'

export const CONTROL_PLANE_COMPONENTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const
export type ControlPlaneComponent = (typeof CONTROL_PLANE_COMPONENTS)[number]

export interface ComponentState {
  /** The pod's key. */
  key: string
  /** Its image's tag, e.g. `v1.35.8`. */
  version: string
  status: string
  ready: boolean
  /** Whether it holds the component's lease; false where no lease is kept, as for etcd and the API server. */
  leader: boolean
}

export interface ControlPlaneNode {
  node: string
  components: Partial<Record<ControlPlaneComponent, ComponentState>>
}

/** The static pods of kubeadm's control plane by node, from the pods table; leaders from kube-system's leases (`<node>_<uuid>`). */
export function controlPlaneOf(pods: RowStore, leases: RowStore): ControlPlaneNode[] {
  const nodes = new Map<string, ControlPlaneNode>()
  for (let row = 0; row < pods.count; row++) {
    if (pods.text('namespace', row) !== 'kube-system') continue
    const node = pods.text('node', row)
    const name = pods.text('name', row)
    const component = CONTROL_PLANE_COMPONENTS.find((each) => node !== '' && name === `${each}-${node}`)
    if (component === undefined) continue
    const of = nodes.get(node) ?? { node, components: {} }
    nodes.set(node, of)
    const image = pods.text('images', row).split(',')[0] ?? ''
    const holder = leases.text('holder', leases.rowOf(`kube-system/${component}`))
    const ready = pods.number('ready', row)
    of.components[component] = {
      key: pods.key(row),
      version: image.slice(image.lastIndexOf(':') + 1).replace(/@.*$/, ''),
      status: pods.text('status', row),
      ready: ready > 0 && ready === pods.number('readyTotal', row),
      leader: holder === node || holder.startsWith(`${node}_`),
    }
  }
  return [...nodes.values()].sort((a, b) => (a.node < b.node ? -1 : 1))
}
