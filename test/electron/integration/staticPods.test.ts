import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { RunView } from '#shared/contract/runbooks.ts'
import type { StaticPodManifest } from '#shared/contract/staticPods.ts'
import { EMBEDDED } from '#electron/clusters/localClusters.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startApplication, type RunningApplication } from '#test/support/runningApplication.ts'

const NODE = 'controlplane'
const FILE = 'kube-scheduler.yaml'

describe('the static pods of a control-plane node', () => {
  const dataDir = join(temporaryDirectory('static-pods'), 'data')
  const onDisk = (): string => readFileSync(join(dataDir, 'cluster/nodes', NODE, 'etc/kubernetes/manifests', FILE), 'utf8')
  let app: RunningApplication

  beforeAll(async () => {
    app = await startApplication(dataDir)
    await app.first('clusters.watch', {}, ([cluster]) => cluster?.connection.state === 'live')
  }, 90_000)
  const scheduler = async (): Promise<StaticPodManifest> => {
    const { manifests } = await app.invoke('staticPods.list', { clusterId: EMBEDDED, node: NODE })
    const found = manifests.find(({ file }) => file === FILE)
    if (found === undefined) throw new Error(`no ${FILE} among ${manifests.map(({ file }) => file).join(', ')}`)
    return found
  }
  const edit = (manifest: StaticPodManifest, text: string): Promise<{ runId: string }> =>
    app.invoke('staticPods.edit', { clusterId: EMBEDDED, node: NODE, file: FILE, text, before: manifest.digest })
  const ended = async ({ runId }: { runId: string }): Promise<RunView> =>
    app.first('runbooks.watchOne', { runId }, ({ state }) => ['done', 'failed', 'aborted'].includes(state))

  it('are shown with their mirror pods', { timeout: 90_000 }, async () => {
    await expect.poll(async () => (await scheduler()).mirror?.ready, { timeout: 60_000, interval: 500 }).toBe(true)
    const { manifests, driftProblem } = await app.invoke('staticPods.list', { clusterId: EMBEDDED, node: NODE })
    expect(driftProblem).toBe('')
    expect(manifests.map(({ file }) => file)).toEqual(['etcd.yaml', 'kube-apiserver.yaml', 'kube-controller-manager.yaml', FILE])
    expect(manifests.map(({ compared }) => compared)).toEqual([false, true, true, true])
    expect(await scheduler()).toMatchObject({ problem: '', podName: `kube-scheduler-${NODE}`, taken: true, takenOut: [], putIn: [] })
  })

  it('are edited once the API server has nothing against it, and the pod is ready with it', { timeout: 120_000 }, async () => {
    const before = await scheduler()
    const text = before.text.replace('- --leader-elect=true\n', '- --leader-elect=true\n        - --v=4\n')
    const run = await ended(await edit(before, text))
    expect(run.steps.map(({ id, state, error }) => [id, state, error])).toEqual([
      ['write', 'done', ''],
      ['watch', 'done', ''],
    ])
    expect(onDisk()).toBe(text)
    const after = await scheduler()
    expect(after).toMatchObject({ taken: true, takenOut: ['--v=4'], mirror: { ready: true } })
    expect(after.mirror?.hash).not.toBe(before.mirror?.hash)
    expect(readFileSync(join(dataDir, `cluster/nodes/${NODE}/etc/kubernetes/drydock-manifests/${FILE}.before-${run.id}`), 'utf8')).toBe(before.text)
  })

  it('are refused before anything is written, with what is wrong', { timeout: 60_000 }, async () => {
    const before = await scheduler()
    for (const [text, why] of [
      [before.text.replace('kind: Pod', 'kind: Deployment'), 'it describes no Pod'],
      [
        before.text.replace('name: kube-scheduler\n  namespace', 'name: other\n  namespace'),
        "the pod's name and namespace must stay kube-system/kube-scheduler",
      ],
      [before.text.replace('imagePullPolicy: IfNotPresent', 'imagePullPolicy: Sometimes'), 'imagePullPolicy'],
      [before.text.replace('imagePullPolicy:', 'imagePullPolice:'), 'unknown field'],
      [`# a remark\n${before.text}`, 'nothing of the pod is changed'],
    ] as const)
      await expect(edit(before, text), why).rejects.toThrow(why)
    await expect(edit({ ...before, digest: 'of another time' }, `${before.text}\n`)).rejects.toThrow('was changed meanwhile')
    expect(onDisk()).toBe(before.text)
  })

  it('are put back when the pod does not become ready', { timeout: 240_000 }, async () => {
    const before = await scheduler()
    // An image that does not have the program: it ends at once, again and again.
    const run = await ended(await edit(before, before.text.replace(/image: \S+kube-scheduler\S+/, 'image: registry.k8s.io/not-found/kube-scheduler:v1')))
    expect(run.state).toBe('failed')
    expect(run.steps[1]?.error).toMatch(
      /did not become ready with the edited manifest: .*(ErrImagePull|ImagePullBackOff).*The old manifest is in place again and the pod is ready/,
    )
    expect(onDisk()).toBe(before.text)
    expect(await scheduler()).toMatchObject({ taken: true, mirror: { ready: true, hash: before.mirror?.hash } })
  })
})
