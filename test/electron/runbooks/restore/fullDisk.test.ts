import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { RunView } from '#shared/contract/runbooks.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { canMount } from '#test/support/smallDisk.ts'
import { restoreOnDisks, type RestoreOnDisks } from './restoreOnDisks.ts'

const LIVE = '/var/lib/etcd'
const ELSEWHERE = '/var/lib/etcd-restored-by-hand'
const STOPPED = '/etc/kubernetes/drydock-stopped'
const MANIFESTS = ['etcd.yaml', 'kube-apiserver.yaml', 'kube-controller-manager.yaml', 'kube-scheduler.yaml']
/** Of the backup when it was saved, and what the restore adds. */
const [BACKUP_REVISION, BUMPED] = [421, 1_000_000_000]
const PRESENT_REVISION = 63
/** Old data, the restored one with its log's room, and what commands leave. */
const DISKS = { '/var/lib': 160, '/etc': 1 }

/** The restore as it is run on a cluster, on this machine's own shell and on disks that become full on the way. */
describe.skipIf(!(await canMount()))('a restore during which a disk becomes full', { timeout: 120_000 }, () => {
  const directory = temporaryDirectory('restore-full-disk')
  let serial = 0
  let restore: RestoreOnDisks
  afterEach(() => restore.close())

  async function begin(dataPath = LIVE): Promise<void> {
    restore = await restoreOnDisks(join(directory, String(++serial)), { dataPath, kubeadmPath: LIVE, sizesMiB: DISKS })
  }
  /** Fills a disk right before a command that says this, once. */
  function fillBefore(disk: keyof typeof DISKS, words: string, leaveBytes = 0): void {
    restore.node.onCommand = (command) => {
      if (!command.includes(words)) return
      restore.node.disks.get(disk)?.fill(leaveBytes)
      restore.node.onCommand = () => undefined
    }
  }
  const text = async (command: string): Promise<string> => (await restore.node.run(command)).stdout
  const failedStep = ({ steps }: RunView): { id: string; error: string } | undefined => steps.find(({ state }) => state === 'failed')
  async function stopped(): Promise<{ id: string; view: RunView }> {
    const id = await restore.start()
    const view = await restore.engine.settled(id)
    expect(view.state).toBe('failed')
    return { id, view }
  }
  async function resumed(id: string): Promise<void> {
    for (const disk of restore.node.disks.values()) disk.makeRoom()
    await restore.engine.resume(id)
    const view = await restore.engine.settled(id)
    expect(view.state, view.steps.map(({ error }) => error).join('\n')).toBe('done')
    expect(await restore.node.manifests()).toEqual(MANIFESTS)
    expect(await restore.revision()).toBeGreaterThan(BUMPED)
  }
  async function aborted(id: string, dataPath: string): Promise<void> {
    for (const disk of restore.node.disks.values()) disk.makeRoom()
    await restore.engine.abort(id)
    expect(restore.engine.get(id).state).toBe('aborted')
    expect(await restore.node.manifests()).toEqual(MANIFESTS)
    expect(await restore.revision()).toBe(PRESENT_REVISION)
    expect((await text('ls -d /var/lib/etcd*')).trim().split('\n')).toEqual([dataPath])
    expect(await text(`ls ${STOPPED} /etc/kubernetes`)).not.toMatch(/yaml/)
  }

  it('ends with the backup’s data where nothing becomes full', async () => {
    await begin()
    const { findings } = await restore.plan()
    expect(findings).toEqual([])
    const view = await restore.engine.settled(await restore.start())
    expect(view.state, view.steps.map(({ error }) => error).join('\n')).toBe('done')
    expect(await restore.revision()).toBe(BUMPED + BACKUP_REVISION)
    expect(await restore.node.manifests()).toEqual(MANIFESTS)
    expect(new Set(restore.node.units()).size).toBe(restore.node.units().length)
    // The log's room is taken, so that etcd's first writes do not fail.
    expect(Number(await text(`du -k ${LIVE}/member/wal | cut -f1`))).toBeGreaterThan(62_000)
  })

  it('is refused before it begins where the node has too little room', async () => {
    await begin()
    restore.node.disks.get('/var/lib')?.fill(20 * 2 ** 20)
    await expect(restore.start()).rejects.toThrow(/cp1 has 20 MiB free for etcd, the restore needs 123 MiB/)
  })

  it.each([
    ['the database', 'cat > /var/lib/etcd.drydock-run1.part/member/snap/db', 8 * 4096],
    ['the room of the log', 'fallocate -l', 2 ** 20],
  ])('stops while %s is brought there, everything as it was, and goes on to the end', async (_, words, leaveBytes) => {
    await begin()
    const before = await text(`md5sum ${LIVE}/member/snap/db; cat /etc/kubernetes/manifests/*`)
    fillBefore('/var/lib', words, leaveBytes)
    const { id, view } = await stopped()
    expect(failedStep(view)?.id).toBe('cp1/upload')
    expect(failedStep(view)?.error).toMatch(
      /^the restored data was not stored on the node: «.*[Nn]o space left on device\. The present data and the control plane were not touched\. A disk is full: make room/,
    )
    expect(await restore.node.manifests()).toEqual(MANIFESTS)
    expect(await text(`md5sum ${LIVE}/member/snap/db; cat /etc/kubernetes/manifests/*`)).toBe(before)
    // What had come is not left on a disk that etcd needs.
    expect((await text('ls -d /var/lib/etcd*')).trim()).toBe(LIVE)
    await resumed(id)
  })

  it('stops before the control plane is, where the node cannot note what is run', async () => {
    await begin()
    fillBefore('/var/lib', 'mkdir -p /var/lib/drydock/runs')
    const { id, view } = await stopped()
    expect(failedStep(view)).toMatchObject({ id: 'cp1/stop' })
    expect(failedStep(view)?.error).toContain('was not run; what ran before stands. The data in /var/lib/etcd on cp1 is as it was.')
    expect(failedStep(view)?.error).toMatch(/abort starts it again\. A disk is full/)
    expect(await restore.node.manifests()).toEqual(MANIFESTS)
    expect(restore.node.units()).toEqual([])
    await resumed(id)
    expect(new Set(restore.node.units()).size).toBe(restore.node.units().length)
  })

  describe('while the manifest is copied aside', () => {
    async function stoppedAtManifest(leaveBytes: number): Promise<string> {
      await begin(ELSEWHERE)
      const manifest = await text('cat /etc/kubernetes/manifests/etcd.yaml')
      fillBefore('/etc', 'etcd.yaml.before-', leaveBytes)
      const { id, view } = await stopped()
      const { error = '', ...step } = failedStep(view) ?? {}
      expect(step).toMatchObject({ id: 'cp1/swap' })
      expect(error).toMatch(/ended with exit code \d+: .*(No space left on device|couldn't (flush|close|write))/)
      expect(error).toContain(`The control plane on cp1 is stopped, its manifests are in ${STOPPED}; workloads run on.`)
      expect(error).toContain(`The old data is whole, in ${ELSEWHERE}.before-${id} or still in ${ELSEWHERE}. Resume goes on`)
      expect(await restore.node.manifests()).toEqual([''])
      expect(await text(`cat ${STOPPED}/etcd.yaml`)).toBe(manifest)
      expect((await text('ls -d /var/lib/etcd*')).trim().split('\n')).toEqual([ELSEWHERE, `${LIVE}.drydock-${id}`])
      return id
    }

    // The copy that is kept, and the one that is changed: pages of 4 KiB.
    it.each([0, 4096])('stops with the old data in its place, and goes on to the end (%i bytes left)', async (leaveBytes) => {
      const id = await stoppedAtManifest(leaveBytes)
      await resumed(id)
      expect(await text('cat /etc/kubernetes/manifests/etcd.yaml')).toContain(`path: ${LIVE},`)
      expect(await text(`cat /etc/kubernetes/etcd.yaml.before-${id}`)).toContain(`path: ${ELSEWHERE},`)
      expect((await text('ls -d /var/lib/etcd*')).trim().split('\n')).toEqual([LIVE, `${ELSEWHERE}.before-${id}`])
    })

    it('stops with a way back', async () => {
      await aborted(await stoppedAtManifest(4096), ELSEWHERE)
    })
  })

  it('is taken back from its end', async () => {
    await begin(ELSEWHERE)
    fillBefore('/var/lib', 'systemctl restart kubelet')
    const { id, view } = await stopped()
    expect(failedStep(view)?.id).toBe('cp1/rest')
    expect(failedStep(view)?.error).toContain(`The restored data is in place; the old data is whole, in ${ELSEWHERE}.before-${id} on cp1.`)
    expect(await restore.revision()).toBeGreaterThan(BUMPED)
    await aborted(id, ELSEWHERE)
  })
})
