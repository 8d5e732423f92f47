import { describe, expect, it } from 'vitest'
import type { UpgradeFinding } from '#shared/contract/runbooks.ts'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import type { NodeShell } from '#electron/runbooks/nodeShell/nodeShell.ts'
import { componentState } from '#electron/runbooks/upgrade/componentHealth.ts'
import { dnsFindings } from '#electron/runbooks/upgrade/addonFindings.ts'
import { configuredFlagFindings } from '#electron/runbooks/upgrade/flagFindings.ts'
import { configuredGateFindings, nodeGateFindings } from '#electron/runbooks/upgrade/gateFindings.ts'
import { readManifestDiff } from '#electron/runbooks/upgrade/manifestEdits.ts'
import { flagNames, removedFlags } from '#shared/planning/upgrade/removedFlags.ts'

describe('removedFlags', () => {
  it('names what the target no longer knows, once, and nothing that went before', () => {
    const flags = flagNames(['--network-plugin=cni', '--container-runtime', 'remote', '--node-ip=10.0.0.1'])
    expect(flags).toEqual(['network-plugin', 'container-runtime', 'node-ip'])
    expect(removedFlags('kubelet', flags, { from: 23, to: 24 }).map(({ flag }) => flag)).toEqual(['network-plugin'])
    expect(removedFlags('kubelet', flags, { from: 26, to: 27 }).map(({ flag }) => flag)).toEqual(['container-runtime'])
    expect(removedFlags('kubelet', flags, { from: 27, to: 28 })).toEqual([])
    expect(removedFlags('kube-scheduler', ['logtostderr'], { from: 25, to: 26 })[0]?.link).toMatch(/^https:/)
  })
})

describe('configuredFlagFindings', () => {
  it.each([
    ['a map, as until v1beta3', 'apiServer:\n  extraArgs:\n    insecure-port: "0"\n    v: "2"\n'],
    ['a list, as since v1beta4', 'apiServer:\n  extraArgs:\n  - name: insecure-port\n    value: "0"\n'],
  ])('blocks on a removed flag of kubeadm’s configuration: %s', (_, text) => {
    const found = configuredFlagFindings(text, { from: 23, to: 24 })
    expect(found.map(({ level, title }) => `${level}: ${title}`)).toEqual([
      "blocking: kube-apiserver of v1.24 no longer knows --insecure-port, which is among apiServer.extraArgs of kubeadm's configuration: it would not start",
    ])
    expect(configuredFlagFindings(text, { from: 24, to: 25 })).toEqual([])
  })
})

describe('feature gates that went', () => {
  const { signal } = new AbortController()
  const maps: Record<string, Record<string, string>> = {
    'kubelet-config-1.22': { kubelet: 'kind: KubeletConfiguration\nfeatureGates:\n  NodeLease: true\n  RotateKubeletServerCertificate: true\n' },
    'kube-proxy': { 'config.conf': 'kind: KubeProxyConfiguration\nfeatureGates:\n  SupportIPVSProxyMode: true\n  EndpointSliceProxying: true\n' },
  }
  const api = new ClusterApi({
    request: ({ path }) => {
      const data = maps[path.split('/').at(-1) ?? '']
      const body = Buffer.from(JSON.stringify(data === undefined ? { kind: 'Status', code: 404, reason: 'NotFound' } : { metadata: {}, data }))
      return Promise.resolve({ status: data === undefined ? 404 : 200, headers: {}, body })
    },
    stream: () => Promise.reject(new Error('nothing is followed')),
  })
  const levels = (found: UpgradeFinding[]): string[] => found.map(({ level, title }) => `${level}: ${title}`)

  it('block where kubeadm writes them anew: in its own configuration, the kubelets’ and kube-proxy’s', async () => {
    const configuration = 'apiServer:\n  extraArgs:\n    feature-gates: "StartupProbe=true,TTLAfterFinished=true"\nscheduler:\n  extraArgs: {v: "2"}\n'
    expect(levels(await configuredGateFindings(api, configuration, { minors: { from: 22, to: 23 }, signal }))).toEqual([
      "blocking: kube-apiserver of v1.23 no longer knows the feature gate StartupProbe, which stands among apiServer.extraArgs of kubeadm's configuration: it would not start",
      'blocking: the kubelet of v1.23 no longer knows the feature gate NodeLease, which stands in the configuration that kubeadm gives every node: it would not start',
    ])
    expect(levels(await configuredGateFindings(api, configuration, { minors: { from: 24, to: 25 }, signal }))).toEqual([
      "blocking: kube-apiserver of v1.25 no longer knows the feature gate TTLAfterFinished, which stands among apiServer.extraArgs of kubeadm's configuration: it would not start",
      'blocking: kube-proxy of v1.25 no longer knows the feature gate EndpointSliceProxying, which stands in its configuration: it would not start',
    ])
    expect(await configuredGateFindings(api, configuration, { minors: { from: 24, to: 24 }, signal })).toEqual([])
  })

  it('block in a node’s own flags, and are told of where kubeadm takes them out', async () => {
    const files: Record<string, string> = {
      '/etc/default/kubelet': 'KUBELET_EXTRA_ARGS="--node-ip=10.0.0.1 --feature-gates=SuspendJob=true,NodeSwap=true"\n# --feature-gates=PodOverhead=true\n',
      '/var/lib/kubelet/config.yaml': 'featureGates:\n  DynamicKubeletConfig: true\n',
      '/etc/kubernetes/manifests/kube-scheduler.yaml':
        'spec:\n  containers:\n  - command:\n    - kube-scheduler\n    - --feature-gates=PreferNominatedNode=true\n',
    }
    const shell: NodeShell = {
      run: (command) => {
        const text = files[command.replace(/^cat /, '')]
        return Promise.resolve({ exitCode: text === undefined ? 1 : 0, stdout: text ?? '', stderr: '' })
      },
      forward: () => Promise.reject(new Error('nothing listens')),
      close: () => undefined,
    }
    expect(levels(await nodeGateFindings(shell, { name: 'node01', minors: { from: 25, to: 26 }, signal }))).toEqual([
      'blocking: the kubelet of v1.26 no longer knows the feature gate SuspendJob, which is passed to it in /etc/default/kubelet on node01: it would not start',
      'warning: the kubelet of v1.26 no longer knows the feature gate DynamicKubeletConfig, which stands in /var/lib/kubelet/config.yaml on node01',
      'warning: kube-scheduler of v1.26 no longer knows the feature gate PreferNominatedNode, which stands in /etc/kubernetes/manifests/kube-scheduler.yaml on node01',
    ])
  })
})

describe('readManifestDiff', () => {
  // As kubeadm 1.20.3 printed it on a node whose scheduler was given a flag and whose first probe another limit.
  const printed = `[upgrade/diff] Reading configuration from the cluster...
[upgrade/diff] FYI: You can look at this config file with 'kubectl -n kube-system get cm kubeadm-config -o yaml'
--- /etc/kubernetes/manifests/kube-scheduler.yaml
+++ new manifest
@@ -16,7 +16,6 @@
     - --bind-address=127.0.0.1
     - --kubeconfig=/etc/kubernetes/scheduler.conf
     - --leader-elect=true
-    - --v=2
     - --port=0
     image: k8s.gcr.io/kube-scheduler:v1.20.3
     imagePullPolicy: IfNotPresent
@@ -29,7 +28,7 @@
         scheme: HTTPS
       initialDelaySeconds: 10
       periodSeconds: 10
-      timeoutSeconds: 20
+      timeoutSeconds: 15
     name: kube-scheduler
     resources:
       requests:
`
  it('tells what kubeadm takes out of a manifest and what it puts in', () => {
    expect(readManifestDiff(printed)).toEqual([
      { file: '/etc/kubernetes/manifests/kube-scheduler.yaml', takenOut: ['--v=2', 'timeoutSeconds: 20'], putIn: ['timeoutSeconds: 15'] },
    ])
    expect(readManifestDiff(printed.slice(0, printed.indexOf('---')))).toEqual([])
  })
})

describe('dnsFindings', () => {
  const coredns = (tag: string): KubeObject => ({
    metadata: { name: 'coredns' },
    spec: { template: { spec: { containers: [{ image: `registry.k8s.io/coredns/coredns:${tag}` }] } } },
  })
  const titles = (deployments: KubeObject[], clusterConfiguration = ''): string[] =>
    dnsFindings(deployments, { targetVersion: 'v1.36.4', clusterConfiguration }).map(({ title }) => title)

  it('is silent where kubeadm upgrades CoreDNS', () => {
    expect(titles([coredns('v1.13.1')])).toEqual([])
  })
  it('tells of a pinned, a newer, a missing and a second one', () => {
    expect(titles([coredns('v1.13.1')], 'dns:\n  imageTag: v1.12.0\n')).toEqual([expect.stringContaining('pinned to v1.12.0')])
    expect(titles([coredns('v1.99.0')])).toEqual([expect.stringContaining('newer than the v1.14.2')])
    expect(titles([])).toEqual([expect.stringContaining('no CoreDNS')])
    expect(titles([coredns('v1.13.1'), coredns('v1.13.1')])).toEqual([expect.stringContaining('2 Deployments')])
  })
})

describe('componentState', () => {
  const pod = (tag: string, status: object): KubeObject => ({
    metadata: { name: 'kube-scheduler-cp1', uid: 'u' },
    spec: { containers: [{ image: `k8s.gcr.io/kube-scheduler:${tag}` }] },
    status: { phase: 'Running', ...status },
  })
  const crashing = (restartCount: number): object => ({
    conditions: [{ type: 'Ready', status: 'False' }],
    containerStatuses: [
      {
        restartCount,
        state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting failed container' } },
        lastState: { terminated: { exitCode: 128, reason: 'StartError', message: 'executable file not found' } },
      },
    ],
  })
  it('waits for an old image, a missing pod and the first restarts, and gives up on one that restarts again and again', () => {
    expect(componentState(undefined, 'v1.20.3').state).toBe('waiting')
    expect(componentState(pod('v1.20.2', {}), 'v1.20.3').state).toBe('waiting')
    expect(componentState(pod('v1.20.3', crashing(2)), 'v1.20.3').state).toBe('waiting')
    expect(componentState(pod('v1.20.3', crashing(3)), 'v1.20.3')).toEqual({
      state: 'crashing',
      why: 'CrashLoopBackOff, it ends with exit code 128 (StartError), executable file not found, after 3 restarts',
    })
    // Restarts of before it was mended say nothing.
    expect(componentState(pod('v1.20.3', crashing(5)), 'v1.20.3', 4).state).toBe('waiting')
    expect(componentState(pod('v1.20.3', { conditions: [{ type: 'Ready', status: 'True' }] }), 'v1.20.3')).toEqual({ state: 'good' })
  })
})
