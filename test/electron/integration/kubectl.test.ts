import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

describe.skipIf(!hasProgram('kubectl'))('real kubectl on an embedded cluster', { timeout: 60_000 }, () => {
  const dataDir = temporaryDirectory('kubectl')
  let cluster: RunningCluster
  const kubectl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cluster.kubectl(args)
    expect(code, `kubectl ${args.join(' ')}: ${stderr}`).toBe(0)
    return stdout
  }

  beforeAll(async () => {
    cluster = await startCluster(dataDir)
  }, 30_000)
  afterAll(() => cluster.end())

  it('shows three nodes that become Ready', async () => {
    await kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=10s')
    const nodes = await kubectl('get', 'nodes', '--no-headers')
    expect(
      nodes
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/).slice(0, 3)),
    ).toEqual([
      ['controlplane', 'Ready', 'control-plane'],
      ['node01', 'Ready', '<none>'],
      ['node02', 'Ready', '<none>'],
    ])
  })

  it('runs the four static pods, kube-proxy on every node and two DNS servers', async () => {
    await kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=15s')
    const running = async (): Promise<string[]> =>
      [
        ...(await kubectl('-n', 'kube-system', 'get', 'pods', '-o', 'jsonpath={range .items[*]}{.metadata.name}={.status.phase} {end}')).matchAll(
          /(\S+)=Running/g,
        ),
      ].map(([, name = '']) => name.replace(/-[a-z0-9]{5}$/, '').replace(/^coredns-.*/, 'coredns'))
    const expected = [
      'coredns',
      'coredns',
      'etcd-controlplane',
      'kube-apiserver-controlplane',
      'kube-controller-manager-controlplane',
      'kube-proxy',
      'kube-proxy',
      'kube-proxy',
      'kube-scheduler-controlplane',
    ]
    await expect.poll(running, { timeout: 15_000, interval: 200 }).toEqual(expected)
  })

  it('rolls a deployment out, scales it, rolls it back and deletes it with what it owned', async () => {
    await kubectl('create', 'deployment', 'web', '--image=nginx', '--replicas=5')
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=10s')
    expect(await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}')).toBe('5')
    await kubectl('scale', 'deployment/web', '--replicas=2')
    await kubectl('set', 'image', 'deployment/web', 'nginx=nginx:1.27')
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=20s')
    await kubectl('rollout', 'undo', 'deployment/web')
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=20s')
    expect(await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}')).toBe('nginx')
    expect(await kubectl('logs', 'deployment/web')).toContain('nginx')
    await kubectl('delete', 'deployment', 'web')
    await kubectl('wait', '--for=delete', 'pod', '-l', 'app=web', '--timeout=20s')
    expect(await kubectl('get', 'replicasets', '-o', 'name')).toBe('')
  })

  it('drains a node by eviction and lets it take pods again', async () => {
    await kubectl('create', 'deployment', 'spread', '--image=nginx', '--replicas=4')
    await kubectl('rollout', 'status', 'deployment/spread', '--timeout=10s')
    await kubectl('drain', 'node01', '--ignore-daemonsets', '--timeout=30s')
    const where = await kubectl('get', 'pods', '-l', 'app=spread', '-o', 'jsonpath={.items[*].spec.nodeName}')
    expect(where.split(' ')).not.toContain('node01')
    expect(await kubectl('get', 'node', 'node01', '--no-headers')).toContain('SchedulingDisabled')
    await kubectl('uncordon', 'node01')
    expect(await kubectl('describe', 'node', 'node01')).toContain('Unschedulable:      false')
    await kubectl('delete', 'deployment', 'spread')
  })

  it('refuses what a PodDisruptionBudget forbids', async () => {
    await cluster.kubectl(['apply', '-f', '-'], {
      input:
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: one}\nspec: {replicas: 1, selector: {matchLabels: {app: one}}, template: {metadata: {labels: {app: one}}, spec: {containers: [{name: c, image: nginx}]}}}\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: one}\nspec: {minAvailable: 1, selector: {matchLabels: {app: one}}}\n',
    })
    await kubectl('rollout', 'status', 'deployment/one', '--timeout=10s')
    await kubectl('wait', '--for=condition=Available', 'deployment/one', '--timeout=5s')
    const pod = (await kubectl('get', 'pods', '-l', 'app=one', '-o', 'jsonpath={.items[0].metadata.name}')).trim()
    const { code, stderr } = await cluster.kubectl(['create', '--raw', `/api/v1/namespaces/default/pods/${pod}/eviction`, '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: 'default' } }),
    })
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/disruption budget|TooManyRequests/)
    await kubectl('delete', 'deployment/one', 'pdb/one')
  })

  it('empties and removes a namespace', async () => {
    await kubectl('create', 'namespace', 'team')
    await kubectl('-n', 'team', 'create', 'configmap', 'settings', '--from-literal=a=b')
    await kubectl('-n', 'team', 'create', 'deployment', 'app', '--image=nginx')
    await kubectl('delete', 'namespace', 'team', '--timeout=30s')
    expect((await cluster.kubectl(['get', 'namespace', 'team'])).stderr).toContain('"team" not found')
  })

  it('answers who may do what, by RBAC', async () => {
    await kubectl('create', 'role', 'reader', '--verb=get,list', '--resource=pods')
    await kubectl('create', 'rolebinding', 'reader', '--role=reader', '--user=ann')
    expect((await cluster.kubectl(['auth', 'can-i', 'list', 'pods', '--as=ann'])).stdout.trim()).toBe('yes')
    expect((await cluster.kubectl(['auth', 'can-i', 'delete', 'pods', '--as=ann'])).stdout.trim()).toBe('no')
    expect((await cluster.kubectl(['get', 'secrets', '--as=ann'])).stderr).toContain(
      'secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace "default"',
    )
  })

  it('applies on the server and names the field and manager of a conflict', async () => {
    const map = (value: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {a: "${value}"}\n`
    expect((await cluster.kubectl(['apply', '--server-side', '--field-manager=first', '-f', '-'], { input: map('1') })).code).toBe(0)
    const second = await cluster.kubectl(['apply', '--server-side', '--field-manager=second', '-f', '-'], { input: map('2') })
    expect(second.code).not.toBe(0)
    expect(second.stderr).toContain('conflict with "first"')
    expect(second.stderr).toContain('.data.a')
  })

  it('shows usage of nodes and pods', async () => {
    expect((await kubectl('top', 'nodes', '--no-headers')).trim().split('\n')).toHaveLength(3)
    expect(await kubectl('-n', 'kube-system', 'top', 'pods', '--no-headers')).toContain('kube-apiserver-controlplane')
  })

  it('keeps everything over a restart', async () => {
    await kubectl('create', 'configmap', 'kept', '--from-literal=a=b')
    const uid = await kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.metadata.uid}')
    await cluster.end()
    cluster = await startCluster(dataDir)
    expect(await kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.metadata.uid}')).toBe(uid)
    await kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=15s')
  })
})
