// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { parseScheduling } from '../../../renderer/composables/scheduling.ts'

const TAINT = '1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }'

describe('the scheduler’s message', () => {
  it('is taken apart, the largest part first, without what preemption says', () => {
    const message = `0/3 nodes are available: ${TAINT}, 2 Insufficient memory. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.`
    expect(parseScheduling(message)).toEqual({
      fitting: 0,
      total: 3,
      reasons: [
        { nodes: 2, kind: 'insufficient', detail: 'memory' },
        { nodes: 1, kind: 'tainted', detail: 'node-role.kubernetes.io/control-plane' },
      ],
    })
  })

  it.each([
    ["0/5 nodes are available: 5 node(s) didn't match Pod's node affinity/selector.", 'selector', ''],
    ['0/5 nodes are available: 5 node(s) were unschedulable.', 'cordoned', ''],
    ['0/5 nodes are available: 5 Too many pods.', 'tooManyPods', ''],
    ['0/5 nodes are available: 5 Insufficient nvidia.com/gpu.', 'insufficient', 'nvidia.com/gpu'],
    ["0/5 nodes are available: 5 node(s) had taint {dedicated: gpu}, that the pod didn't tolerate.", 'tainted', 'dedicated'],
    ["0/5 nodes are available: 5 node(s) didn't match pod topology spread constraints (missing required label).", 'spread', ''],
    ['0/5 nodes are available: 5 node(s) had volume node affinity conflict.', 'volume', ''],
    ['0/5 nodes are available: 5 node(s) said something new.', 'other', 'said something new'],
  ])('%s', (message, kind, detail) => {
    expect(parseScheduling(message)?.reasons).toEqual([{ nodes: 5, kind, detail }])
  })

  it('keeps words without a count', () => {
    expect(parseScheduling('0/3 nodes are available: persistentvolumeclaim "data" not found.')?.reasons).toEqual([
      { nodes: 0, kind: 'other', detail: 'persistentvolumeclaim "data" not found' },
    ])
  })

  it('is null for another message', () => {
    expect(parseScheduling('no nodes available to schedule pods')).toBeNull()
    expect(parseScheduling('')).toBeNull()
  })
})
