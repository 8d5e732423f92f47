import { createHash, X509Certificate } from 'node:crypto'
import { writeFileSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeClock } from '#shared/base/clock.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { startKubeadmNode, type KubeadmNode } from '#test/support/kubeadmNode.ts'

const SEE_STACK = 'To see the stack trace of this error execute with --v=5 or higher\n'

describe('kubeadm on a simulated control-plane node', () => {
  const dir = temporaryDirectory('kubeadm')
  const clock = new FakeClock(Date.now())
  let node: KubeadmNode | undefined
  const kubeadm = async (line: string): Promise<{ code: number; out: string; err: string }> => {
    if (node === undefined) throw new Error('the node is not there')
    return node.kubeadm(...line.split(' '))
  }

  beforeAll(async () => {
    node = await startKubeadmNode(dir, { version: 'v1.36.4', clock })
    await node.api.call('POST', '/api/v1/namespaces', { metadata: { name: 'kube-system' } })
  })
  afterAll(() => node?.close())

  it('makes tokens that the API server takes, and lists and deletes them', async () => {
    const { out } = await kubeadm('token create --description rehearsal --ttl 2h')
    const token = out.trim()
    expect(token).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/)
    const list = (await kubeadm('token list')).out.split('\n')
    expect(list[0]).toBe(
      'TOKEN                     TTL         EXPIRES                USAGES                   DESCRIPTION                                                EXTRA GROUPS',
    )
    const expires = new Date(clock.now() + 2 * 3_600_000).toISOString().replace(/\.\d+Z/, 'Z')
    expect(list[1]).toBe(
      `${token}   1h          ${expires}   authentication,signing   rehearsal                                                  system:bootstrappers:kubeadm:default-node-token`,
    )
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } }
    expect((await node?.api.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review))?.body).toMatchObject({
      status: {
        authenticated: true,
        user: {
          username: `system:bootstrap:${token.slice(0, 6)}`,
          groups: expect.arrayContaining(['system:bootstrappers:kubeadm:default-node-token']) as string[],
        },
      },
    })
    expect((await kubeadm(`token delete ${token}`)).out).toBe(`bootstrap token "${token.slice(0, 6)}" deleted\n`)
    expect((await kubeadm('token list')).out).toBe('')
    expect(await kubeadm(`token delete ${token.slice(0, 6)}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining(`failed to delete bootstrap token "${token.slice(0, 6)}"`) as string,
    })
  })

  it('prints the command that joins a node, with the hash of the CA key', async () => {
    const { out } = await kubeadm('token create abcdef.0123456789abcdef --print-join-command')
    const key = new X509Certificate(node?.read('etc/kubernetes/pki/ca.crt') ?? '').publicKey.export({ type: 'spki', format: 'der' })
    const hash = createHash('sha256').update(key).digest('hex')
    expect(out).toBe(`kubeadm join 127.0.0.1:${String(node?.api.port)} --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:${hash} \n`)
    expect(await kubeadm('token create abcdef.0123456789abcdef')).toEqual({ code: 1, out: '', err: `a token with id "abcdef" already exists\n${SEE_STACK}` })
    const forever = await kubeadm('token create fedcba.0123456789abcdef --ttl 0 --usages signing --groups= --print-join-command --certificate-key cafe')
    expect(forever.out).toContain(' --control-plane --certificate-key cafe\n')
    expect((await kubeadm('token list')).out).toContain('fedcba.0123456789abcdef   <forever>   <never>   signing  ')
  })

  it.each([
    ['token create short', 'the bootstrap token "short" was not of the form'],
    ['token create --usages cooking', 'invalid bootstrap token usage string: cooking, valid usage options: authentication, signing'],
    ['token create --ttl soon', 'invalid argument "soon" for "--ttl" flag'],
    ['token create --certificate-key cafe', 'cannot use --certificate-key without --print-join-command'],
    ['token create --sugar', 'unknown flag: --sugar'],
    ['token delete', "missing subcommand; 'token delete' is missing token of form"],
    ['token delete Wrong', "given token didn't match pattern"],
    ['kubeconfig user', 'required flag(s) "client-name" not set'],
    ['upgrade diff next', 'failed to parse version "next"'],
  ])('refuses %s', async (line, why) => {
    const { code, out, err } = await kubeadm(line)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain(why)
    expect(err).toContain(SEE_STACK)
  })

  it('says that tokens need admin.conf', async () => {
    const file = join(dir, 'cp1/etc/kubernetes/admin.conf')
    const text = readFileSync(file)
    rmSync(file)
    expect((await kubeadm('token list')).err).toContain('failed to load admin kubeconfig: open /etc/kubernetes/admin.conf: no such file or directory')
    writeFileSync(file, text)
    expect((await kubeadm('token generate')).out).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}\n$/)
  })

  it('makes a kubeconfig of another user, by certificate or token', async () => {
    const { out } = await kubeadm('kubeconfig user --client-name jane --org shop,web --validity-period 48h')
    const pem = Buffer.from(/client-certificate-data: (\S+)/.exec(out)?.[1] ?? '', 'base64').toString()
    const certificate = new X509Certificate(pem)
    expect(
      certificate.subject
        .split(/\n| \+ /)
        .map((part) => part.replace('O=', ''))
        .sort(),
    ).toEqual(['CN=jane', 'shop', 'web'])
    expect(certificate.verify(new X509Certificate(node?.read('etc/kubernetes/pki/ca.crt') ?? '').publicKey)).toBe(true)
    expect(Date.parse(certificate.validTo) - clock.now()).toBeLessThanOrEqual(48 * 3_600_000)
    expect(out).toContain(`server: https://127.0.0.1:${String(node?.api.port)}\n  name: kubernetes\n`)
    expect((await kubeadm('kubeconfig user --client-name jane --token secret')).out).toContain('users:\n- name: jane\n  user:\n    token: secret\n')
  })

  it('lists the images of its own release or of another', async () => {
    expect((await kubeadm('config images list')).out.split('\n')).toEqual([
      'registry.k8s.io/kube-apiserver:v1.36.4',
      'registry.k8s.io/kube-controller-manager:v1.36.4',
      'registry.k8s.io/kube-scheduler:v1.36.4',
      'registry.k8s.io/kube-proxy:v1.36.4',
      'registry.k8s.io/coredns/coredns:v1.14.2',
      'registry.k8s.io/pause:3.10.1',
      'registry.k8s.io/etcd:3.6.8-0',
      '',
    ])
    expect((await kubeadm('config images list --kubernetes-version 1.33.5 --image-repository mirror.local')).out).toContain('mirror.local/etcd:3.5.21-0\n')
  })

  it('shows what an upgrade would change, in the form of the captured diff', async () => {
    const { code, out } = await kubeadm('upgrade diff v1.36.5')
    expect(code).toBe(0)
    expect(out.split('\n').filter((line) => /^(---|\+\+\+) /.test(line))).toEqual(
      ['apiserver', 'controller-manager', 'scheduler'].flatMap((name) => [`--- /etc/kubernetes/manifests/kube-${name}.yaml`, '+++ new manifest']),
    )
    // One image line changes, with three lines before and after it.
    const hunk = out.slice(out.indexOf('--- /etc/kubernetes/manifests/kube-scheduler.yaml')).split('\n').slice(2)
    expect(hunk[0]).toMatch(/^@@ -(\d+),7 \+\1,7 @@$/)
    expect(
      hunk
        .slice(1, 9)
        .map((line) => line[0] ?? '')
        .join(''),
    ).toBe('   -+   ')
    expect(hunk[4]).toBe('-      image: registry.k8s.io/kube-scheduler:v1.36.4')
    expect(hunk[5]).toBe('+      image: registry.k8s.io/kube-scheduler:v1.36.5')
    expect((await kubeadm('upgrade diff v1.36.4')).out).not.toContain('---')
    expect((await kubeadm('upgrade diff v1.36.5 -c 0')).out).toMatch(/@@ -(\d+) \+\1 @@\n- +image/)
  })
})
