import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FakeClock, type Clock } from '#shared/base/clock.ts'
import { SeededRandom } from '#shared/base/random.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { runKubeadm } from '#electron/controlplane/kubeadm/kubeadmProgram.ts'
import { writeManifests } from '#electron/controlplane/kubeadm/manifests.ts'
import type { NodeProgramsOptions } from '#electron/controlplane/kubeadm/nodePrograms.ts'
import { Packages } from '#electron/controlplane/kubeadm/packages.ts'
import { ensureKubernetesPki } from '#electron/pki/kubernetesPki.ts'
import { startEmbeddedApi, type EmbeddedApi } from './embeddedApi.ts'

export interface Ran {
  code: number
  out: string
  err: string
}

/** A control-plane node's file tree with kubeadm on it, beside an embedded API server. */
export interface KubeadmNode {
  api: EmbeddedApi
  rootDir: string
  clock: Clock
  kubeadm(...args: string[]): Promise<Ran>
  read(path: string): string
  close(): Promise<void>
}

/** @param clock the API server's own is the machine's, whatever this is */
export async function startKubeadmNode(dir: string, { version, clock = new FakeClock(Date.now()) }: { version: string; clock?: Clock }): Promise<KubeadmNode> {
  const api = await startEmbeddedApi(join(dir, 'api'), version)
  const rootDir = join(dir, 'cp1')
  const kubernetesDir = join(rootDir, 'etc/kubernetes')
  const manifestOptions = {
    kubernetesVersion: version,
    nodeName: 'cp1',
    advertiseAddress: '10.77.0.11',
    clusterName: 'kubernetes',
    serviceSubnet: '10.96.0.0/12',
    podSubnet: '10.244.0.0/16',
  }
  ensureKubernetesPki({
    kubernetesDir,
    nodeName: 'cp1',
    advertiseAddress: '10.77.0.11',
    serviceAddress: '10.96.0.1',
    dnsDomain: 'cluster.local',
    clusterName: 'kubernetes',
    apiUrl: `https://127.0.0.1:${String(api.port)}`,
    certSans: ['localhost', '127.0.0.1'],
    algorithm: 'ECDSA-P256',
    nowMs: clock.now(),
    superAdmin: true,
  })
  writeManifests(kubernetesDir, manifestOptions)
  mkdirSync(join(rootDir, 'var/lib/kubelet'), { recursive: true })
  writeFileSync(join(rootDir, 'var/lib/kubelet/config.yaml'), 'kind: KubeletConfiguration\n')
  const packages = new Packages(rootDir)
  packages.ensure(version)
  const options: NodeProgramsOptions = {
    node: { name: 'cp1', controlPlane: true },
    kubelet: {
      isRunning: true,
      startService: () => Promise.resolve(),
      stopService: () => Promise.resolve(),
      removeContainers: () => Promise.resolve(),
      images: () => [],
      tagImage: () => false,
      pods: { workers: () => [] },
    },
    packages,
    admin: new RestClient(api.transport),
    manifestOptions,
    clock,
    random: new SeededRandom(7),
    rootDir,
    isAdopted: () => false,
    apiUrl: `https://127.0.0.1:${String(api.port)}`,
    hostsApiServer: true,
    units: { isActive: () => false, start: () => false },
  }
  return {
    api,
    rootDir,
    clock,
    kubeadm: async (...args) => {
      let [out, err] = ['', '']
      const code = await runKubeadm(
        { args, out: (text) => void (out += text), err: (text) => void (err += text), clock, signal: new AbortController().signal },
        options,
      )
      return { code, out, err }
    },
    read: (path) => readFileSync(join(rootDir, path), 'utf8'),
    close: () => api.close(),
  }
}
