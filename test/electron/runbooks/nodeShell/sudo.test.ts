import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectSsh } from '#electron/runbooks/nodeShell/ssh.ts'
import type { NodeShell } from '#electron/runbooks/nodeShell/nodeShell.ts'
import { newKey } from '#electron/controlplane/nodeSsh.ts'
import { freePort } from '#test/support/freePort.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const SSHD = '/usr/sbin/sshd'
const PASSWORD = "right horse's $battery"
/** A user of this machine for as long as the proof takes: only root of a machine that is its own can have one. */
const USER = `drydock${String(process.pid % 100_000)}`
const hasParts = process.getuid?.() === 0 && existsSync(SSHD) && ['/usr/bin/sudo', '/usr/sbin/useradd', '/usr/sbin/chpasswd'].every((file) => existsSync(file))

const run = (program: string, args: string[], input = ''): string => {
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
  return stdout
}

describe.skipIf(!hasParts)('sudo with a password, on a real sshd', () => {
  const { signal } = new AbortController()
  const dir = temporaryDirectory('sudo')
  const home = join(dir, 'home')
  const sudoers = `/etc/sudoers.d/${USER}`
  const key = newKey('client')
  const host = newKey('host')
  let sshd: ChildProcess
  let port = 0

  beforeAll(async () => {
    run('useradd', ['-M', '-d', home, '-s', '/bin/sh', USER])
    run('chpasswd', [], `${USER}:${PASSWORD}\n`)
    mkdirSync(join(home, '.ssh'), { recursive: true })
    writeFileSync(join(home, '.ssh/authorized_keys'), `${key.public}\n`)
    run('chown', ['-R', `${USER}:`, home])
    // The folders above belong to somebody else than the user, which sshd would mind.
    run('chmod', ['755', dir])
    mkdirSync('/run/sshd', { recursive: true })
    port = await freePort()
    writeFileSync(join(dir, 'host'), host.private, { mode: 0o600 })
    writeFileSync(
      join(dir, 'sshd_config'),
      `Port ${String(port)}\nListenAddress 127.0.0.1\nHostKey ${join(dir, 'host')}\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nAuthorizedKeysFile ${join(home, '.ssh/authorized_keys')}\n`,
    )
    sshd = spawn(SSHD, ['-D', '-e', '-f', join(dir, 'sshd_config')], { stdio: 'ignore' })
  }, 60_000)
  afterAll(() => {
    sshd.kill()
    spawnSync('rm', ['-f', sudoers])
    spawnSync('userdel', [USER])
  })

  async function connect(sudoPassword?: string): Promise<NodeShell> {
    const target = {
      host: '127.0.0.1',
      port,
      username: USER,
      privateKey: key.private,
      hostKeys: [host.public.split(' ')[1] ?? ''],
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
  const allow = (rule: string): void => {
    writeFileSync(sudoers, `Defaults:${USER} lecture=never\n${USER} ALL=(ALL) ${rule}\n`, { mode: 0o440 })
  }

  it('runs as root with the password, which is no part of a command’s input or command line', { timeout: 60_000 }, async () => {
    allow('ALL')
    const shell = await connect(PASSWORD)
    expect(await shell.run('id -u', { signal })).toMatchObject({ exitCode: 0, stdout: '0\n' })
    const given = await shell.run('cat; tr "\\0" " " < /proc/$PPID/cmdline', { signal, input: Readable.from(['what is sent\n']) })
    expect(given.stdout).toMatch(/^what is sent\nsudo -k -S -p {2}sh -c cat/)
    expect(given.stdout).not.toContain(PASSWORD)
    expect(await shell.run('exit 7', { signal })).toMatchObject({ exitCode: 7 })
    shell.close()
  })

  it('says that a wrong one is not taken, and runs nothing', { timeout: 60_000 }, async () => {
    allow('ALL')
    const shell = await connect('wrong')
    const file = join(dir, 'touched')
    const refused = shell.run(`touch ${file}`, { signal, input: Readable.from([`${PASSWORD}\n`]) })
    await expect(refused).rejects.toThrow(`sudo does not take the password that was given for ${USER}. Nothing was run there`)
    await expect(refused).rejects.not.toThrow(/wrong$/)
    expect(existsSync(file)).toBe(false)
    shell.close()
  })

  it('says what to give where sudo asks and nothing was given', { timeout: 60_000 }, async () => {
    allow('ALL')
    const shell = await connect()
    await expect(shell.run('id -u', { signal })).rejects.toThrow(/sudo: a password is required. Nothing was run there.*--ask-sudo-password/s)
    shell.close()
  })

  it('keeps a password that sudo does not ask for out of the command’s input', { timeout: 60_000 }, async () => {
    allow('NOPASSWD: ALL')
    const shell = await connect(PASSWORD)
    expect((await shell.run('id -u; cat', { signal, input: Readable.from(['mine\n']) })).stdout).toBe('0\nmine\n')
    shell.close()
    expect(readFileSync(sudoers, 'utf8')).toContain('NOPASSWD')
  })
})
