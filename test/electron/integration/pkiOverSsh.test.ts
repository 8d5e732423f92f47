import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { silentLogger } from '#shared/base/logger.ts'
import type { Backup } from '#shared/contract/backups.ts'
import { connectMaintenance } from '#electron/client/etcd/snapshotStream.ts'
import type { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import { connectSsh } from '#electron/runbooks/nodeShell/ssh.ts'
import { pkiArchive } from '#electron/runbooks/pkiArchive.ts'
import { Backups } from '#electron/snapshot/backups.ts'
import { Catalogue } from '#electron/snapshot/catalogue.ts'
import { unwrapped } from '#electron/snapshot/envelope/envelope.ts'
import { freePort, hasProgram, runProgram, temporaryDirectory } from '#test/support/peers.ts'
import { etcdctl, etcdPlace, etcdReady, startEtcd, type RealEtcd } from '#test/support/realEtcd.ts'

/** Mounts of its own keep the node's /etc/kubernetes out of the machine's. */
const mounts = await runProgram('unshare', ['-m', 'true'])
const able = mounts.code === 0 && process.getuid?.() === 0 && ['sshd', 'ssh-keygen', 'tar', 'etcd', 'etcdctl'].every(hasProgram)
const FILES: Record<string, string> = {
  'admin.conf': 'apiVersion: v1\nkind: Config\n',
  'pki/ca.crt': '-----BEGIN CERTIFICATE-----\n',
  'pki/ca.key': `-----BEGIN PRIVATE KEY-----\n${'k'.repeat(1700)}\n`,
  'pki/sa.pub': '-----BEGIN PUBLIC KEY-----\n',
  'pki/etcd/ca.key': '-----BEGIN PRIVATE KEY-----\ne\n',
  'manifests/etcd.yaml': 'apiVersion: v1\nkind: Pod\n',
  'pki/.hidden': 'no part of it',
}
const CONFIGURATION = 'apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n'

describe.skipIf(!able)('a backup with PKI beside it', () => {
  const dir = temporaryDirectory('pki-ssh')
  const { signal } = new AbortController()
  let sshd: ChildProcess
  let etcd: RealEtcd
  let endpoint = ''
  let port = 0

  beforeAll(async () => {
    const upper = join(dir, 'etc')
    for (const folder of ['kubernetes/pki/etcd', 'kubernetes/manifests']) mkdirSync(join(upper, folder), { recursive: true })
    mkdirSync(join(dir, 'work'))
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(upper, 'kubernetes', name), text)
    for (const name of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)])
    port = await freePort()
    const config = [
      ...[`Port ${String(port)}`, 'ListenAddress 127.0.0.1', `HostKey ${join(dir, 'host')}`, `AuthorizedKeysFile ${join(dir, 'user.pub')}`],
      ...['StrictModes no', 'UsePAM no', 'PasswordAuthentication no', 'PermitRootLogin prohibit-password', 'PidFile none'],
    ]
    writeFileSync(join(dir, 'sshd_config'), `${config.join('\n')}\n`)
    const script = 'mount -t tmpfs tmpfs /run && mkdir /run/sshd && mount -t overlay -o "lowerdir=/etc,upperdir=$1/etc,workdir=$1/work" overlay /etc'
    sshd = spawn('unshare', ['-m', 'sh', '-c', `${script} && exec "$(command -v sshd)" -D -e -f "$1/sshd_config"`, 'sh', dir], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    await new Promise<void>((resolve, reject) => {
      sshd.stderr?.on('data', (bytes: Buffer) => {
        said += bytes.toString()
        if (said.includes('Server listening')) resolve()
      })
      sshd.once('exit', () => {
        reject(new Error(`sshd did not start: ${said}`))
      })
    })
    const place = await etcdPlace('a')
    etcd = startEtcd({ program: 'etcd', dataDir: join(dir, 'etcd-data'), place })
    await etcdReady('etcdctl', place.client)
    endpoint = place.client
    await etcdctl('etcdctl', ['--endpoints', endpoint, 'put', 'a', 'b'])
  }, 240_000)
  afterAll(async () => {
    const ended = once(sshd, 'exit')
    sshd.kill()
    await Promise.all([ended, etcd.stop()])
    rmSync(dir, { recursive: true, force: true })
  })

  const shell = (node: string): ReturnType<typeof connectSsh> =>
    node === 'cp1'
      ? connectSsh(
          {
            host: '127.0.0.1',
            port,
            username: 'root',
            privateKey: readFileSync(join(dir, 'user'), 'utf8'),
            hostKeys: [readFileSync(join(dir, 'host.pub'), 'utf8').split(' ')[1] ?? ''],
            sudo: false,
          },
          { signal },
        )
      : Promise.reject(new Error('no route to host'))

  it('reads what kubeadm keeps from a node over SSH, and seals it for age and tar', { timeout: 560_000 }, async () => {
    const node = (name: string): object => ({ metadata: { name, labels: { 'node-role.kubernetes.io/control-plane': '' } } })
    const api = {
      list: () => Promise.resolve([node('cp1'), node('cp2')]),
      get: () => Promise.resolve({ data: { ClusterConfiguration: CONFIGURATION } }),
    } as unknown as ClusterApi
    const catalogue = new Catalogue({ directory: join(dir, 'backups'), logger: silentLogger })
    await catalogue.open()
    const clock = new SystemClock()
    const backups = new Backups({
      catalogue,
      clock,
      logger: silentLogger,
      connect: async () => {
        const connection = await connectMaintenance({ endpoint })
        return { etcd: connection, clusterName: 'prod', endpoint, close: () => connection.close() }
      },
      restoreTarget: () => null,
      isOpen: () => false,
      pki: (_, context) => pkiArchive({ api, shell, nowMs: clock.now() }, context),
      testRestore: () => Promise.reject(new Error('not asked for')),
    })
    const identity = await generateX25519Identity()
    let done: Backup | null = null
    const sealing = { compress: true, recipients: [await identityToRecipient(identity)], pki: true }
    for await (const progress of backups.save({ clusterId: 'prod', sealing }, { signal })) if (progress.phase === 'done') done = progress.backup
    expect(done).toMatchObject({ verdict: 'good', encryption: 'recipients', compression: 'zstd' })
    const sealed = done?.pkiPath ?? ''
    expect(sealed).toMatch(/\.pki\.tar\.zst\.age$/)

    const chunks: Uint8Array[] = []
    for await (const chunk of unwrapped(sealed, { unlock: { identities: [identity] }, signal })) chunks.push(chunk)
    const out = join(dir, 'unpacked')
    mkdirSync(out)
    execFileSync('tar', ['-x', '-C', out], { input: Buffer.concat(chunks) })
    for (const [name, text] of Object.entries(FILES)) {
      const path = join(out, 'cp1/etc/kubernetes', name)
      if (name === 'pki/.hidden') expect(() => readFileSync(path)).toThrow(/ENOENT/)
      else expect(readFileSync(path, 'utf8'), name).toBe(text)
    }
    expect(readFileSync(join(out, 'kubeadm-config.yaml'), 'utf8')).toBe(CONFIGURATION)
    expect(readFileSync(join(out, 'NOT-REACHED.txt'), 'utf8')).toBe('cp2: no route to host\n')
  })
})
