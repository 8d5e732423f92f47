import type { Random } from '#shared/base/random.ts'

/** What is created for one round: in this order, statuses after their objects. */
export interface RandomCluster {
  namespace: string
  nodes: { name: string; unschedulable: boolean }[]
  replicaSets: { name: string; replicas: number }[]
  pods: { name: string; node: string; owner: string; labels: Record<string, string>; emptyDir: boolean; phase: string; ready: boolean; mirror: boolean }[]
  budgets: { name: string; spec: object }[]
}

const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)] as T
const chance = (random: Random, percent: number): boolean => random.below(100) < percent

/** A few nodes, workloads and budgets, with every oddity that a drain meets now and then. */
export function randomCluster(random: Random, namespace: string): RandomCluster {
  const nodes = Array.from({ length: 2 + random.below(4) }, (_, index) => ({ name: `${namespace}-n${String(index)}`, unschedulable: chance(random, 15) }))
  const workloads = Array.from({ length: 3 + random.below(7) }, (_, index) => ({ name: `w${String(index)}`, replicas: 1 + random.below(8) }))
  const pods: RandomCluster['pods'] = []
  for (const { name, replicas } of workloads) {
    const daemon = chance(random, 12)
    const bare = !daemon && chance(random, 12)
    const emptyDir = chance(random, 20)
    for (let index = 0; index < (daemon ? nodes.length : replicas); index++) {
      // A workload may have fewer pods than it asks for.
      if (!daemon && chance(random, 8)) continue
      const phase = chance(random, 80) ? 'Running' : pick(random, ['Running', 'Pending', 'Succeeded', 'Failed'])
      pods.push({
        name: `${name}-${String(index)}`,
        node: daemon ? (nodes[index]?.name ?? '') : pick(random, nodes).name,
        owner: daemon ? `DaemonSet/${name}` : bare ? '' : `ReplicaSet/${name}`,
        labels: { app: name, tier: pick(random, ['front', 'back']) },
        emptyDir,
        phase,
        ready: phase === 'Running' && chance(random, 88),
        mirror: false,
      })
    }
  }
  if (chance(random, 30))
    pods.push({
      name: 'static',
      node: pick(random, nodes).name,
      owner: '',
      labels: { app: 'static' },
      emptyDir: false,
      phase: 'Running',
      ready: true,
      mirror: true,
    })
  const budgets: RandomCluster['budgets'] = workloads
    .filter(() => chance(random, 65))
    .map(({ name, replicas }) => ({
      name,
      spec: {
        selector: chance(random, 90)
          ? { matchLabels: { app: name } }
          : pick(random, [{}, { matchExpressions: [{ key: 'app', operator: 'In', values: [name, 'w0'] }] }]),
        ...pick(random, [
          { minAvailable: random.below(replicas + 2) },
          { minAvailable: `${String(10 * random.below(11))}%` },
          { maxUnavailable: random.below(replicas + 1) },
          { maxUnavailable: `${String(10 * random.below(11))}%` },
        ]),
      },
    }))
  if (chance(random, 15)) budgets.push({ name: 'front', spec: { selector: { matchLabels: { tier: 'front' } }, minAvailable: 1 } })
  return { namespace, nodes, replicaSets: workloads, pods, budgets }
}
