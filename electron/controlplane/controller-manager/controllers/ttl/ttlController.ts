import { NODES } from '#electron/client/resources.ts'
import { isConflict, isNotFound } from '#shared/kubernetes/status.ts'
import { keyOf, type Controller, type ControllerContext } from '../../controller.ts'

const TTL = 'node.alpha.kubernetes.io/ttl'

/** Seconds for which kubelets may keep Secrets and ConfigMaps, by the number of nodes; the bounds overlap so that it does not flap. */
const STEPS = [
  { least: 0, most: 100, ttl: 0 },
  { least: 90, most: 500, ttl: 15 },
  { least: 450, most: 1_000, ttl: 30 },
  { least: 900, most: 2_000, ttl: 60 },
  { least: 1_800, most: 10_000, ttl: 300 },
  { least: 9_000, most: Number.POSITIVE_INFINITY, ttl: 600 },
] as const

/** Tells kubelets by an annotation how long they may keep what they read. */
export function ttlController(context: ControllerContext): Controller {
  const nodes = context.informer(NODES)
  const queue = context.queue('ttl', sync, 1)
  let step = 0

  nodes.onEvent(({ type, object }) => {
    const count = nodes.list().length
    const before = step
    while (count > (STEPS[step]?.most ?? count)) step++
    while (count < (STEPS[step]?.least ?? 0)) step--
    if (step !== before) for (const node of nodes.list()) queue.add(keyOf(node))
    else if (type !== 'delete') queue.add(keyOf(object))
  })

  async function sync(key: string, signal: AbortSignal): Promise<void> {
    const node = nodes.get('', key.slice(1))
    const ttl = String(STEPS[step]?.ttl ?? 0)
    if (node === undefined || node.metadata.annotations?.[TTL] === ttl) return
    try {
      await context.client.patch(NODES, { name: node.metadata.name ?? '' }, { metadata: { annotations: { [TTL]: ttl } } }, { type: 'merge' }, signal)
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  return { name: 'ttl', run: (signal) => queue.run(signal) }
}
