import { existsSync, readFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import SshConfig from 'ssh-config'
import { knownHostKeys } from './knownHosts.ts'
import type { SshTarget } from './ssh.ts'

/** What OpenSSH tries when the configuration names no key. */
const DEFAULT_KEYS = ['id_ed25519', 'id_ecdsa', 'id_rsa']

/**
 * How a node is reached by the operator's own SSH configuration: the node's name is looked up as `ssh NODE` would. Host keys
 * must be known: a node nobody has logged in to yet is refused.
 * @param address the node's internal address, used where the configuration names no other
 * @throws Error that says which line to add
 */
export function sshTargetOf(node: string, { configFile, address }: { configFile: string; address: string }): SshTarget {
  if (!existsSync(configFile))
    throw new Error(`there is no ${configFile} to say how ${node} is reached: name the file in the settings (SSH to nodes), or give --ssh-config`)
  const computed = SshConfig.parse(readFileSync(configFile, 'utf8')).compute(node, { ignoreCase: true }) as Record<string, string | string[] | undefined>
  const first = (name: string): string | undefined => {
    const value = computed[name.toLowerCase()]
    return Array.isArray(value) ? value[0] : value
  }
  const all = (name: string): string[] => {
    const value = computed[name.toLowerCase()]
    return value === undefined ? [] : Array.isArray(value) ? value : [value]
  }
  const port = Number(first('Port') ?? '22')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`${configFile}: the Port of ${node} is ${String(first('Port'))}`)
  const host = first('HostName')?.replaceAll('%h', node) ?? address
  const username = first('User') ?? userInfo().username
  const path = (text: string): string => {
    const expanded = text.replace(/^~(?=\/|$)/, homedir()).replaceAll('%d', homedir())
    return isAbsolute(expanded) ? expanded : resolve(dirname(configFile), expanded)
  }
  const keyFile = [...all('IdentityFile').map(path), ...DEFAULT_KEYS.map((name) => join(homedir(), '.ssh', name))].find((each) => existsSync(each))
  const agent = first('IdentityAgent') ?? process.env['SSH_AUTH_SOCK']
  if (keyFile === undefined && agent === undefined) throw new Error(`${configFile}: there is no key for ${node}: add IdentityFile, or start ssh-agent`)
  const files = all('UserKnownHostsFile')
    .flatMap((value) => value.split(/\s+/))
    .map(path)
  const known = (files.length === 0 ? [join(homedir(), '.ssh/known_hosts')] : files).filter((each) => existsSync(each))
  const named = first('HostKeyAlias') ?? host
  const hostKeys = known.flatMap((each) => knownHostKeys(readFileSync(each, 'utf8'), { host: named, port }))
  if (hostKeys.length === 0)
    throw new Error(
      `the host key of ${node} (${named}, port ${String(port)}) is not in ${known.join(', ') || 'any known_hosts file'}: log in once with ssh, check the fingerprint it shows, then retry`,
    )
  const jump = first('ProxyJump')
  return {
    host,
    port,
    username,
    ...(keyFile === undefined ? {} : { privateKey: readFileSync(keyFile, 'utf8') }),
    ...(agent === undefined || agent === 'none' ? {} : { agent: path(agent) }),
    hostKeys,
    sudo: username !== 'root',
    ...(jump === undefined || jump === 'none'
      ? {}
      : { jump: sshTargetOf(jump.replace(/^.*@/, '').replace(/:\d+$/, ''), { configFile, address: jump.replace(/^.*@/, '').replace(/:\d+$/, '') }) }),
  }
}
