import { afterEach, describe, expect, it } from 'vitest'
import { EncryptionConfiguration } from '#electron/controlplane/apiserver/storage/encryption/encryptionConfiguration.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { newAuthority, rsaKeys, startTestApiServer, type TestApiServer } from '#test/support/testApiServer.ts'

const key = (fill: string, bytes = 32): string => Buffer.alloc(bytes, fill).toString('base64')
const config = (providers: string, resources = '[secrets]'): { path: string; text: string } => ({
  path: 'encryption.yaml',
  text: `apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: ${resources}\n  providers:\n${providers}`,
})
const provider = (name: string, ...keys: [name: string, secret: string][]): string =>
  `  - ${name}:\n      keys:\n${keys.map(([each, secret]) => `      - {name: ${each}, secret: ${secret}}\n`).join('')}`
const IDENTITY = '  - identity: {}\n'

describe('encryption at rest', { timeout: 30_000 }, () => {
  const opened: TestApiServer[] = []
  const dataDir = temporaryDirectory('encryption')
  const identity = { serviceAccountKeys: rsaKeys(), ca: newAuthority('kubernetes', Date.now()) }
  const start = async (directory: string, encryption?: { path: string; text: string }): Promise<TestApiServer> => {
    const server = await startTestApiServer('encryption', {
      ...identity,
      dataDir: directory,
      ...(encryption === undefined ? {} : { settings: { encryption } }),
    })
    opened.push(server)
    return server
  }
  const stored = async ({ etcd }: TestApiServer, path: string): Promise<string> => {
    const { kvs } = await etcd.range({ key: Buffer.from(path) }, { signal: AbortSignal.timeout(5000) })
    return Buffer.from(kvs[0]?.value ?? new Uint8Array(0)).toString('latin1')
  }
  afterEach(async () => {
    for (const server of opened.splice(0)) await server.close()
  })

  it.each(['aescbc', 'aesgcm', 'secretbox'] as const)('keeps secrets by %s, under the name of provider and key, tied to their place', async (name) => {
    const sealer = new EncryptionConfiguration(config(provider(name, ['k1', key('a')])))
    const path = '/registry/secrets/default/x'
    const sealed = sealer.seal('secrets', path, Buffer.from('plain'))
    expect(Buffer.from(sealed).toString('latin1')).toMatch(new RegExp(`^k8s:enc:${name}:v1:k1:`))
    expect(Buffer.from(sealer.open('secrets', path, sealed).bytes).toString()).toBe('plain')
    const changed = Uint8Array.from(sealed)
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
    if (name !== 'aescbc') expect(() => sealer.open('secrets', path, changed)).toThrow()
    if (name === 'aesgcm') expect(() => sealer.open('secrets', '/registry/secrets/default/y', sealed)).toThrow()
    expect(Buffer.from(sealer.seal('configmaps', path, Buffer.from('plain'))).toString()).toBe('plain')
  })

  it('rotates keys: the new one writes, the old one reads, and a write without a change rewrites', async () => {
    const secret = '/api/v1/namespaces/default/secrets'
    const path = '/registry/secrets/default/token'
    const first = await start(dataDir)
    await first.connection.call({ path: secret, body: { metadata: { name: 'token' }, stringData: { a: 'open' } } })
    expect(await stored(first, path)).toContain('open')
    await opened.pop()?.close()
    const second = await start(dataDir, config(provider('aesgcm', ['k1', key('a')]) + IDENTITY))
    const live = (await second.connection.call({ path: `${secret}/token` })).json
    expect(live?.['data']).toEqual({ a: Buffer.from('open').toString('base64') })
    await second.connection.call({ method: 'PUT', path: `${secret}/token`, body: live })
    expect(await stored(second, path)).toMatch(/^k8s:enc:aesgcm:v1:k1:/)
    await opened.pop()?.close()
    const third = await start(dataDir, config(provider('secretbox', ['k2', key('b')]) + provider('aesgcm', ['k1', key('a')])))
    const before = (await third.connection.call({ path: `${secret}/token` })).json
    const after = await third.connection.call({ method: 'PUT', path: `${secret}/token`, body: before })
    expect([after.status, after.json?.['data']]).toEqual([200, before?.['data']])
    expect(await stored(third, path)).toMatch(/^k8s:enc:secretbox:v1:k2:/)
    const again = await third.connection.call({ method: 'PUT', path: `${secret}/token`, body: after.json })
    expect((again.json?.['metadata'] as { resourceVersion: string }).resourceVersion, 'nothing left to rewrite').toBe(
      (after.json?.['metadata'] as { resourceVersion: string }).resourceVersion,
    )
  })

  it.each([
    [
      'a key of the wrong length',
      provider('secretbox', ['k', key('a', 16)]),
      'resources[0].providers[0].secretbox.keys[0].secret: secretbox takes keys of 32 bytes, not 16',
    ],
    ['an unknown provider', '  - rot13: {}\n', 'resources[0].providers[0]: unknown provider "rot13"; known are identity, aescbc, aesgcm, secretbox'],
    ['a KMS plugin', '  - kms: {name: x}\n', 'KMS plugins are not built'],
    ['a secret that is no base64', provider('aescbc', ['k', '"***"']), 'resources[0].providers[0].aescbc.keys[0].secret: it must be base64'],
  ])('says what is wrong with a configuration: %s', (_, providers, message) => {
    expect(() => new EncryptionConfiguration(config(providers))).toThrow(message)
  })
})
