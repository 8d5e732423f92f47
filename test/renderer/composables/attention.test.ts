// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { rankAttention, troubledRows, type Attention } from '../../../renderer/composables/attention.ts'
import { storeOf } from '../support/rows.ts'

const NOW = 1_000_000
const trouble = (resource: Attention['resource'], key: string, status: string, sinceMs = 0): Attention => ({
  resource,
  key,
  status,
  detail: '',
  sinceMs,
  step: 'look',
})

describe('troubledRows', () => {
  it('finds bad and doubtful words, with the step that fits', () => {
    const store = storeOf({
      'a/ok': { status: 'Running', createdAtMs: 0 },
      'a/crash': { status: 'CrashLoopBackOff', createdAtMs: 0, lastRestartAtMs: 900_000, message: 'back-off' },
      'a/pull': { status: 'ImagePullBackOff', createdAtMs: 0 },
      'a/wait': { status: 'Pending', createdAtMs: 0 },
      'a/done': { status: 'Completed', createdAtMs: 0 },
    })
    expect(
      troubledRows(store, 'pods', { detailColumn: 'message', nowMs: NOW }).map(({ key, step, sinceMs, detail }) => ({ key, step, sinceMs, detail })),
    ).toEqual([
      { key: 'a/crash', step: 'previousLog', sinceMs: 900_000, detail: 'back-off' },
      { key: 'a/pull', step: 'pullEvents', sinceMs: 0, detail: '' },
      { key: 'a/wait', step: 'placement', sinceMs: 0, detail: '' },
    ])
  })

  it('gives what was just made time to settle, but not what fails', () => {
    const store = storeOf({ 'a/new': { status: 'Pending', createdAtMs: NOW - 5000 }, 'a/bad': { status: 'CrashLoopBackOff', createdAtMs: NOW - 5000 } })
    expect(troubledRows(store, 'pods', { detailColumn: 'message', nowMs: NOW }).map(({ key }) => key)).toEqual(['a/bad'])
  })

  it('tells a cordoned node from one that is down', () => {
    const store = storeOf({ w1: { status: 'Ready,SchedulingDisabled', createdAtMs: 0 }, w2: { status: 'NotReady', createdAtMs: 0 } })
    expect(troubledRows(store, 'nodes', { detailColumn: 'pressure', nowMs: NOW }).map(({ key, step }) => [key, step])).toEqual([
      ['w1', 'uncordon'],
      ['w2', 'nodeConditions'],
    ])
  })
})

describe('rankAttention', () => {
  it('puts the control plane first, then nodes, then workloads, the worse before the others', () => {
    const ranked = rankAttention([
      trouble('pods', 'shop/wait', 'Pending'),
      trouble('pods', 'shop/crash', 'CrashLoopBackOff'),
      trouble('nodes', 'w1', 'Ready,SchedulingDisabled'),
      trouble('nodes', 'w2', 'NotReady'),
      trouble('pods', 'kube-system/etcd-cp', 'CrashLoopBackOff'),
    ])
    expect(ranked.map(({ key }) => key)).toEqual(['kube-system/etcd-cp', 'w2', 'w1', 'shop/crash', 'shop/wait'])
  })

  it('leaves out a workload whose troubled pods are listed', () => {
    const ranked = rankAttention([
      trouble('deployments', 'shop/web', 'Degraded'),
      trouble('deployments', 'shop/api', 'Degraded'),
      trouble('pods', 'shop/web-1-x', 'CrashLoopBackOff'),
    ])
    expect(ranked.map(({ key }) => key)).toEqual(['shop/web-1-x', 'shop/api'])
  })
})
