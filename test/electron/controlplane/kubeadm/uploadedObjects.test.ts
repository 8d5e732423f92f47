import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { isObject } from '#shared/kubernetes/json.ts'
import type { GroupVersionResource, KubeObject } from '#shared/kubernetes/object.ts'
import { isNotFound } from '#shared/kubernetes/status.ts'
import { CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, NAMESPACES, SERVICE_ACCOUNTS, SERVICES } from '#electron/client/resources.ts'
import { RestClient } from '#electron/client/restClient.ts'
import { startKubeadmNode, type KubeadmNode } from '#test/support/kubeadmNode.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

describe('phases of kubeadm init that write into the cluster', () => {
  const dir = temporaryDirectory('kubeadm-upload')
  const { signal } = new AbortController()
  let node: KubeadmNode | undefined
  let client: RestClient | undefined

  const ran = async (phase: string): Promise<string> => {
    const { code, out, err } = (await node?.kubeadm('init', 'phase', ...phase.split(' '))) ?? { code: -1, out: '', err: 'no node' }
    expect({ code, err }).toEqual({ code: 0, err: '' })
    return out
  }
  const find = async (gvr: GroupVersionResource, name: string): Promise<KubeObject | null> => {
    try {
      return (await client?.get(gvr, { namespace: 'kube-system', name }, signal)) ?? null
    } catch (error) {
      if (isNotFound(error)) return null
      throw error
    }
  }
  const dataOf = async (name: string, key: string): Promise<unknown> => {
    const map = await find(CONFIG_MAPS, name)
    return isObject(map?.['data']) ? map['data'][key] : undefined
  }

  beforeAll(async () => {
    node = await startKubeadmNode(dir, { version: 'v1.30.4' })
    client = new RestClient(node.api.transport)
    await client.create(NAMESPACES, {}, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } }, signal).catch(() => undefined)
  })
  afterAll(() => node?.close())

  it('stores the configuration of kubeadm alone, then that of the kubelets', async () => {
    expect(await ran('upload-config kubeadm')).toBe(
      '[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" in the "kube-system" Namespace\n',
    )
    expect(parse(String(await dataOf('kubeadm-config', 'ClusterConfiguration')))).toMatchObject({
      kind: 'ClusterConfiguration',
      kubernetesVersion: 'v1.30.4',
      networking: { podSubnet: '10.244.0.0/16', serviceSubnet: '10.96.0.0/12' },
    })
    expect(await find(CONFIG_MAPS, 'kubelet-config')).toBeNull()
    await ran('upload-config kubelet')
    expect(parse(String(await dataOf('kubelet-config', 'kubelet')))).toMatchObject({ kind: 'KubeletConfiguration', clusterDNS: ['10.96.0.10'] })
  })

  it('writes a configuration that was changed anew', async () => {
    const map = { namespace: 'kube-system', name: 'kubeadm-config' }
    await client?.patch(
      CONFIG_MAPS,
      map,
      { metadata: { labels: { team: 'red' } }, data: { ClusterConfiguration: 'kind: nothing\n' } },
      { type: 'merge' },
      signal,
    )
    await ran('upload-config all')
    expect(parse(String(await dataOf('kubeadm-config', 'ClusterConfiguration')))).toMatchObject({ kind: 'ClusterConfiguration' })
    expect((await find(CONFIG_MAPS, 'kubeadm-config'))?.metadata.labels).toEqual({ team: 'red' })
  })

  it('brings kube-proxy with its account and its configuration, and back to its image', async () => {
    expect(await ran('addon kube-proxy')).toBe('[addons] Applied essential addon: kube-proxy\n')
    expect(await find(SERVICE_ACCOUNTS, 'kube-proxy')).not.toBeNull()
    expect(await dataOf('kube-proxy', 'config.conf')).toContain('clusterCIDR: 10.244.0.0/16')
    const image = async (): Promise<unknown> => {
      const text = JSON.stringify((await find(DAEMON_SETS, 'kube-proxy'))?.['spec'])
      return /"image":"([^"]*)"/.exec(text)?.[1]
    }
    expect(await image()).toBe('registry.k8s.io/kube-proxy:v1.30.4')
    const other = { spec: { template: { spec: { containers: [{ name: 'kube-proxy', image: 'mine:1' }] } } } }
    await client?.patch(DAEMON_SETS, { namespace: 'kube-system', name: 'kube-proxy' }, other, { type: 'strategic' }, signal)
    expect(await image()).toBe('mine:1')
    await ran('addon kube-proxy')
    expect(await image()).toBe('registry.k8s.io/kube-proxy:v1.30.4')
  })

  it('brings CoreDNS at the tenth address; a Corefile and a number of replicas that were changed stay', async () => {
    expect(await find(DEPLOYMENTS, 'coredns')).toBeNull()
    await ran('addon coredns')
    expect((await find(SERVICES, 'kube-dns'))?.['spec']).toMatchObject({ clusterIP: '10.96.0.10' })
    const target = { namespace: 'kube-system', name: 'coredns' }
    await client?.patch(CONFIG_MAPS, target, { data: { Corefile: '.:53 { errors }\n' } }, { type: 'merge' }, signal)
    await client?.patch(DEPLOYMENTS, target, { spec: { replicas: 5, paused: true } }, { type: 'merge' }, signal)
    await ran('addon all')
    expect(await dataOf('coredns', 'Corefile')).toBe('.:53 { errors }\n')
    expect((await find(DEPLOYMENTS, 'coredns'))?.['spec']).toMatchObject({ replicas: 5 })
    expect((await find(DEPLOYMENTS, 'coredns'))?.['spec']).not.toHaveProperty('paused')
  })
})
