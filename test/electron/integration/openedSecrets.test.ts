import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#shared/kubernetes/object.ts'
import { hasProgram, temporaryDirectory } from '#test/support/peers.ts'
import { startCluster, type RunningCluster } from '#test/support/runningCluster.ts'

const CONFIGURATION = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc:
      keys: [{name: key1, secret: ${Buffer.alloc(32, 'k').toString('base64')}}]
  - identity: {}
`

async function secret(cluster: RunningCluster): Promise<KubeObject> {
  const { stdout, stderr } = await cluster.kubectl(['get', 'secret', 'token', '-o', 'json'])
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as KubeObject
}

describe.skipIf(!hasProgram('kubectl') || !hasProgram('etcdctl'))('an opened snapshot of a cluster that encrypts at rest', () => {
  it('shows a Secret as encrypted, and reads it with the EncryptionConfiguration', { timeout: 120_000 }, async () => {
    const dir = temporaryDirectory('opened-secrets')
    const config = join(dir, 'encryption.yaml')
    writeFileSync(config, CONFIGURATION)
    const source = await startCluster(join(dir, 'source'), ['--encryption-provider-config', config])
    await source.kubectl(['create', 'secret', 'generic', 'token', '--from-literal=word=hush'])
    const file = join(dir, 'snapshot.db')
    expect((await source.etcdctl(['snapshot', 'save', file])).code).toBe(0)
    await source.end()

    const closed = await startCluster(join(dir, 'closed'), ['--from-snapshot', file, '--read-only'])
    const sealed = await secret(closed)
    expect(sealed['data']).toBeUndefined()
    expect(sealed.metadata.annotations).toEqual({ 'drydock.invalid/unreadable': 'encrypted at rest: provider aescbc, key key1' })
    expect((await closed.kubectl(['get', 'secrets'])).stdout).toMatch(/^token/m)
    await closed.end()

    const opened = await startCluster(join(dir, 'opened'), ['--from-snapshot', file, '--read-only', '--encryption-provider-config', config])
    expect((await secret(opened))['data']).toEqual({ word: Buffer.from('hush').toString('base64') })
    await opened.end()
  })
})
