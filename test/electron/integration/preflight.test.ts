import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { UpgradePlan } from '#shared/contract/runbooks.ts'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { outcomeOf } from '#test/support/killing/clusterOutcome.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

describe.skipIf(!hasProgram('kubectl'))('the preflight of an upgrade', () => {
  const directory = temporaryDirectory('preflight')
  const dataDir = join(directory, 'cluster')
  let cluster: RunningCluster
  let drydock: Drydock

  beforeAll(async () => {
    cluster = await startCluster(dataDir, ['--nodes', '2', '--kubernetes-version', 'v1.35.8'])
    drydock = new Drydock(cluster, join(directory, 'drydock'), { nodes: ['controlplane', 'node01'] })
  }, 60_000)
  afterAll(async () => {
    await cluster.end()
  })
  const plan = async (with_: Drydock = drydock): Promise<UpgradePlan> => {
    const { stdout, stderr } = await with_.run(['upgrade', 'plan', '--to', 'v1.36.4', '-o', 'json'])
    expect(stdout, stderr).not.toBe('')
    return JSON.parse(stdout) as UpgradePlan
  }
  const blocking = ({ findings }: UpgradePlan): string[] => findings.filter(({ level }) => level === 'blocking').map(({ title }) => title)

  it('lets a healthy cluster through', { timeout: 60_000 }, async () => {
    await expect.poll(async () => blocking(await plan()), { timeout: 40_000, interval: 1_000 }).toEqual([])
  })

  it('refuses a cluster whose etcd data path was edited in its manifest, before anything is touched', { timeout: 90_000 }, async () => {
    const manifest = join(dataDir, 'nodes/controlplane/etc/kubernetes/manifests/etcd.yaml')
    const before = readFileSync(manifest, 'utf8')
    // What many guides to a restore teach.
    writeFileSync(manifest, before.replace('path: /var/lib/etcd\n', 'path: /var/lib/etcd-restored\n'))
    const untouched = await outcomeOf(cluster, { dataDir, nodes: ['controlplane', 'node01'] })
    const { code, stderr, stdout } = await drydock.run(['upgrade', 'apply', '--to', 'v1.36.4', '--yes'])
    expect(code, stdout).toBe(3)
    expect(stdout).toContain('BLOCKING: etcd on controlplane keeps its data in /var/lib/etcd-restored, but kubeadm will write /var/lib/etcd into its manifest')
    expect(stderr).toContain('nothing was changed')
    expect((await outcomeOf(cluster, { dataDir, nodes: ['controlplane', 'node01'] })).commands).toEqual(untouched.commands)
    writeFileSync(manifest, before)
  })

  it('tells what was edited by hand in a manifest, and what kubeadm will make of it', { timeout: 60_000 }, async () => {
    const manifest = join(dataDir, 'nodes/controlplane/etc/kubernetes/manifests/kube-scheduler.yaml')
    const before = readFileSync(manifest, 'utf8')
    writeFileSync(manifest, before.replace('- --leader-elect=true\n', '- --leader-elect=true\n        - --v=4\n'))
    const found = (await plan()).findings.filter(({ title }) => title.includes('edited by hand'))
    writeFileSync(manifest, before)
    expect(found).toMatchObject([
      { level: 'warning', title: 'kube-scheduler.yaml on controlplane was edited by hand, and kubeadm writes it anew: it will take out --v=4' },
    ])
    await expect.poll(async () => blocking(await plan()), { timeout: 40_000, interval: 1_000 }).toEqual([])
  })

  it('blocks on a webhook that nobody answers, and warns of one that is asked about kube-system', { timeout: 60_000 }, async () => {
    const yaml = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: gone}
webhooks:
- name: gone.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  namespaceSelector: {matchLabels: {guarded: 'yes'}}
  clientConfig: {service: {namespace: default, name: nobody}}
  rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: everywhere}
webhooks:
- name: everywhere.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {url: 'https://127.0.0.1:1/check'}
  rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods/ephemeralcontainers, services]}]
- name: open.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig: {url: 'https://127.0.0.1:1/check'}
  rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
`
    expect((await cluster.kubectl(['apply', '-f', '-'], { input: yaml })).code).toBe(0)
    const found = (await plan()).findings.filter(({ title }) => title.includes('webhook')).map(({ level, title }) => `${level}: ${title}`)
    expect((await cluster.kubectl(['delete', '-f', '-'], { input: yaml })).code).toBe(0)
    expect(found).toEqual([
      'warning: webhook everywhere.example.com of validatingwebhookconfiguration/everywhere is asked about pods in kube-system too, and refuses when it is not answered',
      'blocking: webhook gone.example.com of validatingwebhookconfiguration/gone refuses pods when it is not answered (failurePolicy Fail), and its service default/nobody has no ready endpoint',
    ])
  })

  it('names a node that is not reached, with the reason', { timeout: 60_000 }, async () => {
    const stranger = new Drydock(cluster, join(directory, 'stranger'), { nodes: ['controlplane'] })
    const found = (await plan(stranger)).findings.find(({ title }) => title === 'node node01 is not reached by SSH')
    expect(found?.level).toBe('blocking')
    expect(found?.cure).not.toBe('')
  })

  it('blocks on a budget that wants all of its pods, and starts nothing', { timeout: 120_000 }, async () => {
    const yaml = `apiVersion: apps/v1
kind: Deployment
metadata: {name: one, namespace: default}
spec: {replicas: 1, selector: {matchLabels: {app: one}}, template: {metadata: {labels: {app: one}}, spec: {containers: [{name: one, image: nginx}]}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: one, namespace: default}
spec: {minAvailable: 1, selector: {matchLabels: {app: one}}}
`
    expect((await cluster.kubectl(['apply', '-f', '-'], { input: yaml })).code).toBe(0)
    await expect
      .poll(async () => blocking(await plan()), { timeout: 60_000, interval: 1_000 })
      .toEqual(['budget default/one wants all 1 of its pods: a drain would wait for it for ever'])
    const refused = await drydock.run(['upgrade', 'apply', '--to', 'v1.36.4', '--yes'])
    expect(refused.code).toBe(3)
    expect(await drydock.runs()).toEqual([])
  })
})
