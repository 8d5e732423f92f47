import { describe, expect, it } from 'vitest'
import { canBeDeferred, runsUnseen, showsRootCa } from '#electron/controlplane/kubelet/deferredSetup.ts'
import type { Container, Pod, Volume } from '#electron/controlplane/kubelet/types.ts'

const pod = (volumes: Volume[], container: Partial<Container> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { volumes, containers: [{ name: 'main', image: 'registry.k8s.io/pause:3.9', ...container }] },
})
const token: Volume = {
  name: 'kube-api-access',
  projected: {
    sources: [
      { serviceAccountToken: { path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt' } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
    ],
  },
}

describe('canBeDeferred', () => {
  it.each<[string, Pod, boolean]>([
    ['nothing at all', pod([]), true],
    ['its token and scratch space', pod([token, { name: 'scratch', emptyDir: {} }]), true],
    ['fields of its own', pod([], { env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }] }), true],
    ['a ConfigMap', pod([{ name: 'config', configMap: { name: 'config' } }]), false],
    ['a Secret', pod([{ name: 'secret', secret: { secretName: 'secret' } }]), false],
    ['a Secret within a projection', pod([{ name: 'all', projected: { sources: [{ secret: { name: 'secret' } }] } }]), false],
    ['another ConfigMap within a projection', pod([{ name: 'all', projected: { sources: [{ configMap: { name: 'config' } }] } }]), false],
    ['a claim', pod([{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]), false],
    ['a path of the node', pod([{ name: 'host', hostPath: { path: '/etc' } }]), false],
    ['a variable of a Secret', pod([], { env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'secret', key: 'password' } } }] }), false],
    ['all variables of a ConfigMap', pod([], { envFrom: [{ configMapRef: { name: 'config' } }] }), false],
    ['a command with variables in it', pod([], { args: ['--node=$(NODE)'] }), false],
    ['a part of a volume', pod([token], { volumeMounts: [{ name: 'kube-api-access', mountPath: '/x', subPath: 'token' }] }), false],
  ])('of a pod that refers to %s', (_, asked, expected) => {
    expect(canBeDeferred(asked)).toBe(expected)
  })

  it('is told whether the root certificate is shown', () => {
    expect([showsRootCa(pod([token])), showsRootCa(pod([{ name: 'scratch', emptyDir: {} }]))]).toEqual([true, false])
  })
})

describe('runsUnseen', () => {
  it.each<[string, Partial<Container>, boolean]>([
    ['a server', {}, true],
    ['a shell', { image: 'busybox:1', command: ['sh', '-c', 'cat /etc/hosts'] }, false],
    ['one with a hook after its start', { lifecycle: { postStart: { exec: { command: ['ls'] } } } }, false],
  ])('%s', (_, container, expected) => {
    expect(runsUnseen({ name: 'main', image: 'registry.k8s.io/pause:3.9', ...container })).toBe(expected)
  })
})
