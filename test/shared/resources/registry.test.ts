import { describe, expect, it } from 'vitest'
import { resourceName } from '#shared/contract/table.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { podResource, podStatusWord } from '#shared/resources/pods.ts'
import { resourceColumns } from '#shared/resources/registry.ts'

describe('resource registry', () => {
  it.each(resourceName.options)('reads an empty %s without failing', (name) => {
    const definition = resourceColumns(name)
    expect(definition.columns['name']).toBeDefined()
    for (const column of Object.values(definition.columns))
      expect(typeof column.read({ metadata: {} }, { usage: null, nodeTotals: null })).toBe(column.kind === 'number' ? 'number' : 'string')
  })
})

const container = (state: object, more: object = {}): object => ({ name: 'c', state, ...more })
const pod = (fields: object, metadata: object = {}): KubeObject => ({ metadata, spec: { containers: [{ name: 'c' }] }, status: fields })

describe('pod status word', () => {
  it.each<[string, KubeObject]>([
    ['Pending', pod({ phase: 'Pending' })],
    ['Running', pod({ phase: 'Running', containerStatuses: [container({ running: {} }, { ready: true })] })],
    ['CrashLoopBackOff', pod({ phase: 'Running', containerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } })] })],
    ['ExitCode:3', pod({ phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 3 } })] })],
    ['Completed', pod({ phase: 'Succeeded', containerStatuses: [container({ terminated: { exitCode: 0, reason: 'Completed' } })] })],
    ['Evicted', pod({ phase: 'Failed', reason: 'Evicted' })],
    ['Terminating', pod({ phase: 'Running' }, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['Unknown', pod({ phase: 'Running', reason: 'NodeLost' }, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    [
      'Init:0/1',
      { metadata: {}, spec: { initContainers: [{ name: 'i' }] }, status: { phase: 'Pending', initContainerStatuses: [{ name: 'i', state: { running: {} } }] } },
    ],
    [
      'Init:Error',
      {
        metadata: {},
        spec: { initContainers: [{ name: 'i' }] },
        status: { phase: 'Pending', initContainerStatuses: [{ name: 'i', state: { terminated: { exitCode: 1, reason: 'Error' } } }] },
      },
    ],
    ['SchedulingGated', pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] })],
  ])('is %s', (word, object) => {
    expect(podStatusWord(object)).toBe(word)
  })
})

describe('pod resource', () => {
  it('takes the larger of the init peak and the sum of lasting containers', () => {
    const requests = (cpu: string): object => ({ resources: { requests: { cpu } } })
    const object: KubeObject = {
      metadata: {},
      spec: { initContainers: [{ ...requests('100m'), restartPolicy: 'Always' }, requests('2')], containers: [requests('500m'), requests('1')] },
    }
    expect(podResource(object, 'requests', 'cpu')).toBeCloseTo(2.1)
    expect(podResource(object, 'limits', 'cpu')).toBeNaN()
  })
})
