import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** A node with these files, that knows `ls` and `cat`. */
function shellOf(files: Record<string, string>): NodeShell {
  return {
    run: (command) => {
      const [program = '', path = ''] = command.split(' ')
      const text = files[path]
      const names = Object.keys(files).flatMap((each) => (each.startsWith(`${path}/`) ? [each.slice(path.length + 1).split('/')[0] ?? ''] : []))
      const stdout = program === 'ls' ? `${[...new Set(names)].join('\n')}\n` : (text ?? '')
      return Promise.resolve({ exitCode: (program === 'ls' ? names.length > 0 : text !== undefined) ? 0 : 1, stdout, stderr: '' })
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
      '/etc/kubernetes/pki/odd name': '-',
    }
    const shell = (name: string): Promise<NodeShell> => (name === 'cp1' ? Promise.resolve(shellOf(files)) : Promise.reject(new Error('no route to host')))
    const path = join(dir, 'pki.tar')
    writeFileSync(path, await pkiArchive({ api, shell, nowMs: 1_700_000_000_000 }, { signal }))
    execFileSync('tar', ['-xf', path, '-C', dir])
    expect(execFileSync('tar', ['-tf', path], { encoding: 'utf8' }).trim().split('\n')).toEqual([
      'cp1/etc/kubernetes/admin.conf',
      'cp1/etc/kubernetes/pki/ca.key',
      'cp1/etc/kubernetes/pki/etcd/ca.crt',
      'kubeadm-config.yaml',
      'NOT-REACHED.txt',
    ])
    expect(readFileSync(join(dir, 'cp1/etc/kubernetes/pki/ca.key'), 'utf8')).toBe(files['/etc/kubernetes/pki/ca.key'])
    expect(readFileSync(join(dir, 'NOT-REACHED.txt'), 'utf8')).toBe('cp2: no route to host\n')
  })

  it('says why no node was reached', async () => {
    const archive = pkiArchive({ api, shell: () => Promise.reject(new Error('no route to host')), nowMs: 0 }, { signal })
    await expect(archive).rejects.toThrow('no control-plane node was reached: cp1: no route to host; cp2: no route to host')
  })
})
