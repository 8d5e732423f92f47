import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newKey } from '#electron/controlplane/nodeSsh.ts'
import { freePort } from './freePort.ts'

const SSHD = '/usr/sbin/sshd'

/** Only root of a machine that is its own can have another user there. */
export const canHaveSudoUser =
  process.getuid?.() === 0 && existsSync(SSHD) && ['/usr/bin/sudo', '/usr/sbin/useradd', '/usr/sbin/chpasswd'].every((file) => existsSync(file))

/** A user of this machine with a password, who logs in with a key at an sshd of its own. */
export interface SudoUser {
  name: string
  password: string
  port: number
  privateKey: string
  /** Type and key. */
  hostKey: string
  /** Gets a line for each command that sudo lets pass. */
  sudoLog: string
  /** @param rule what of it sudo lets pass, as sudoers has it: `ALL`, `NOPASSWD: ALL` */
  allow(rule: string): void
  remove(): void
}

function run(program: string, args: string[], input = ''): void {
  const { status, stderr } = spawnSync(program, args, { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}

/** The sshd listens a moment after this. */
export async function makeSudoUser(directory: string): Promise<SudoUser> {
  const name = `drydock${String(process.pid % 100_000)}`
  const password = "right horse's $battery"
  const [key, host] = [newKey('client'), newKey('host')]
  const [home, sudoers, sudoLog] = [join(directory, 'home'), `/etc/sudoers.d/${name}`, join(directory, 'sudo.log')]
  run('useradd', ['-M', '-d', home, '-s', '/bin/sh', name])
  run('chpasswd', [], `${name}:${password}\n`)
  mkdirSync(join(home, '.ssh'), { recursive: true })
  writeFileSync(join(home, '.ssh/authorized_keys'), `${key.public}\n`)
  run('chown', ['-R', `${name}:`, home])
  // The folders above belong to somebody else than the user, which sshd would mind.
  run('chmod', ['755', directory])
  mkdirSync('/run/sshd', { recursive: true })
  const port = await freePort()
  writeFileSync(join(directory, 'host'), host.private, { mode: 0o600 })
  writeFileSync(
    join(directory, 'sshd_config'),
    `Port ${String(port)}\nListenAddress 127.0.0.1\nHostKey ${join(directory, 'host')}\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nAuthorizedKeysFile ${join(home, '.ssh/authorized_keys')}\n`,
  )
  const sshd = spawn(SSHD, ['-D', '-e', '-f', join(directory, 'sshd_config')], { stdio: 'ignore' })
  return {
    name,
    password,
    port,
    privateKey: key.private,
    hostKey: host.public.split(' ').slice(0, 2).join(' '),
    sudoLog,
    allow: (rule) => {
      writeFileSync(sudoers, `Defaults:${name} lecture=never\nDefaults:${name} logfile=${sudoLog}, loglinelen=0\n${name} ALL=(ALL) ${rule}\n`, { mode: 0o440 })
    },
    remove: () => {
      sshd.kill()
      spawnSync('rm', ['-f', sudoers])
      // By force, as a session that is just ending would keep the user.
      spawnSync('userdel', ['-f', name])
    },
  }
}
