import { describe, expect, it } from 'vitest'
import { refusalOf } from '#electron/controlplane/kubelet/nodeAdmission.ts'
import type { Container, Pod } from '#electron/controlplane/kubelet/types.ts'

const pod = (container: Partial<Container>, initContainers: Partial<Container>[] = []): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: {
    containers: [{ name: 'c', image: 'x', ...container }],
    initContainers: initContainers.map((each) => ({ name: 'i', image: 'x', ...each })),
  },
})
const port = (hostPort: number, more: { hostIP?: string; protocol?: string } = {}): Pod => pod({ ports: [{ containerPort: 80, hostPort, ...more }] })
const cpu = (request: string): Pod => pod({ resources: { requests: { cpu: request } } })

describe('refusalOf', () => {
  it.each([
    ['another port', port(8080), port(8081), null],
    ['another protocol', port(8080), port(8080, { protocol: 'UDP' }), null],
    ['another address', port(8080, { hostIP: '127.0.0.1' }), port(8080, { hostIP: '127.0.0.2' }), null],
    ['the same port', port(8080), port(8080), 'NodePorts'],
    ['the same port of every address', port(8080, { hostIP: '127.0.0.1' }), port(8080), 'NodePorts'],
  ])('of a host port beside %s', (_, wanted, other, reason) => {
    expect(refusalOf(wanted, [other], {})?.reason ?? null).toBe(reason)
  })

  it('of more than is left of a resource', () => {
    expect(refusalOf(cpu('1500m'), [cpu('3')], { cpu: '4' })).toEqual({
      reason: 'OutOfcpu',
      message: "Pod Node didn't have enough resource: cpu, requested: 1500, used: 3000, capacity: 4000",
    })
    expect(refusalOf(cpu('1'), [cpu('3')], { cpu: '4' })).toBeNull()
    expect(refusalOf(pod({}, [{ resources: { limits: { memory: '2Gi' } } }]), [], { memory: '1Gi' })?.reason).toBe('OutOfmemory')
  })

  it('of nothing that asks for nothing, however full the node is', () => {
    expect(refusalOf(pod({}), [cpu('9')], { cpu: '4' })).toBeNull()
  })
})
