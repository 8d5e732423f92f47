import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { readRestorePlan } from '#electron/runbooks/restore/restorePlan.ts'
import { etcdManifest as manifest } from '#test/support/etcdManifest.ts'
import { runProgram, temporaryDirectory } from '#test/support/peers.ts'

const backup = { id: 'b', path: '/b.db', clusterName: 'c', createdAtMs: 0, fileSizeBytes: 1, verdict: 'good', objectCounts: {} }

/** What stands in the way of a restore on this machine, whose etcd manifest and kubeadm's idea of the data's place are given. */
async function blocking(dataPath: string, kubeadmPath: string): Promise<string[]> {
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
    if (command.startsWith('cat ')) return { exitCode: 0, stdout: manifest(dataPath), stderr: '' }
    const { code, stdout, stderr } = await runProgram('sh', ['-c', command])
    return { exitCode: code, stdout, stderr }
  }
  const shell = { run, forward: () => Promise.reject(new Error('nothing listens here')), close: () => undefined }
  const { findings } = await readRestorePlan(api as ClusterApi, () => Promise.resolve(shell), backup, { signal: new AbortController().signal })
  return findings.filter(({ level }) => level === 'blocking').map(({ title }) => title)
}

// /dev/shm is a mount point on most Linux machines.
it.skipIf(!existsSync('/dev/shm'))('is refused where the data, or where it is to go, is a disk of its own, which could not be moved aside', async () => {
  const folder = temporaryDirectory('restore-plan')
  const refused = (path: string): string => `${path} on cp1 is a disk of its own (a mount point), which cannot be moved aside: the restore would stop halfway`
  expect(await blocking(folder, folder)).toEqual([])
  expect(await blocking('/dev/shm', folder)).toEqual([refused('/dev/shm')])
  expect(await blocking(folder, '/dev/shm')).toEqual([refused('/dev/shm')])
  // A folder that is not there yet is none.
  expect(await blocking(folder, `${folder}/not-there`)).toEqual([])
})
