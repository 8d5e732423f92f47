import { readFileSync } from 'node:fs'
import { expect, test } from './support/test.ts'

// What no stand-in can show. Where there is no Electron binary these are skipped, and the report names them.

test.beforeEach(({ mode }) => {
  test.skip(mode !== 'electron', 'needs a real Electron binary')
})

test("Electron's Node is a 24 with SQLite and every algorithm that the certificates need @real", async ({ app }) => {
  const found = await app.shell.electron?.evaluate(async () => {
    const { createHash, getCiphers, generateKeyPairSync, sign, verify } = await import('node:crypto')
    const { DatabaseSync } = await import('node:sqlite')
    const database = new DatabaseSync(':memory:')
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const edwards = generateKeyPairSync('ed25519')
    const text = Buffer.from('drydock')
    return {
      node: process.versions.node,
      sqlite: (database.prepare('select 1 as one').get() as { one: number }).one,
      sha256: createHash('sha256').update(text).digest('hex').length,
      ciphers: ['aes-256-gcm', 'aes-256-cbc'].filter((name) => getCiphers().includes(name)),
      rsa: verify('sha256', text, publicKey, sign('sha256', text, privateKey)),
      ec: verify('sha256', text, curve.publicKey, sign('sha256', text, curve.privateKey)),
      ed25519: verify(null, text, edwards.publicKey, sign(null, text, edwards.privateKey)),
    }
  })
  expect(found).toMatchObject({ sqlite: 1, sha256: 64, ciphers: ['aes-256-gcm', 'aes-256-cbc'], rsa: true, ec: true, ed25519: true })
  expect(found?.node).toMatch(/^24\./)
})

test('the page stands at its own scheme, in a secure context @real', async ({ app }) => {
  expect(await app.page.evaluate(() => [window.location.protocol, window.location.host, window.isSecureContext])).toEqual(['drydock:', 'app', true])
})

test("the page's process is in the sandbox of the operating system @real", async ({ app }) => {
  test.skip(process.platform !== 'linux' || process.getuid?.() === 0, 'is read from Linux, and root has no sandbox')
  const pid = await app.shell.electron?.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.webContents.getOSProcessId())
  // 2: a filter of system calls.
  expect(readFileSync(`/proc/${String(pid)}/status`, 'utf8')).toMatch(/^Seccomp:\t2$/m)
})
