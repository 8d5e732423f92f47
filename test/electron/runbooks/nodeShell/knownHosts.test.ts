import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { knownHostKeys } from '#electron/runbooks/nodeShell/knownHosts.ts'

const salt = Buffer.from('0123456789abcdef0123')
const hashed = (name: string): string => `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
const FILE = `# comment
node1,10.0.0.1 ssh-ed25519 AAAAone comment
[node1]:2222 ssh-rsa AAAAtwo
${hashed('secret.example')} ecdsa-sha2-nistp256 AAAAthree
${hashed('[secret.example]:2222')} ssh-ed25519 AAAAfour
*.example,!secret.example ssh-ed25519 AAAAfive
@revoked node2 ssh-ed25519 AAAAsix
node2 ssh-ed25519 AAAAsix
node2 ssh-rsa AAAAseven
@cert-authority node3 ssh-ed25519 AAAAeight

node4
`

describe('knownHostKeys', () => {
  it.each([
    ['a plain name', 'node1', 22, ['AAAAone']],
    ['an address in a list', '10.0.0.1', 22, ['AAAAone']],
    ['another port', 'node1', 2222, ['AAAAtwo']],
    ['a hashed name, where a negation keeps the wildcard away', 'secret.example', 22, ['AAAAthree']],
    ['a hashed name with a port', 'secret.example', 2222, ['AAAAfour']],
    ['a wildcard', 'web.example', 22, ['AAAAfive']],
    ['a host with a revoked key', 'node2', 22, ['AAAAseven']],
    ['a host known by its authority alone', 'node3', 22, []],
    ['a line without a key', 'node4', 22, []],
    ['a name that is in no line', 'node', 22, []],
  ])('finds the keys of %s', (_, host, port, keys) => {
    expect(knownHostKeys(FILE, { host, port })).toEqual(keys)
  })
})
