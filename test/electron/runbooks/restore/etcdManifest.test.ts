import { describe, expect, it } from 'vitest'
import { etcdManifest as manifest } from '#test/support/etcdManifest.ts'
import { kubeadmDataPath, readEtcdManifest } from '#electron/runbooks/restore/etcdManifest.ts'

describe('readEtcdManifest', () => {
  it('finds the member and where its data is on the node, whatever the path inside the container', () => {
    expect(readEtcdManifest(manifest('/var/lib/etcd-restored-1'))).toEqual({
      name: 'cp1',
      peerUrls: 'https://10.0.0.11:2380',
      dataPath: '/var/lib/etcd-restored-1',
      walDir: '',
    })
  })

  it('says what a manifest of another make lacks', () => {
    expect(() => readEtcdManifest(manifest('/x').replace('--name=cp1', '--verbose'))).toThrow('the etcd manifest tells no name')
  })
})

describe('kubeadmDataPath', () => {
  it('is what the cluster configuration says, and the default where it says nothing', () => {
    expect(kubeadmDataPath('etcd:\n  local:\n    dataDir: /data/etcd/\n')).toBe('/data/etcd')
    expect(kubeadmDataPath('kind: ClusterConfiguration\n')).toBe('/var/lib/etcd')
  })
})
