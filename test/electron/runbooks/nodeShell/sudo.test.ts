import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectSsh } from '#electron/runbooks/nodeShell/ssh.ts'
import type { NodeShell } from '#electron/runbooks/nodeShell/nodeShell.ts'
import { temporaryDirectory } from '#test/support/peers.ts'
import { canHaveSudoUser, makeSudoUser, type SudoUser } from '#test/support/sudoUser.ts'

describe.skipIf(!canHaveSudoUser)('sudo with a password, on a real sshd', () => {
  const { signal } = new AbortController()
  const dir = temporaryDirectory('sudo')
  let user: SudoUser

  beforeAll(async () => {
    user = await makeSudoUser(dir)
  }, 60_000)
  afterAll(() => {
    user.remove()
  })

  async function connect(sudoPassword?: string): Promise<NodeShell> {
    const target = {
      host: '127.0.0.1',
      port: user.port,
      username: user.name,
      privateKey: user.privateKey,
      hostKeys: [user.hostKey.split(' ')[1] ?? ''],
      sudo: true,
      ...(sudoPassword === undefined ? {} : { sudoPassword }),
    }
    for (let tries = 0; ; tries++)
      try {
        return await connectSsh(target, { signal })
      } catch (error) {
        // It listens a moment after it was started.
        if (tries > 50 || !(error instanceof Error) || !error.message.includes('ECONNREFUSED')) throw error
        await sleep(100)
      }
  }

  it('runs as root with the password, which is no part of a command’s input or command line', { timeout: 60_000 }, async () => {
    user.allow('ALL')
    const shell = await connect(user.password)
    expect(await shell.run('id -u', { signal })).toMatchObject({ exitCode: 0, stdout: '0\n' })
    const given = await shell.run('cat; tr "\\0" " " < /proc/$PPID/cmdline', { signal, input: Readable.from(['what is sent\n']) })
    expect(given.stdout).toMatch(/^what is sent\nsudo -k -S -p {2}sh -c cat/)
    expect(given.stdout).not.toContain(user.password)
    expect(await shell.run('exit 7', { signal })).toMatchObject({ exitCode: 7 })
    shell.close()
  })

  it('says that a wrong one is not taken, and runs nothing', { timeout: 60_000 }, async () => {
    user.allow('ALL')
    const shell = await connect('wrong')
    const file = join(dir, 'touched')
    const refused = shell.run(`touch ${file}`, { signal, input: Readable.from([`${user.password}\n`]) })
    await expect(refused).rejects.toThrow(`sudo does not take the password that was given for ${user.name}. Nothing was run there`)
    await expect(refused).rejects.not.toThrow(/wrong$/)
    expect(existsSync(file)).toBe(false)
    shell.close()
  })

  it('says what to give where sudo asks and nothing was given', { timeout: 60_000 }, async () => {
    user.allow('ALL')
    const shell = await connect()
    await expect(shell.run('id -u', { signal })).rejects.toThrow(/sudo: a password is required. Nothing was run there.*--ask-sudo-password/s)
    shell.close()
  })

  it('keeps a password that sudo does not ask for out of the command’s input', { timeout: 60_000 }, async () => {
    user.allow('NOPASSWD: ALL')
    const shell = await connect(user.password)
    expect((await shell.run('id -u; cat', { signal, input: Readable.from(['mine\n']) })).stdout).toBe('0\nmine\n')
    shell.close()
  })
})
