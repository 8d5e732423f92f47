import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RestClient } from '#electron/client/restClient.ts'
import { iptablesPrograms } from '#electron/controlplane/kube-proxy/iptablesPrograms.ts'
import { NodeRules } from '#electron/controlplane/kube-proxy/nodeRules.ts'
import { startEmbeddedApi, type EmbeddedApi } from '#test/support/embeddedApi.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

describe('iptables on a simulated node', () => {
  const dir = temporaryDirectory('iptables')
  let api: EmbeddedApi | undefined
  let running: number | null = null
  let programs = new Map<string, ReturnType<typeof iptablesPrograms>[number][1]>()

  beforeAll(async () => {
    api = await startEmbeddedApi(dir, 'v1.36.0')
    await api.call('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } })
    await api.call('POST', '/api/v1/namespaces/shop/services', { metadata: { name: 'web' }, spec: { clusterIP: '10.96.0.77', ports: [{ port: 80 }] } })
    await api.call('POST', '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices', {
      metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080 }],
      endpoints: [{ addresses: ['10.244.1.2'] }, { addresses: ['10.244.1.3'] }],
    })
    const rules = new NodeRules({
      client: new RestClient(api.transport),
      clusterCIDR: '10.244.0.0/16',
      node: { name: 'node01', address: '172.30.2.2' },
      runningMinor: () => running,
    })
    programs = new Map(iptablesPrograms(rules))
  })
  afterAll(() => api?.close())

  async function run(line: string): Promise<{ code: number; out: string; err: string }> {
    const [name = '', ...args] = line.split(' ')
    let [out, err] = ['', '']
    const context = { args, out: (text: string) => void (out += text), err: (text: string) => void (err += text), signal: new AbortController().signal }
    return { code: (await programs.get(name)?.(context)) ?? 127, out, err }
  }

  it('shows the built-in chains alone while no kube-proxy has run', async () => {
    expect((await run('iptables-save -t nat')).out).toBe(
      '*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n',
    )
  })

  it('shows what kube-proxy makes of the Services now, and keeps it when kube-proxy ends', async () => {
    running = 36
    const { out } = await run('iptables-save')
    expect(out).toContain('-d 10.96.0.77/32 -p tcp -m comment --comment "shop/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-')
    expect(out).toContain('-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES')
    running = null
    expect((await run('iptables-save')).out).toBe(out)
    running = 36
  })

  it('lists one chain as iptables does', async () => {
    const chain =
      /KUBE-SVC-\w+/.exec((await run('iptables -t nat -S KUBE-SERVICES')).out.split('\n').find((line) => line.includes('shop/web')) ?? '')?.[0] ?? ''
    const { code, out } = await run(`iptables -t nat -nL ${chain} --line-numbers`)
    expect(code).toBe(0)
    expect(out.split('\n').slice(0, 2)).toEqual([`Chain ${chain} (1 references)`, 'num  target     prot opt source               destination         '])
    const line = out.split('\n')[3]?.replace(/KUBE-SEP-\w+/, 'KUBE-SEP') ?? ''
    expect(line).toBe(
      '2    KUBE-SEP  0    --  0.0.0.0/0            0.0.0.0/0            /* shop/web -> 10.244.1.2:8080 */ statistic mode random probability 0.50000000000',
    )
  })

  it('says what it does not do', async () => {
    expect(await run('iptables -t mangle -L')).toMatchObject({ code: 3, err: expect.stringContaining("can't initialize iptables table `mangle'") as string })
    expect(await run('iptables -t nat -L NOWHERE')).toMatchObject({ code: 1, err: 'iptables: No chain/target/match by that name.\n' })
    expect(await run('iptables -F')).toMatchObject({ code: 2, err: expect.stringContaining('-F does not work on simulated nodes') as string })
  })
})
