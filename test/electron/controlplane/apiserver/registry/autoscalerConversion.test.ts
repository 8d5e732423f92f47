import { describe, expect, it } from 'vitest'
import { convertAutoscaler } from '#electron/controlplane/apiserver/registry/autoscalerConversion.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'

const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } }
const pods = {
  type: 'Pods',
  pods: { metric: { name: 'requests', selector: { matchLabels: { a: 'b' } } }, target: { type: 'AverageValue', averageValue: '10' } },
}
const object = {
  type: 'Object',
  object: {
    describedObject: { kind: 'Service', name: 'web', apiVersion: 'v1' },
    target: { type: 'Value', value: '5' },
    metric: { name: 'hits' },
  },
}
const external = { type: 'External', external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '30' } } }
const condition = { type: 'AbleToScale', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z', reason: 'ReadyForNewScale', message: 'm' }
const behavior = { scaleDown: { stabilizationWindowSeconds: 60, selectPolicy: 'Max', policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }] } }

const autoscaler = (spec: object, status: object = {}, metadata: object = {}): KubeObject =>
  ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', ...metadata },
    spec: { maxReplicas: 3, ...spec },
    status,
  }) as KubeObject

describe('autoscalers of several versions', () => {
  it('keep in annotations of v1 what v1 has no field for, in the words of a real API server', () => {
    const current = [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 3 } } }]
    const v1 = convertAutoscaler(
      autoscaler({ metrics: [cpu, pods], behavior }, { currentReplicas: 1, currentMetrics: current, conditions: [condition] }, { annotations: { own: 'x' } }),
      'v2beta2',
      'v1',
    )
    expect(v1['spec']).toEqual({ maxReplicas: 3, targetCPUUtilizationPercentage: 60 })
    expect(v1['status']).toEqual({ currentReplicas: 1, currentCPUUtilizationPercentage: 3 })
    expect(v1.metadata.annotations).toEqual({
      own: 'x',
      'autoscaling.alpha.kubernetes.io/metrics':
        '[{"type":"Pods","pods":{"metricName":"requests","targetAverageValue":"10","selector":{"matchLabels":{"a":"b"}}}}]',
      'autoscaling.alpha.kubernetes.io/current-metrics':
        '[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":3,"currentAverageValue":"0"}}]',
      'autoscaling.alpha.kubernetes.io/behavior':
        '{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":60,"SelectPolicy":"Max","Policies":[{"Type":"Pods","Value":4,"PeriodSeconds":60}]}}',
      'autoscaling.alpha.kubernetes.io/conditions': JSON.stringify([condition]),
    })
  })

  it('come back from v1 with all their metrics, that of cpu last', () => {
    const whole = autoscaler({ metrics: [cpu, pods, object, external], behavior }, { conditions: [condition] }, { annotations: { own: 'x' } })
    const back = convertAutoscaler(convertAutoscaler(whole, 'v2', 'v1'), 'v1', 'v2')
    expect(back['spec']).toEqual({ maxReplicas: 3, metrics: [pods, object, external, cpu], behavior: { scaleUp: null, ...behavior } })
    expect([back['status'], back.metadata.annotations]).toEqual([{ conditions: [condition] }, { own: 'x' }])
  })

  it('aim at 80 % of cpu when v1 names nothing', () => {
    expect(convertAutoscaler(autoscaler({}), 'v1', 'v2')['spec']).toEqual({
      maxReplicas: 3,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
    })
  })

  it('say the same in v2beta1 as in v2', () => {
    const flat = convertAutoscaler(autoscaler({ metrics: [cpu, pods, object, external] }), 'v2', 'v2beta1')
    expect((flat['spec'] as { metrics: unknown }).metrics).toEqual([
      { type: 'Resource', resource: { name: 'cpu', targetAverageUtilization: 60 } },
      { type: 'Pods', pods: { metricName: 'requests', targetAverageValue: '10', selector: { matchLabels: { a: 'b' } } } },
      { type: 'Object', object: { target: { kind: 'Service', name: 'web', apiVersion: 'v1' }, metricName: 'hits', targetValue: '5' } },
      { type: 'External', external: { metricName: 'queue', targetAverageValue: '30' } },
    ])
    expect(convertAutoscaler(flat, 'v2beta1', 'v2')['spec']).toEqual({ maxReplicas: 3, metrics: [cpu, pods, object, external] })
  })
})
