import { describe, expect, it } from 'vitest'
import { fieldText, ReferenceFault, resourceText, type PodFacts } from '#electron/controlplane/kubelet/downwardApi.ts'

const facts: PodFacts = {
  pod: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop', uid: 'u1', labels: { b: 'say "hi"', a: '1' }, annotations: { note: 'x' } },
    spec: {
      serviceAccountName: 'robot',
      containers: [
        { name: 'main', image: 'nginx', resources: { limits: { cpu: '1250m', memory: '64Mi' }, requests: { cpu: '250m' } } },
        { name: 'free', image: 'nginx' },
      ],
    },
  },
  nodeName: 'node01',
  hostIP: '172.30.2.2',
  podIP: '10.244.1.7',
  nodeAllocatable: { cpu: '4', memory: '8286208Ki' },
}

describe('fieldText', () => {
  it.each([
    ['metadata.name', 'web'],
    ['metadata.namespace', 'shop'],
    ['metadata.uid', 'u1'],
    ['metadata.labels', 'a="1"\nb="say \\"hi\\""'],
    ["metadata.labels['a']", '1'],
    ["metadata.annotations['note']", 'x'],
    ["metadata.annotations['none']", ''],
    ['spec.nodeName', 'node01'],
    ['spec.serviceAccountName', 'robot'],
    ['status.hostIP', '172.30.2.2'],
    ['status.podIP', '10.244.1.7'],
  ])('of %s is %j', (path, expected) => {
    expect(fieldText(path, facts)).toBe(expected)
  })

  it('refuses a field that may not be told', () => {
    expect(() => fieldText('spec.hostNetwork', facts)).toThrow(new ReferenceFault('unsupported fieldPath: spec.hostNetwork'))
  })
})

describe('resourceText', () => {
  const [main, free] = facts.pod.spec.containers
  it.each([
    ['rounds up to whole cores', 'limits.cpu', undefined, main, '2'],
    ['counts in thousandths', 'limits.cpu', '1m', main, '1250'],
    ['takes a divisor of 0 for 1', 'requests.cpu', '0', main, '1'],
    ['counts memory in Mi', 'limits.memory', '1Mi', main, '64'],
    ["takes the node's allocatable for a limit that is not set", 'limits.cpu', '1', free, '4'],
    ['and of memory', 'limits.memory', '1Ki', free, '8286208'],
    ['but not for a request', 'requests.memory', '1', free, '0'],
  ] as const)('%s', (_, resource, divisor, container, expected) => {
    expect(resourceText({ resource, ...(divisor === undefined ? {} : { divisor }) }, container ?? null, facts)).toBe(expected)
  })

  it('finds another container by its name, and says when there is none', () => {
    expect(resourceText({ containerName: 'main', resource: 'requests.cpu', divisor: '1m' }, free ?? null, facts)).toBe('250')
    expect(() => resourceText({ containerName: 'x', resource: 'limits.cpu' }, null, facts)).toThrow('container x not found')
    expect(() => resourceText({ resource: 'limits.disk' }, main ?? null, facts)).toThrow('Unsupported container resource : limits.disk')
  })
})
