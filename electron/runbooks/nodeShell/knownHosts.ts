import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * The keys that a known_hosts file has for a host: base64 of each key's SSH wire form. Hashed names, `[host]:port`, lists,
 * wildcards and negations are understood; `@revoked` keys are left out, certificate authorities too.
 * @see https://man.openbsd.org/sshd.8#SSH_KNOWN_HOSTS_FILE_FORMAT
 */
export function knownHostKeys(text: string, { host, port }: { host: string; port: number }): string[] {
  const names = port === 22 ? [host, `[${host}]:22`] : [`[${host}]:${String(port)}`]
  const keys: string[] = []
  const revoked = new Set<string>()
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields[0] === undefined || fields[0] === '' || fields[0].startsWith('#')) continue
    const marker = fields[0].startsWith('@') ? fields.shift() : undefined
    const [patterns = '', , key = ''] = fields
    if (key === '' || !names.some((name) => matches(patterns, name))) continue
    if (marker === '@revoked') revoked.add(key)
    else if (marker === undefined) keys.push(key)
  }
  return keys.filter((key) => !revoked.has(key))
}

function matches(patterns: string, name: string): boolean {
  if (patterns.startsWith('|1|')) {
    const [, , salt = '', hash = ''] = patterns.split('|')
    const wanted = Buffer.from(hash, 'base64')
    const found = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
    return wanted.length === found.length && timingSafeEqual(wanted, found)
  }
  let matched = false
  for (const pattern of patterns.split(',')) {
    const negated = pattern.startsWith('!')
    const regex = new RegExp(
      `^${(negated ? pattern.slice(1) : pattern)
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
      'i',
    )
    if (!regex.test(name)) continue
    if (negated) return false
    matched = true
  }
  return matched
}
