import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sshTargetOf } from '#electron/runbooks/nodeShell/sshConfig.ts'
import { temporaryDirectory } from '#test/support/peers.ts'

const dir = temporaryDirectory('ssh-config')
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}
file('key', 'the key')
file('known', '[10.0.0.9]:2200 ssh-ed25519 AAAAnode\nbastion.example ssh-ed25519 AAAAjump\n')
const config = file(
  'config',
  `Host node1
  Port 2200
  User ops
  ProxyJump admin@bastion
Host bastion
  HostName bastion.example
  User admin
Host node2
  Port many
Host *
  IdentityFile ${join(dir, 'key')}
  IdentityAgent none
  UserKnownHostsFile ${join(dir, 'known')}
`,
)

describe('sshTargetOf', () => {
  it('takes port, user, key, host keys and jump host from the configuration, and the address from the node', () => {
    expect(sshTargetOf('node1', { configFile: config, address: '10.0.0.9' })).toEqual({
      host: '10.0.0.9',
      port: 2200,
      username: 'ops',
      privateKey: 'the key',
      hostKeys: ['AAAAnode'],
      sudo: true,
      jump: { host: 'bastion.example', port: 22, username: 'admin', privateKey: 'the key', hostKeys: ['AAAAjump'], sudo: true },
    })
  })

  it('refuses a node whose host key nobody has checked, and says how to', () => {
    expect(() => sshTargetOf('node3', { configFile: config, address: '10.0.0.3' })).toThrow(
      /host key of node3 \(10\.0\.0\.3, port 22\) is not in .*log in once with ssh/,
    )
  })

  it('refuses a port that is none', () => {
    expect(() => sshTargetOf('node2', { configFile: config, address: '10.0.0.2' })).toThrow(/Port of node2 is many/)
  })
})
