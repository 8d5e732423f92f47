import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { replaceServer } from '#electron/pki/kubeconfig.ts'
import { startKubeadmNode, type KubeadmNode, type Ran } from '#test/support/kubeadmNode.ts'
import { runProgram, temporaryDirectory } from '#test/support/peers.ts'

// The real kubeadm 1.20 and the simulated nodes' kubeadm, each with the same commands at the same embedded API server: their
// outputs and exit codes must be equal. klog's own lines and what is drawn by chance are left out.
const bin = process.env['DRYDOCK_KUBERNETES_BIN'] ?? ''

describe.skipIf(bin === '')('kubeadm and the real kubeadm 1.20', () => {
  const dir = temporaryDirectory('kubeadm-peer')
  let node: KubeadmNode | undefined
  let kubeconfig = ''

  beforeAll(async () => {
    node = await startKubeadmNode(dir, { version: 'v1.20.2', clock: new SystemClock() })
    // The API server's own authority signed what the real kubeadm comes with.
    kubeconfig = join(dir, 'admin.conf')
    copyFileSync(join(dir, 'api/kubernetes/admin.conf'), kubeconfig)
    replaceServer(kubeconfig, `https://127.0.0.1:${String(node.api.port)}`)
    copyFileSync(kubeconfig, join(node.rootDir, 'etc/kubernetes/admin.conf'))
    await node.api.call('POST', '/api/v1/namespaces', { metadata: { name: 'kube-system' } })
    await node.api.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'admins' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'kubeadm:cluster-admins' }],
    })
  })
  afterAll(() => node?.close())

  async function real(args: string[]): Promise<Ran> {
    const { code, stdout, stderr } = await runProgram(join(bin, 'kubeadm'), [...args, ...(args[0] === 'token' ? ['--kubeconfig', kubeconfig] : [])])
    return { code, out: stdout, err: stderr.replace(/^[WIE]\d{4} .*\n/gm, '') }
  }

  async function ours(args: string[]): Promise<Ran> {
    if (node === undefined) throw new Error('the node is not there')
    return node.kubeadm(...args)
  }

  it.each([
    [['token', 'list']],
    [['token', 'create', 'aaaaaa.0123456789abcdef', '--description', 'for a rehearsal', '--ttl', '3h30m']],
    [['token', 'create', 'bbbbbb.0123456789abcdef', '--ttl', '0', '--usages', 'signing', '--groups', 'system:bootstrappers:shop']],
    [['token', 'create', 'cccccc.0123456789abcdef', '--print-join-command']],
    [['token', 'create', 'dddddd.0123456789abcdef', '--print-join-command', '--certificate-key', 'a'.repeat(64)]],
    [['token', 'create', 'aaaaaa.0123456789abcdef']],
    [['token', 'create', 'wrong']],
    [['token', 'create', '--ttl', 'soon']],
    [['token', 'create', '--sugar']],
    [['token', 'delete']],
    [['token', 'delete', 'aaaaaa']],
    [['token', 'delete', 'bbbbbb.0123456789abcdef', 'cccccc']],
    [['token', 'delete', 'aaaaaa']],
    [['token', 'delete', 'A!']],
    [['version', '-o', 'short']],
  ])('%j', async (args) => {
    // Both write to the same server: what the one made is taken away before the other makes it.
    const state = async (): Promise<unknown> => (await node?.api.call('GET', '/api/v1/namespaces/kube-system/secrets'))?.body
    const before = (await state()) as { items: { metadata: { name: string } }[] }
    const theirs = await real(args)
    const made = (await state()) as { items: { metadata: { name: string }; data: Record<string, string> }[] }
    for (const { metadata } of made.items)
      if (!before.items.some((each) => each.metadata.name === metadata.name))
        await node?.api.call('DELETE', `/api/v1/namespaces/kube-system/secrets/${metadata.name}`)
    for (const item of before.items)
      if (!made.items.some((each) => each.metadata.name === item.metadata.name))
        await node?.api.call('POST', '/api/v1/namespaces/kube-system/secrets', { ...item, metadata: { name: item.metadata.name } })
    const own = await ours(args)
    const plain = ({ code, out, err }: Ran): object => ({ code, out, err: err.replace(/^Usage:[^]*?\n\n(?=To see|$)/m, '').replace(/See 'kubeadm[^]*$/, '') })
    expect(plain(own)).toEqual(plain(theirs))
    const after = (await state()) as typeof made
    const data = (of: typeof made): object =>
      of.items.map(({ metadata, data: values }) => ({ name: metadata.name, ...values, expiration: values['expiration'] === undefined ? '' : 'some time' }))
    expect(data(after)).toEqual(data(made))
  })
})
