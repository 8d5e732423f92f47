// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { controlPlaneOf } from '../../../renderer/composables/controlPlane.ts'
import { storeOf } from '../support/rows.ts'

const pod = (name: string, node: string, image: string, ready = 1): Record<string, string | number> => ({
  name,
  namespace: 'kube-system',
  node,
  images: image,
  status: ready === 1 ? 'Running' : 'Error',
  ready,
  readyTotal: 1,
})

describe('controlPlaneOf', () => {
  it('finds the static pods by node, with version, readiness and leader', () => {
    const pods = storeOf({
      'kube-system/kube-scheduler-cp1': pod('kube-scheduler-cp1', 'cp1', 'registry.k8s.io/kube-scheduler:v1.35.8'),
      'kube-system/kube-scheduler-cp2': pod('kube-scheduler-cp2', 'cp2', 'registry.k8s.io/kube-scheduler:v1.35.8', 0),
      'kube-system/etcd-cp1': pod('etcd-cp1', 'cp1', 'registry.k8s.io/etcd:3.6.6-0'),
      'kube-system/coredns-x': pod('coredns-x', 'cp1', 'coredns:1'),
      'shop/etcd-cp1': { ...pod('etcd-cp1', 'cp1', 'x:1'), namespace: 'shop' },
    })
    const leases = storeOf({ 'kube-system/kube-scheduler': { holder: 'cp2_9f3a' } })
    const [first, second] = controlPlaneOf(pods, leases)
    expect(first?.node).toBe('cp1')
    expect(first?.components.etcd).toMatchObject({ version: '3.6.6-0', ready: true, leader: false })
    expect(first?.components['kube-scheduler']).toMatchObject({ leader: false, ready: true })
    expect(second?.components['kube-scheduler']).toMatchObject({ leader: true, ready: false, status: 'Error' })
    expect(second?.components.etcd).toBeUndefined()
  })

  it('is empty where the control plane is not made of pods', () => {
    expect(controlPlaneOf(storeOf({}), storeOf({}))).toEqual([])
  })
})
