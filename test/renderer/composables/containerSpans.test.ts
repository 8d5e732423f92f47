// @vitest-environment node
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { containerLanes, spanPlace } from '../../../renderer/composables/containerSpans.ts'

const at = (seconds: number): string => new Date(seconds * 1000).toISOString()
function podWith(spec: Record<string, unknown>, status: Record<string, unknown>): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', creationTimestamp: at(100) }, spec, status } as KubeObject
}

describe('containerLanes', () => {
  it('shows the ended run and the wait after it of a container that crashes', () => {
    const pod = podWith(
      { initContainers: [{ name: 'migrate' }], containers: [{ name: 'worker' }] },
      {
        startTime: at(101),
        initContainerStatuses: [{ name: 'migrate', state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: at(102), finishedAt: at(104) } } }],
        containerStatuses: [
          {
            name: 'worker',
            restartCount: 6,
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: { exitCode: 1, reason: 'Error', startedAt: at(200), finishedAt: at(203) } },
          },
        ],
      },
    )
    expect(containerLanes(pod)).toEqual([
      { name: 'migrate', role: 'init', restarts: 0, spans: [{ fromMs: 102_000, toMs: 104_000, state: 'succeeded', word: 'Completed' }] },
      {
        name: 'worker',
        role: 'container',
        restarts: 6,
        spans: [
          { fromMs: 200_000, toMs: 203_000, state: 'failed', word: 'Error (1)' },
          { fromMs: 203_000, toMs: null, state: 'waiting', word: 'CrashLoopBackOff' },
        ],
      },
    ])
  })

  it('lets a pod that is not placed wait from its creation', () => {
    expect(containerLanes(podWith({ containers: [{ name: 'db' }] }, {}))[0]?.spans).toEqual([
      { fromMs: 100_000, toMs: null, state: 'waiting', word: 'Waiting' },
    ])
  })

  it('tells sidecars from init containers', () => {
    const lanes = containerLanes(podWith({ initContainers: [{ name: 'proxy', restartPolicy: 'Always' }], containers: [] }, {}))
    expect(lanes[0]?.role).toBe('sidecar')
  })
})

describe('spanPlace', () => {
  it('puts a quarter of the time ago in the middle', () => {
    const place = spanPlace({ fromMs: 75, toMs: null, state: 'running', word: '' }, 0, 100)
    expect(place.left).toBeCloseTo(50)
    expect(place.left + place.width).toBeCloseTo(100)
  })

  it('keeps within the axis', () => {
    expect(spanPlace({ fromMs: -50, toMs: 0, state: 'running', word: '' }, 0, 100)).toEqual({ left: 0, width: 0 })
  })
})
