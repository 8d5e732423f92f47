import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onNode } from '#test/support/nodeShell.ts'
import { hasProgram, temporaryDirectory, type CommandResult } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const NODES = ['--nodes', '4', '--control-plane-nodes', '2', '--kubernetes-version', 'v1.20.2']
const SEE_STACK = 'To see the stack trace of this error execute with --v=5 or higher\n'

describe.skipIf(!hasProgram('kubectl'))('nodes that leave a cluster and join it again', { timeout: 120_000 }, () => {
  const dir = join(temporaryDirectory('kubeadm-join'), 'cluster')
  let cluster: RunningCluster | undefined

  beforeAll(async () => {
    cluster = await startCluster(dir, NODES)
  }, 60_000)
  // A static pod whose manifest was away for a moment must not keep the process from ending.
  afterAll(() => cluster?.end())

  const running = (): RunningCluster => {
    if (cluster === undefined) throw new Error('the cluster is not there')
    return cluster
  }
  const on = (node: string, command: string, input?: string): Promise<CommandResult> => onNode(running(), node, command, input)
  const kubectl = async (line: string): Promise<string> => {
    const { stdout, stderr, code } = await running().kubectl(line.split(' '))
    if (code !== 0) throw new Error(stderr)
    return stdout.trim()
  }
  const ready = (...nodes: string[]): Promise<string> => kubectl(`wait --for=condition=Ready --timeout=30s ${nodes.map((node) => `node/${node}`).join(' ')}`)

  it('refuses to join a node that is in the cluster, check by check', async () => {
    const { stdout: command } = await on('controlplane', 'kubeadm token create --print-join-command')
    const { code, stdout, stderr } = await on('node01', command)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '[preflight] Running pre-flight checks\n' })
    expect(stderr).toBe(
      `error execution phase preflight: [preflight] Some fatal errors occurred:\n\t[ERROR FileAvailable--etc-kubernetes-kubelet.conf]: /etc/kubernetes/kubelet.conf already exists\n\t[ERROR Port-10250]: Port 10250 is in use\n\t[ERROR FileAvailable--etc-kubernetes-pki-ca.crt]: /etc/kubernetes/pki/ca.crt already exists\n[preflight] If you know what you are doing, you can make a check non-fatal with \`--ignore-preflight-errors=...\`\n${SEE_STACK}`,
    )
    const ignored = await on('node01', `${command.trim()} --ignore-preflight-errors=all`)
    expect(ignored.stderr).toContain('\t[WARNING Port-10250]: Port 10250 is in use\n')
    expect(ignored.stderr).toContain('a Node with name "node01" and status "Ready" already exists in the cluster.')
  })

  it('resets a worker only when asked to, stays so over a restart, and comes back Ready by a token', async () => {
    await kubectl('create deployment web --image=nginx --replicas=2')
    expect(await on('node02', 'kubeadm reset', 'n\n')).toMatchObject({
      code: 1,
      stderr: `error execution phase preflight: aborted reset operation\n${SEE_STACK}`,
    })
    const reset = await on('node02', 'kubeadm reset', 'y\n')
    expect(reset.stdout).toContain(
      '[reset] Stopping the kubelet service\n[reset] Unmounting mounted directories in "/var/lib/kubelet"\n[reset] Deleting contents of config directories: [/etc/kubernetes/manifests /etc/kubernetes/pki]\n[reset] Deleting files: [/etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/controller-manager.conf /etc/kubernetes/scheduler.conf]\n[reset] Deleting contents of stateful directories: [/var/lib/kubelet /var/lib/dockershim /var/run/kubernetes /var/lib/cni]\n',
    )
    expect((await on('node02', 'systemctl start kubelet; systemctl is-active kubelet; ls /var/lib/kubelet /etc/kubernetes/pki; crictl ps')).stdout).toMatch(
      /^inactive\n[^]*CONTAINER +IMAGE[^\n]*\n$/,
    )
    await kubectl('delete node node02')
    await running().end()
    cluster = await startCluster(dir, NODES)
    await ready('controlplane', 'controlplane02', 'node01')
    expect(await kubectl('get nodes -o name')).not.toContain('node02')

    const { stdout: command } = await on('controlplane', 'kubeadm token create --print-join-command')
    const wrongHash = await on('node02', command.replace(/sha256:..../, 'sha256:0000'))
    expect(wrongHash.stderr).toMatch(/cluster CA found in cluster-info ConfigMap is invalid: none of the public keys "sha256:[0-9a-f]{64}" are pinned/)
    const wrongSecret = await on('node02', command.replace(/(--token [a-z0-9]{6})\.\S+/, '$1.0123456789abcdef'))
    expect(wrongSecret.stderr).toContain("failed to verify JWS signature of received cluster info object, can't trust this API Server")

    const joined = await on('node02', command)
    expect({ code: joined.code, stderr: joined.stderr }).toEqual({ code: 0, stderr: '' })
    expect(joined.stdout).toBe(
      '[preflight] Running pre-flight checks\n[preflight] Reading configuration from the cluster...\n[preflight] FYI: You can look at this config file with \'kubectl -n kube-system get cm kubeadm-config -o yaml\'\n[kubelet-start] Writing kubelet configuration to file "/var/lib/kubelet/config.yaml"\n[kubelet-start] Writing kubelet environment file with flags to file "/var/lib/kubelet/kubeadm-flags.env"\n[kubelet-start] Starting the kubelet\n[kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap...\n\nThis node has joined the cluster:\n* Certificate signing request was sent to apiserver and a response was received.\n* The Kubelet was informed of the new secure connection details.\n\nRun \'kubectl get nodes\' on the control-plane to see this node join the cluster.\n\n',
    )
    await ready('node02')
    const certificate = new X509Certificate((await on('node02', 'cat /var/lib/kubelet/pki/kubelet-client-current.pem')).stdout)
    expect(certificate.subject).toBe('O=system:nodes\nCN=system:node:node02')
    expect((await on('node02', 'cat /etc/kubernetes/kubelet.conf')).stdout).toContain('client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem')
    expect(await kubectl('get csr -o jsonpath={.items[-1:].status.conditions[0].type}')).toBe('Approved')
    await kubectl('cordon node01')
    await kubectl('scale deployment web --replicas=4')
    await kubectl('rollout status deployment/web --timeout=30s')
    await kubectl('uncordon node01')
  })

  it('lets a control-plane node leave and join with the uploaded certificates, in the words of the real kubeadm', async () => {
    expect((await on('controlplane02', 'kubeadm reset -f')).code).toBe(0)
    await kubectl('delete node controlplane02')
    const { stdout: command } = await on('controlplane', 'kubeadm token create --print-join-command')
    const bare = await on('controlplane02', `${command.trim()} --control-plane`)
    expect(bare.stderr).toContain("[failure loading certificate for CA: couldn't load the certificate file /etc/kubernetes/pki/ca.crt")
    const uploaded = await on('controlplane', 'kubeadm init phase upload-certs --upload-certs')
    const key = /certificate key:\n([0-9a-f]{64})\n$/.exec(uploaded.stdout)?.[1] ?? ''
    const foreign = await on('controlplane02', `${command.trim()} --control-plane --certificate-key ${'0'.repeat(64)}`)
    expect(foreign.stderr).toContain('cipher: message authentication failed')
    const joined = await on('controlplane02', `${command.trim()} --control-plane --certificate-key ${key}`)
    expect({ code: joined.code, stderr: joined.stderr }).toEqual({ code: 0, stderr: '' })
    const golden = readFileSync(new URL('../../fixtures/kubeadm/join-control-plane-v1.20.2.txt', import.meta.url), 'utf8')
    const plain = (text: string): string[] =>
      text
        .replace(/^.*serving cert is signed.*$/gm, (line) => line.replace(/ENDPOINT(-IP)? /g, ''))
        .replaceAll('NODE-IP', '172.30.1.3')
        .replaceAll('NODE', 'controlplane02')
        .split('\n')
    const [own, theirs] = [plain(joined.stdout), plain(golden)]
    // One etcd serves all nodes here: no member is announced, and the configuration that names each is not written again.
    const leftOut = /Announced new etcd member|Waiting for the new etcd member|\[upload-config\]|\[kubelet-check\]/
    expect([...own].sort()).toEqual(theirs.filter((line) => !leftOut.test(line)).sort())
    const phases = (lines: readonly string[]): string[] =>
      lines.flatMap((line) => /^\[([a-z-]+)\]/.exec(line)?.[1] ?? []).filter((phase, at, all) => phase !== all[at - 1])
    expect(phases(own)).toEqual(phases(theirs.filter((line) => !leftOut.test(line))))
    await ready('controlplane02')
    expect(await kubectl('get node controlplane02 -o jsonpath={.spec.taints[*].key}')).toContain('node-role.kubernetes.io/master')
    await kubectl('wait --for=condition=Ready --timeout=30s -n kube-system pod/kube-apiserver-controlplane02')
  })

  it('initializes only where nothing stands in the way, and makes again what is missing, in the words of the real kubeadm', async () => {
    const refused = await on('controlplane', 'kubeadm init')
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({
      code: 2,
      stdout: '[init] Using Kubernetes version: v1.20.2\n[preflight] Running pre-flight checks\n',
    })
    expect(refused.stderr.match(/ERROR [^\]]+/g)).toEqual(
      [
        ...['Port-6443', 'Port-10259', 'Port-10257'],
        ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'].map((name) => `FileAvailable--etc-kubernetes-manifests-${name}.yaml`),
        ...['Port-10250', 'Port-2379', 'Port-2380'],
      ].map((name) => `ERROR ${name}`),
    )

    const leaves = 'apiserver apiserver-etcd-client apiserver-kubelet-client front-proxy-client etcd/server etcd/peer etcd/healthcheck-client'.split(' ')
    const files = leaves
      .flatMap((name) => [`pki/${name}.crt`, `pki/${name}.key`])
      .concat('admin.conf', 'kubelet.conf', 'controller-manager.conf', 'scheduler.conf')
    await on('controlplane', `cd /etc/kubernetes && rm ${files.join(' ')} manifests/kube-scheduler.yaml`)
    const made = await on('controlplane', 'kubeadm init --ignore-preflight-errors=all --token abcdef.0123456789abcdef')
    expect({ code: made.code, errors: made.stderr.replace(/^\t\[WARNING .*\n/gm, '') }).toEqual({ code: 0, errors: '' })
    const golden = readFileSync(new URL('../../fixtures/kubeadm/init-v1.20.2.txt', import.meta.url), 'utf8')
      .replaceAll('NODE-IP:6443', 'ENDPOINT')
      .replaceAll('NODE-IP', '172.30.1.2')
      .replaceAll('NODE', 'controlplane')
    const own = made.stdout
      .replace(/127\.0\.0\.1:\d+/g, 'ENDPOINT')
      .replace(/sha256:[0-9a-f]{64}/, 'sha256:HASH')
      .replace(/after [\d.]+ seconds/, 'after SECONDS seconds')
    // The authorities are the cluster's own and stay; without a common endpoint no further control-plane node is invited.
    const [ours, theirs] = [own.split('\n'), golden.split('\n')]
    expect(ours.filter((line) => !theirs.includes(line))).toEqual([
      '[certs] Using existing ca certificate authority',
      '[certs] Using existing front-proxy-ca certificate authority',
      '[certs] Using existing etcd/ca certificate authority',
      '[certs] Using the existing "sa" key',
    ])
    expect(theirs.filter((line) => !ours.includes(line))).toEqual([
      ...['ca', 'front-proxy-ca', 'etcd/ca'].map((name) => `[certs] Generating "${name}" certificate and key`),
      '[certs] Generating "sa" key and public key',
      'You can now join any number of control-plane nodes by copying certificate authorities',
      'and service account keys on each node and then running the following as root:',
      '  kubeadm join ENDPOINT --token abcdef.0123456789abcdef \\',
      '    --discovery-token-ca-cert-hash sha256:HASH \\',
      '    --control-plane ',
    ])
    const phases = (lines: readonly string[]): string[] =>
      lines.flatMap((line) => /^\[([a-z-]+)\]/.exec(line)?.[1] ?? []).filter((phase, at, all) => phase !== all[at - 1])
    expect(phases(ours)).toEqual(phases(theirs))
    await ready('controlplane')
    await kubectl('wait --for=condition=Ready --timeout=30s -n kube-system pod/kube-scheduler-controlplane')
  })

  it('runs single phases, and says what they lack', async () => {
    expect((await on('controlplane', 'rm /etc/kubernetes/scheduler.conf && kubeadm init phase kubeconfig scheduler')).stdout).toBe(
      '[kubeconfig] Using kubeconfig folder "/etc/kubernetes"\n[kubeconfig] Writing "scheduler.conf" kubeconfig file\n',
    )
    expect((await on('controlplane', 'kubeadm init phase control-plane scheduler')).stdout).toBe(
      '[control-plane] Using manifest folder "/etc/kubernetes/manifests"\n[control-plane] Creating static Pod manifest for "kube-scheduler"\n',
    )
    expect((await on('node01', 'kubeadm init phase certs apiserver')).stderr).toContain("couldn't load CA certificate ca")
    expect((await on('node01', 'kubeadm init phase cooking')).stderr).toContain('unknown phase "cooking"')
  })

  it('does not let the node go that the cluster itself lives on', async () => {
    expect((await on('controlplane', 'kubeadm reset -f')).stderr).toContain('this simulated node carries the API server and the etcd of the whole cluster')
    await ready('controlplane')
  })
})
