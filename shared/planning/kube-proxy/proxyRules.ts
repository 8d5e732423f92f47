import type { KubeObject } from '../../kubernetes/object.ts'
import { currentServiceRules } from './currentServiceRules.ts'
import { earlyServiceRules } from './earlyServiceRules.ts'
import { ProxyEndpoints } from './proxyEndpoints.ts'
import { jump, quoted, RuleTable } from './ruleTable.ts'
import { servicePorts, type ServicePortInfo } from './servicePorts.ts'

/** What kube-proxy's rules follow from on one node. */
export interface ProxyRulesInput {
  services: readonly KubeObject[]
  /** Of either version. */
  endpointSlices: readonly KubeObject[]
  node: { name: string; address: string; zone: string }
  /** The pods' network: what comes from elsewhere to a Service is masqueraded. '' when it is not known. */
  clusterCIDR: string
  /** Kubernetes' minor release. */
  minor: number
}

export interface ProxyRules {
  filter: RuleTable
  nat: RuleTable
}

/** What the makers of one port's rules write to, and what they go by. */
export interface RuleContext {
  filter: RuleTable
  nat: RuleTable
  endpoints: ProxyEndpoints
  node: ProxyRulesInput['node']
  clusterCIDR: string
  /** The comment of rules that there are many of; none in a large cluster. */
  shortComment(text: string): string[]
}

/** KUBE-XLB went, and KUBE-EXT came. */
const FIRST_WITH_EXTERNAL_CHAINS = 24
/** From this many endpoints on kube-proxy leaves comments out. */
const LARGE_CLUSTER_ENDPOINTS = 1000
const MASQUERADE_MARK = '0x00004000'
const NODE_PORTS_LAST = 'kubernetes service nodeports; NOTE: this must be the last rule in this chain'

/**
 * The text that kube-proxy in iptables mode gives to `iptables-restore --noflush`: up to 1.23 as 1.20.2 writes it, from 1.24 on as
 * current releases do. Services come in the order given; upstream's order is that of a Go map.
 */
export function proxyRules(input: ProxyRulesInput): ProxyRules {
  const { services, endpointSlices, node, clusterCIDR, minor } = input
  const early = minor < FIRST_WITH_EXTERNAL_CHAINS
  const filter = new RuleTable('filter')
  const nat = new RuleTable('nat')
  const ports = services.flatMap(servicePorts)
  const endpoints = new ProxyEndpoints(endpointSlices, node.name)
  const total = ports.reduce((sum, port) => sum + endpoints.of(port).filter(({ ready }) => ready).length, 0)
  const shortComment = (text: string): string[] => (total > LARGE_CLUSTER_ENDPOINTS ? [] : ['-m', 'comment', '--comment', text])
  const context: RuleContext = { filter, nat, endpoints, node, clusterCIDR, shortComment }

  for (const chain of ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-FORWARD', ...(early ? [] : ['KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL'])])
    filter.chain(chain)
  for (const chain of ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ']) nat.chain(chain)
  masqueradeRules(nat)
  if (!early) localnetRules(filter)
  const serviceRules: (port: ServicePortInfo, context: RuleContext) => void = early ? earlyServiceRules : currentServiceRules
  for (const port of ports) serviceRules(port, context)
  nat.append('KUBE-SERVICES', ...quoted(NODE_PORTS_LAST), '-m', 'addrtype', '--dst-type', 'LOCAL', ...jump('KUBE-NODEPORTS'))
  forwardRules(filter, early)
  return { filter, nat }
}

/** What the tables hold because of one Service: the rules that name it, and those of its own chains. */
export function serviceRulesText(input: Omit<ProxyRulesInput, 'services'> & { service: KubeObject }): string {
  const { service, ...rest } = input
  const { filter, nat } = proxyRules({ ...rest, services: [service] })
  const name = `${service.metadata.namespace ?? ''}/${service.metadata.name ?? ''}`
  const isOwn = (rule: string): boolean => /^-A KUBE-(SVC|SVL|EXT|XLB|FW|SEP)-/.test(rule) || rule.includes(`"${name}`) || rule.includes(` ${name}`)
  return [filter, nat]
    .map((table) => ({ name: table.name, rules: table.rules.filter(isOwn) }))
    .filter(({ rules }) => rules.length > 0)
    .map(({ name: table, rules }) => `*${table}\n${rules.join('\n')}\n`)
    .join('')
}

/** Both tables, in kube-proxy's order. */
export const restoreText = ({ filter, nat }: ProxyRules): string => filter.toString() + nat.toString()

function masqueradeRules(nat: RuleTable): void {
  nat.append('KUBE-POSTROUTING', '-m', 'mark', '!', '--mark', `${MASQUERADE_MARK}/${MASQUERADE_MARK}`, ...jump('RETURN'))
  nat.append('KUBE-POSTROUTING', ...jump('MARK'), '--xor-mark', MASQUERADE_MARK)
  nat.append('KUBE-POSTROUTING', ...quoted('kubernetes service traffic requiring SNAT'), ...jump('MASQUERADE'), '--random-fully')
  nat.append('KUBE-MARK-MASQ', ...jump('MARK'), '--or-mark', MASQUERADE_MARK)
}

/** Node ports on 127.0.0.1 need route_localnet, which would let neighbours in. */
function localnetRules(filter: RuleTable): void {
  filter.chain('KUBE-FIREWALL')
  filter.append(
    'KUBE-FIREWALL',
    ...quoted('block incoming localnet connections'),
    ...['-d', '127.0.0.0/8', '!', '-s', '127.0.0.0/8', '-m', 'conntrack', '!', '--ctstate', 'RELATED,ESTABLISHED,DNAT'],
    ...jump('DROP'),
  )
}

function forwardRules(filter: RuleTable, early: boolean): void {
  const established = ['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', ...jump('ACCEPT')]
  filter.append('KUBE-FORWARD', '-m', 'conntrack', '--ctstate', 'INVALID', ...jump('DROP'))
  filter.append(
    'KUBE-FORWARD',
    ...quoted('kubernetes forwarding rules'),
    ...['-m', 'mark', '--mark', `${MASQUERADE_MARK}/${MASQUERADE_MARK}`],
    ...jump('ACCEPT'),
  )
  const comments = early
    ? ['kubernetes forwarding conntrack pod source rule', 'kubernetes forwarding conntrack pod destination rule']
    : ['kubernetes forwarding conntrack rule']
  for (const text of comments) filter.append('KUBE-FORWARD', ...quoted(text), ...established)
}
