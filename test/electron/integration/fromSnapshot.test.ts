import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const KINDS = [
  'nodes',
  'pods',
  'configmaps',
  'secrets',
  'deployments',
  'replicasets',
  'daemonsets',
  'services',
  'clusterroles',
  'leases',
  'namespaces',
  'serviceaccounts',
]

async function everything(cluster: RunningCluster): Promise<Map<string, KubeObject[]>> {
  const found = new Map<string, KubeObject[]>()
  for (const kind of KINDS) {
    const { stdout, stderr, code } = await cluster.kubectl(['get', kind, '-A', '-o', 'json'])
    if (code !== 0) throw new Error(`get ${kind}: ${stderr}`)
    found.set(kind, (JSON.parse(stdout) as { items: KubeObject[] }).items)
  }
  return found
}

const podsOf = (objects: Map<string, KubeObject[]>): string[] =>
  (objects.get('pods') ?? [])
    .filter(({ metadata }) => metadata.ownerReferences?.[0]?.kind !== 'Node')
    .map(({ metadata, ...pod }) => `${metadata.name ?? ''} ${metadata.uid ?? ''} ${String((pod['spec'] as { nodeName?: string }).nodeName)}`)
    .sort()

const CONFIGURED = `apiVersion: v1
kind: ConfigMap
metadata: {name: page, namespace: default}
data: {index.html: "from the map\\n", greeting: hello}
---
apiVersion: v1
kind: Pod
metadata: {name: configured, namespace: default}
spec:
  volumes: [{name: page, configMap: {name: page}}]
  containers:
  - name: main
    image: nginx
    env:
    - {name: GREETING, valueFrom: {configMapKeyRef: {name: page, key: greeting}}}
    - {name: TOKEN, value: /var/run/secrets/kubernetes.io/serviceaccount}
    volumeMounts: [{name: page, mountPath: /usr/share/nginx/html}]
    lifecycle: {preStop: {exec: {command: ["cat", "/usr/share/nginx/html/greeting"]}}}
`

describe.skipIf(!hasProgram('kubectl') || !hasProgram('etcdctl'))('a cluster that begins with a snapshot', () => {
  it('stands still read-only with every object as it was, and runs on as a twin whose nodes take over their pods', { timeout: 300_000 }, async () => {
    const dir = temporaryDirectory('from-snapshot')
    const source = await startCluster(join(dir, 'source'))
    await source.kubectl(['create', 'deployment', 'web', '--image=nginx', '--replicas=4'])
    expect((await source.kubectl(['rollout', 'status', 'deployment/web', '--timeout=30s'])).code).toBe(0)
    await source.kubectl(['create', 'secret', 'generic', 'token', '--from-literal=a=b'])
    expect((await source.kubectl(['apply', '-f', '-'], { input: CONFIGURED })).code).toBe(0)
    expect((await source.kubectl(['wait', '--for=condition=Ready', 'pod/configured', '--timeout=30s'])).code).toBe(0)
    // A pod that no node has yet would get one in the twin.
    const settled = await source.kubectl(['wait', '--for=condition=Available', 'deployments', '--all', '-A', '--timeout=30s'])
    expect(settled.stderr).toBe('')
    // Of the very moment of the snapshot: the cluster is stopped, opened without anything that moves, and asked.
    await source.end()
    const still = await startCluster(join(dir, 'source'), ['--read-only'])
    const file = join(dir, 'snapshot.db')
    expect((await still.etcdctl(['snapshot', 'save', file])).code).toBe(0)
    const before = await everything(still)
    await still.end()

    const opened = await startCluster(join(dir, 'opened'), ['--from-snapshot', file, '--read-only'])
    expect(await everything(opened)).toEqual(before)
    const refused = await opened.kubectl(['create', 'namespace', 'later'])
    expect(refused.stderr).toMatch(/opened read-only/)
    await opened.end()

    const twin = await startCluster(join(dir, 'twin'), ['--from-snapshot', file])
    const ready = await twin.kubectl(['wait', '--for=condition=Ready', 'nodes,pods', '--all', '-A', '--timeout=30s'])
    expect(ready.stderr).toBe('')
    expect(podsOf(await everything(twin))).toEqual(podsOf(before))
    // What a pod that was taken over refers to is there for who looks: files, variables, its token, and the page that its server shows.
    const looked = await twin.kubectl(['exec', 'configured', '--', 'sh', '-c', 'cat /usr/share/nginx/html/index.html; echo $GREETING; ls $TOKEN'])
    expect(looked.stdout, looked.stderr).toBe('from the map\nhello\nca.crt\nnamespace\ntoken\n')
    expect((await twin.kubectl(['get', '--raw', '/api/v1/namespaces/default/pods/configured:80/proxy/'])).stdout).toBe('from the map\n')
    await twin.kubectl(['scale', 'deployment/web', '--replicas=6'])
    expect((await twin.kubectl(['rollout', 'status', 'deployment/web', '--timeout=30s'])).code).toBe(0)
    // Started again, it goes on where it was.
    await twin.end()
    const again = await startCluster(join(dir, 'twin'))
    expect((await again.kubectl(['get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas}'])).stdout).toBe('6')
    await again.end()
    await expect(startCluster(join(dir, 'source'), ['--from-snapshot', file])).rejects.toThrow(/holds a cluster already/)
  })
})
