import { describe, expect, it } from 'vitest'
import { isTold } from '#electron/controlplane/kubelet/toldStatus.ts'
import type { PodStatus } from '#electron/controlplane/kubelet/types.ts'

const status = (change: Partial<PodStatus> = {}): PodStatus => ({
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-11-27T10:00:00Z' }],
  hostIP: '10.0.0.7',
  podIP: '10.244.1.9',
  startTime: '2026-11-27T10:00:00Z',
  qosClass: 'Burstable',
  containerStatuses: [],
  ...change,
})

describe('what a kubelet says of a pod that it takes over', () => {
  it('is told already where the object says all of it, whatever else stands there', () => {
    const gate = { type: 'example.com/gate', status: 'True' } as const
    const [ready] = status().conditions ?? []
    if (ready === undefined) throw new Error('no condition')
    const { lastProbeTime: _, ...withoutProbe } = ready
    expect(isTold(status(), status())).toBe(true)
    expect(isTold(status(), status({ conditions: [gate, withoutProbe] }))).toBe(true)
    expect(isTold(status(), { ...status(), message: 'kept by others' } as PodStatus)).toBe(true)
    expect(isTold(status(), status({ conditions: [{ ...ready, observedGeneration: 2 }] }))).toBe(true)
  })

  it('is not told where anything differs or is missing', () => {
    expect(isTold(status(), undefined)).toBe(false)
    expect(isTold(status(), status({ hostIP: '10.0.0.8' }))).toBe(false)
    expect(isTold(status(), status({ phase: 'Pending' }))).toBe(false)
    expect(isTold(status(), status({ conditions: [] }))).toBe(false)
    const before = status({ conditions: [{ type: 'Ready', status: 'False', lastProbeTime: null, lastTransitionTime: '2026-11-27T10:00:00Z' }] })
    expect(isTold(status(), before)).toBe(false)
    const { podIP: _, ...withoutAddress } = status()
    expect(isTold(status(), withoutAddress as PodStatus)).toBe(false)
  })
})
