import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Drydock } from '#test/support/killing/killedCommand.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { canHaveNode, startRealNode, type RealNode } from '#test/support/realNode/realNode.ts'

// The same restore twice, on nodes whose etcd, API server, controllers and scheduler are the real programs, reached over a real sshd: left
// alone, and with Drydock killed right before and right after every line of its journal. Both must end the same.
const BIN = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''
const ETCD = process.env['DRYDOCK_ETCD'] ?? 'etcd'
const VERSION = 'v1.20.2'
const NODE = 'cp1'
/** What the runbook adds, so that no revision comes again. */
const BUMPED = 1_000_000_000
const CONFIGURATION = `apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: ${VERSION}
etcd: {local: {dataDir: /var/lib/etcd}}
`

/** What a restore leaves behind, in a form that two nodes can be compared by. */
interface Outcome {
  /** Units started on the node, without the run's id. */
  units: string[]
  /** By kind and name, of what does not change by itself. */
  objects: string[]
  /** Below /var/lib and /etc/kubernetes, without the run's id. */
  folders: string[]
  manifests: Record<string, string>
}

describe.skipIf(BIN === '' || !hasProgram(ETCD) || !(await canHaveNode()))('a restore whose Drydock is killed at every line of its journal', () => {
  const directory = temporaryDirectory('restore-killed')
  const nodes: RealNode[] = []
  afterAll(async () => {
    for (const node of nodes) await node.stop()
  })

  async function kubectl(node: RealNode, args: string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await node.kubectl(args, input === undefined ? {} : { input })
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  /** A node with some objects, a snapshot of them that etcd itself gave, and a namespace made after it. */
  async function prepared(name: string): Promise<{ node: RealNode; drydock: Drydock; snapshot: string }> {
    const node = await startRealNode({ directory: join(directory, name), name: NODE, kubernetesVersion: VERSION, bin: BIN, etcd: ETCD })
    nodes.push(node)
    await expect.poll(async () => (await node.kubectl(['get', '--raw', '/readyz'])).stdout, { timeout: 240_000, interval: 1_000 }).toBe('ok')
    await expect
      .poll(async () => (await node.kubectl(['wait', '--for=condition=Ready', '--timeout=5s', '-n', 'kube-system', 'pods', '--all'])).code, {
        timeout: 120_000,
      })
      .toBe(0)
    await kubectl(node, ['create', 'configmap', 'kubeadm-config', '-n', 'kube-system', `--from-literal=ClusterConfiguration=${CONFIGURATION}`])
    await kubectl(node, ['create', 'namespace', 'before'])
    for (let index = 0; index < 20; index++) await kubectl(node, ['create', 'configmap', `kept-${String(index)}`, '-n', 'before', '--from-literal=a=b'])
    const drydock = new Drydock(node, join(directory, name, 'drydock'), { nodes: [NODE], user: 'root', hostKey: node.hostKey })
    // Saved on the node, where etcd listens, by way of its own tool's call: the same bytes etcdctl would keep.
    const snapshot = join(directory, name, 'backup.db')
    const pki = join(directory, name, 'etc/kubernetes/pki/etcd')
    const tls = ['--cacert', join(pki, 'ca.crt'), '--cert', join(pki, 'healthcheck-client.crt'), '--key', join(pki, 'healthcheck-client.key')]
    const saved = await node.run(`ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 ${tls.join(' ')} snapshot save ${snapshot}`)
    expect(saved.code, saved.stderr).toBe(0)
    await kubectl(node, ['create', 'namespace', 'after'])
    return { node, drydock, snapshot }
  }

  async function outcome(node: RealNode, runId: string): Promise<Outcome> {
    const listed = async (args: string[]): Promise<string[]> => (await kubectl(node, ['get', ...args, '-o', 'name'])).trim().split('\n').sort()
    const without = (text: string): string => text.replaceAll(runId, 'RUN')
    const files = await node.run('ls -d /var/lib/* /etc/kubernetes/* /etc/kubernetes/*/*')
    const manifest = async (name: string): Promise<[string, string]> => [name, (await node.run(`cat /etc/kubernetes/manifests/${name}`)).stdout]
    return {
      units: node.units().map(without),
      objects: [...(await listed(['namespaces'])), ...(await listed(['configmaps', '-n', 'before'])), ...(await listed(['pods', '-n', 'kube-system']))],
      folders: without(files.stdout).trim().split('\n').sort(),
      manifests: Object.fromEntries(await Promise.all(['etcd.yaml', 'kube-apiserver.yaml'].map(manifest))),
    }
  }

  async function expectRestored(node: RealNode): Promise<void> {
    expect(await kubectl(node, ['get', 'namespaces', '-o', 'name'])).toMatch(/namespace\/before\n/)
    expect(await kubectl(node, ['get', 'namespaces', '-o', 'name'])).not.toContain('namespace/after')
    const { metadata } = JSON.parse(await kubectl(node, ['get', '--raw', '/api/v1/namespaces'])) as { metadata: { resourceVersion: string } }
    expect(Number(metadata.resourceVersion)).toBeGreaterThan(BUMPED)
  }

  it('ends the same as one that is left alone, each command run once', async () => {
    const alone = await prepared('alone')
    const undisturbed = await alone.drydock.run(['restore', 'apply', alone.snapshot, '--yes'])
    expect(undisturbed.code, undisturbed.stdout + undisturbed.stderr).toBe(0)
    await expectRestored(alone.node)
    const wanted = await outcome(alone.node, (await alone.drydock.runs())[0]?.id ?? '')
    expect(new Set(wanted.units).size).toBe(wanted.units.length)
    expect(wanted.units.length).toBeGreaterThan(4)
    await alone.node.stop()

    const { node, drydock, snapshot } = await prepared('killed')
    const { places, last, run } = await drydock.runKilled(['restore', 'apply', snapshot, '--yes'])
    process.stdout.write(`drydock: killed at ${String(places.length)} places, resumed ${String(run?.resumed)} times\n`)
    expect(run?.state, last.stdout + last.stderr).toBe('done')
    for (const { id } of run?.steps ?? [])
      for (const place of [`stepStarted ${id}`, `stepDone ${id}`]) expect(places).toEqual(expect.arrayContaining([`before ${place}`, `after ${place}`]))
    await expectRestored(node)
    expect(await outcome(node, run?.id ?? '')).toEqual(wanted)
    expect(readFileSync(snapshot).length).toBeGreaterThan(0)
  })
})
