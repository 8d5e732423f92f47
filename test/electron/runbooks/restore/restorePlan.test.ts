import { existsSync, symlinkSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { RestorePlan, UpgradeFinding } from '#shared/contract/runbooks.ts'
import type { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { readRestorePlan } from '#electron/runbooks/restore/restorePlan.ts'
import { etcdManifest as manifest } from '#test/support/etcdManifest.ts'
import { runProgram, temporaryDirectory } from '#test/support/peers.ts'

const backup = { id: 'b', path: '/b.db', clusterName: 'c', createdAtMs: 0, fileSizeBytes: 1, verdict: 'good', objectCounts: {} }

/** What is planned on this machine, whose etcd manifest and kubeadm's idea of the data's place are given. */
async function planned(dataPath: string, kubeadmPath: string, change: (text: string) => string = (text) => text): Promise<RestorePlan> {
  const api: Pick<ClusterApi, 'get' | 'list'> = {
    list: () => Promise.resolve([{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'cp1', labels: { 'node-role.kubernetes.io/control-plane': '' } } }]),
    get: () =>
      Promise.resolve({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kubeadm-config' },
        data: { ClusterConfiguration: `etcd: {local: {dataDir: ${kubeadmPath}}}` },
      }),
  }
  const run = async (command: string): Promise<{ exitCode: number; stdout: string; stderr: string }> => {
    if (command.startsWith('cat ')) return { exitCode: 0, stdout: change(manifest(dataPath)), stderr: '' }
    const { code, stdout, stderr } = await runProgram('sh', ['-c', command])
    return { exitCode: code, stdout, stderr }
  }
  const shell = { run, forward: () => Promise.reject(new Error('nothing listens here')), close: () => undefined }
  return readRestorePlan(api as ClusterApi, () => Promise.resolve(shell), backup, { signal: new AbortController().signal })
}

const titles = ({ findings }: RestorePlan, level: UpgradeFinding['level']): string[] =>
  findings.filter((each) => each.level === level).map(({ title }) => title)

// /dev/shm is a mount point on most Linux machines.
it.skipIf(!existsSync('/dev/shm'))('leaves a disk of its own, and a link, where it is, and says so', async () => {
  const folder = temporaryDirectory('restore-plan')
  const link = `${folder}/link`
  symlinkSync('.', link)
  const stays = (path: string): string =>
    `${path} on cp1 is a disk of its own (a mount point) or a link, which stays where it is: only what etcd has in it is moved`
  for (const [dataPath, kubeadmPath, kept] of [
    [folder, folder, []],
    ['/dev/shm', folder, ['/dev/shm']],
    [folder, '/dev/shm', ['/dev/shm']],
    [link, link, [link]],
    // A folder that is not there yet is none; its disk is that of the one above.
    [folder, `${folder}/not-there`, []],
  ] as const) {
    const plan = await planned(dataPath, kubeadmPath)
    expect(plan.nodes[0]?.keptInPlace).toEqual(kept)
    expect(titles(plan, 'note')).toEqual(kept.map(stays))
    expect(titles(plan, 'blocking')).toEqual([])
    expect(titles(plan, 'warning').filter((title) => title.includes('is not known'))).toEqual([])
  }
})

it('refuses a member whose write-ahead log is kept apart', async () => {
  const folder = temporaryDirectory('restore-plan-wal')
  const plan = await planned(folder, folder, (text) => text.replace('    - --name=cp1\n', '    - --name=cp1\n    - --wal-dir=/wal\n'))
  expect(titles(plan, 'blocking')).toEqual([
    'etcd on cp1 keeps its write-ahead log apart (--wal-dir=/wal), where the old one would be read with the restored data',
  ])
})
