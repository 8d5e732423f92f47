import { NODES } from '#electron/client/resources.ts'
import { keyOf, specOf, textAt, type Controller, type ControllerContext } from '../../controller.ts'

/** kubeadm's usual pod network, a /24 of it per node. */
const FIRST = [10, 244] as const

/** Gives every node its range of pod addresses. */
export function nodeIpamController(context: ControllerContext): Controller {
  const nodes = context.informer(NODES)
  // One worker: two nodes must not get the same range.
  const queue = context.queue('node-ipam', sync, 1)
  const given = new Map<string, string>()
  nodes.onEvent(({ type, object }) => {
    if (type === 'delete') given.delete(object.metadata.name ?? '')
    else if (textAt(specOf(object)['podCIDR']) === '') queue.add(keyOf(object))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const node = nodes.get('', key.slice(1))
    if (node === undefined || textAt(specOf(node)['podCIDR']) !== '') return
    const taken = new Set([...nodes.list().map((each) => textAt(specOf(each)['podCIDR'])), ...given.values()])
    for (let third = 0; third < 256; third++) {
      const cidr = `${FIRST.join('.')}.${String(third)}.0/24`
      if (taken.has(cidr)) continue
      const name = node.metadata.name ?? ''
      given.set(name, cidr)
      await context.client.patch(NODES, { name }, { spec: { podCIDR: cidr, podCIDRs: [cidr] } }, { type: 'strategic' }, signal)
      return
    }
    context.recorder('cidrAllocator').event(node, 'Normal', 'CIDRNotAvailable', `Node ${node.metadata.name ?? ''} status is now: CIDRNotAvailable`)
  }

  return { name: 'node-ipam', run: (signal) => queue.run(signal) }
}
