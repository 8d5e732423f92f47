import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pkiArchive } from '#electron/runbooks/pkiArchive.ts'
import type { ClusterApi } from '#electron/runbooks/clusterApi.ts'
import type { NodeShell } from '#electron/runbooks/nodeShell/nodeShell.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'

const dir = temporaryDirectory('pki-archive')
const { signal } = new AbortController()
const node = (name: string, controlPlane: boolean): object => ({
  metadata: { name, labels: controlPlane ? { 'node-role.kubernetes.io/control-plane': '' } : {} },
})
const api = {
  list: () => Promise.resolve([node('cp1', true), node('cp2', true), node('worker', false)]),
  get: () => Promise.resolve({ data: { ClusterConfiguration: 'kubernetesVersion: v1.30.0\n' } }),
} as unknown as ClusterApi

/** A node whose root is a folder here, and whose shell is the machine's own. */
function shellIn(root: string): NodeShell {
  return {
    run: (command, { onStdout }) => {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', command.replaceAll('cd / ', `cd ${root} `)])
      onStdout?.(stdout)
      return Promise.resolve({ exitCode: status ?? 1, stdout: '', stderr: stderr.toString() })
    },
    forward: () => Promise.reject(new Error('no')),
    close: () => undefined,
  }
}

describe('pkiArchive', () => {
  it.skipIf(!hasProgram('tar'))('holds what kubeadm keeps on each control-plane node that is reached, for tar to unpack', async () => {
    const files = {
      '/etc/kubernetes/admin.conf': 'config',
      '/etc/kubernetes/pki/ca.key': `${'k'.repeat(1700)}\n`,
      '/etc/kubernetes/pki/etcd/ca.crt': 'crt',
      '/etc/kubernetes/pki/odd name.key': '-',
      '/etc/kubernetes/pki/notes.txt': '-',
    }
    const root = join(dir, 'cp1-root')
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    symlinkSync('etcd/ca.crt', join(root, 'etc/kubernetes/pki/linked.crt'))
    const shell = (name: string): Promise<NodeShell> => (name === 'cp1' ? Promise.resolve(shellIn(root)) : Promise.reject(new Error('no route to host')))
    const path = join(dir, 'pki.tar')
    writeFileSync(path, await pkiArchive({ api, shell, nowMs: 1_700_000_000_000 }, { signal }))
    execFileSync('tar', ['-xf', path, '-C', dir])
    expect(execFileSync('tar', ['-tf', path], { encoding: 'utf8' }).trim().split('\n')).toEqual([
      'cp1/etc/kubernetes/admin.conf',
      'cp1/etc/kubernetes/pki/linked.crt',
      'cp1/etc/kubernetes/pki/ca.key',
      'cp1/etc/kubernetes/pki/etcd/ca.crt',
      'kubeadm-config.yaml',
      'NOT-REACHED.txt',
    ])
    expect(readFileSync(join(dir, 'cp1/etc/kubernetes/pki/ca.key'), 'utf8')).toBe(files['/etc/kubernetes/pki/ca.key'])
    expect(readFileSync(join(dir, 'cp1/etc/kubernetes/pki/linked.crt'), 'utf8')).toBe('crt')
    expect(readFileSync(join(dir, 'NOT-REACHED.txt'), 'utf8')).toBe('cp2: no route to host\n')
  })

  it.skipIf(!hasProgram('tar'))('says so when a node holds none of it', async () => {
    const root = join(dir, 'empty-root')
    mkdirSync(root)
    const archive = pkiArchive({ api, shell: () => Promise.resolve(shellIn(root)), nowMs: 0 }, { signal })
    await expect(archive).rejects.toThrow('no control-plane node is known whose PKI could be saved')
  })

  it('says why no node was reached', async () => {
    const archive = pkiArchive({ api, shell: () => Promise.reject(new Error('no route to host')), nowMs: 0 }, { signal })
    await expect(archive).rejects.toThrow('no control-plane node was reached: cp1: no route to host; cp2: no route to host')
  })
})
