import { describe, expect, it } from 'vitest'
import { SeededRandom } from '#shared/base/random.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { AffinityTerms } from '#shared/planning/scheduling/affinity.ts'
import { NodeInfo } from '#shared/planning/scheduling/nodeInfo.ts'

const node: KubeObject = { metadata: { name: 'n' }, status: { allocatable: { cpu: '8', memory: '16Gi', pods: '110' } } }
const terms = new AffinityTerms(() => ({}))
const apart = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'a' } } }],
  },
}

function pod(name: string, random: SeededRandom): KubeObject {
  const labels = { app: ['a', 'b'][random.below(2)] ?? '' }
  return {
    metadata: { name, namespace: 'default', uid: name, labels, ...(random.below(6) === 0 ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: {
      containers: [
        { name: 'main', resources: { requests: { cpu: `${String(100 * (1 + random.below(3)))}m` } }, ports: random.below(4) === 0 ? [{ hostPort: 80 }] : [] },
      ],
      ...(random.below(4) === 0 ? { affinity: apart } : {}),
    },
    status: { phase: 'Pending' },
  }
}

/** What scheduling asks of a node. */
function asked(info: NodeInfo): unknown {
  const { requested, nonZeroCpu, nonZeroMemory, basic, pods, podsWithAffinity } = info
  const counted = (app: string): number =>
    info.count(`counted ${app}`, ({ metadata }) => metadata.labels?.['app'] === app && metadata.deletionTimestamp === undefined)
  return {
    requested: [...requested].filter(([, amount]) => amount !== 0),
    nonZeroCpu,
    nonZeroMemory,
    basic,
    counts: [counted('a'), counted('b')],
    ports: info.usedPorts().length,
    rules: info.rules(terms).repels.length,
    pods: [...pods],
    podsWithAffinity: [...podsWithAffinity.keys()].sort(),
  }
}

describe('NodeInfo', () => {
  it('counts pods that come, change and go as a new one counts those that are there', () => {
    const random = new SeededRandom(5)
    const info = new NodeInfo(node)
    const there = new Map<string, KubeObject>()
    for (let round = 0; round < 400; round++) {
      const name = `p${String(random.below(12))}`
      const known = there.get(name)
      const what = random.below(4)
      if (known !== undefined && what === 0) {
        there.delete(name)
        info.remove(known)
      } else {
        // Read anew, as each event of a watch is.
        const changed =
          known !== undefined && what < 3 ? { ...(JSON.parse(JSON.stringify(known)) as KubeObject), status: { phase: 'Running' } } : pod(name, random)
        there.delete(name)
        there.set(name, changed)
        info.add(changed)
      }
      const anew = new NodeInfo(node)
      for (const each of there.values()) anew.add(each)
      expect(asked(info)).toEqual(asked(anew))
    }
  })
})
