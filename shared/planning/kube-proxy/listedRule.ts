const PROTOCOL_NUMBERS: Readonly<Record<string, string>> = { tcp: '6', udp: '17', sctp: '132' }

/** What a rule of iptables-save says, match by match, in the words of `iptables -nL`. */
export function listedRule(rule: string): string {
  const words = rule.match(/"[^"]*"|\S+/g) ?? []
  const columns = { target: '', protocol: '0', source: ' 0.0.0.0/0', destination: ' 0.0.0.0/0' }
  const details: string[] = []
  let not = false
  for (let at = 2; at < words.length; at++) {
    const word = words[at] ?? ''
    const value = words[at + 1] ?? ''
    if (word === '!') not = true
    else if (word === '-s') columns.source = address(value, not)
    else if (word === '-d') columns.destination = address(value, not)
    else if (word === '-p') columns.protocol = PROTOCOL_NUMBERS[value] ?? value
    else if (word === '-j') {
      columns.target = value
      details.push(...listedTarget(value, words.slice(at + 2)))
      break
    } else if (word === '-m') {
      const end = words.findIndex((each, index) => index > at + 1 && (each === '-m' || each === '-j'))
      details.push(listedMatch(value, words.slice(at + 2, end < 0 ? words.length : end)))
      at = (end < 0 ? words.length : end) - 1
    }
    if (word !== '!' && not) not = false
  }
  const { target, protocol, source, destination } = columns
  return `${target.padEnd(9)}  ${protocol.padEnd(4)} -- ${source.padEnd(20)} ${destination.padEnd(20)} ${details.map((text) => ` ${text}`).join('')}`
}

const address = (text: string, not: boolean): string => `${not ? '!' : ' '}${text.replace(/\/32$/, '')}`

function listedMatch(name: string, options: readonly string[]): string {
  const not = options[0] === '!' ? '! ' : ''
  const after = (option: string): string => options[options.indexOf(option) + 1] ?? ''
  switch (name) {
    case 'comment':
      return `/* ${after('--comment').replaceAll('"', '')} */`
    case 'conntrack':
      return `${not}ctstate ${after('--ctstate')}`
    case 'mark':
      return `mark match ${not}${after('--mark')}`
    case 'addrtype':
      return `ADDRTYPE match ${options.includes('--dst-type') ? 'dst-type' : 'src-type'} ${not.trim()}${options.at(-1) ?? ''}`
    case 'physdev':
      return `PHYSDEV match ${not}--physdev-is-in`
    case 'statistic':
      return `statistic mode random probability ${after('--probability')}`
    case 'recent': {
      const action = options.includes('--set') ? 'SET' : `CHECK seconds: ${after('--seconds')} reap`
      return `recent: ${action} name: ${after('--name')} side: source mask: 255.255.255.255`
    }
    default:
      return options.includes('--dport') ? `${name} dpt:${after('--dport')}` : name
  }
}

function listedTarget(target: string, options: readonly string[]): string[] {
  const [option, value = ''] = options
  if (target === 'DNAT') return [`to:${value}`]
  if (target === 'REJECT') return [`reject-with ${value}`]
  if (target === 'MASQUERADE') return option === undefined ? [] : ['random-fully']
  if (target !== 'MARK') return []
  const [mark = '', mask = ''] = value.split('/')
  return [mask === '0x0' ? `MARK xor ${mark}` : `MARK or ${mark}`]
}
