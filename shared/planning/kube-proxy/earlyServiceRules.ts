import { endpointChain, serviceChain } from './chainNames.ts'
import { ipv4Range } from './ipv4.ts'
import type { ProxyEndpoint } from './proxyEndpoints.ts'
import type { RuleContext } from './proxyRules.ts'
import { chanceOf, comment, jump, matching, quoted } from './ruleTable.ts'
import type { ServicePortInfo } from './servicePorts.ts'

const MARK_MASQUERADE = jump('KUBE-MARK-MASQ')
const MARK_DROP = jump('KUBE-MARK-DROP')
const FROM_LOCAL = ['-m', 'addrtype', '--src-type', 'LOCAL']

interface Chains {
  service: string
  /** Where traffic from outside goes: with the policy Local only to this node's endpoints. */
  outside: string
  firewall: string
}

/** The rules of one port as releases before KUBE-EXT write them. */
export function earlyServiceRules(port: ServicePortInfo, context: RuleContext): void {
  const { nat, endpoints } = context
  const ready = endpoints.of(port).filter((endpoint) => endpoint.ready)
  const service = serviceChain('SVC', port.name, port.protocol)
  const local = serviceChain('XLB', port.name, port.protocol)
  const chains = { service, outside: port.externalLocal ? local : service, firewall: serviceChain('FW', port.name, port.protocol) }
  if (ready.length > 0) nat.chain(service)
  if (port.externalLocal) nat.chain(local)
  if (ready.length === 0) {
    rejections(port, context)
    return
  }
  clusterIpRules(port, chains, context)
  for (const address of port.externalIPs) externalIpRules(port, address, chains, context)
  for (const address of port.loadBalancerIPs) loadBalancerRules(port, address, chains, context)
  nodePortRules(port, chains, context)
  endpointRules(port, ready, service, context)
  if (port.externalLocal) localRules(port, ready, chains, context)
}

function rejections({ name, protocol, clusterIP, port, externalIPs, loadBalancerIPs, nodePort }: ServicePortInfo, { filter }: RuleContext): void {
  const none = quoted(`${name} has no endpoints`)
  const reject = (chain: string, address: string): void => {
    filter.append(chain, ...none, ...matching(protocol), '-d', `${address}/32`, '--dport', String(port), ...jump('REJECT'))
  }
  reject('KUBE-SERVICES', clusterIP)
  for (const address of [...externalIPs, ...loadBalancerIPs]) reject('KUBE-EXTERNAL-SERVICES', address)
  if (nodePort === 0) return
  const toNode = ['-m', 'addrtype', '--dst-type', 'LOCAL', ...matching(protocol), '--dport', String(nodePort)]
  filter.append('KUBE-EXTERNAL-SERVICES', ...none, ...toNode, ...jump('REJECT'))
}

const to = (port: ServicePortInfo, address: string, what: string): string[] => [
  ...quoted(`${port.name} ${what}`),
  ...matching(port.protocol),
  ...['-d', `${address}/32`, '--dport', String(port.port)],
]

function clusterIpRules(port: ServicePortInfo, { service }: Chains, { nat, clusterCIDR }: RuleContext): void {
  const match = to(port, port.clusterIP, 'cluster IP')
  if (clusterCIDR !== '') nat.append('KUBE-SERVICES', ...match, '!', '-s', clusterCIDR, ...MARK_MASQUERADE)
  nat.append('KUBE-SERVICES', ...match, ...jump(service))
}

function externalIpRules(port: ServicePortInfo, address: string, { outside }: Chains, { nat }: RuleContext): void {
  const match = to(port, address, 'external IP')
  if (!port.externalLocal) nat.append('KUBE-SERVICES', ...match, ...MARK_MASQUERADE)
  nat.append('KUBE-SERVICES', ...match, '-m', 'physdev', '!', '--physdev-is-in', '-m', 'addrtype', '!', '--src-type', 'LOCAL', ...jump(outside))
  nat.append('KUBE-SERVICES', ...match, '-m', 'addrtype', '--dst-type', 'LOCAL', ...jump(outside))
}

function loadBalancerRules(port: ServicePortInfo, address: string, { outside, firewall }: Chains, { nat, node }: RuleContext): void {
  nat.chain(firewall)
  nat.append('KUBE-SERVICES', ...to(port, address, 'loadbalancer IP'), ...jump(firewall))
  const about = quoted(`${port.name} loadbalancer IP`)
  if (!port.externalLocal) nat.append(firewall, ...about, ...MARK_MASQUERADE)
  if (port.sourceRanges.length === 0) nat.append(firewall, ...about, ...jump(outside))
  for (const range of port.sourceRanges) nat.append(firewall, ...about, '-s', range, ...jump(outside))
  // A load balancer on this very node sends from its own address.
  if (port.sourceRanges.some((range) => ipv4Range(range)?.contains(node.address) === true))
    nat.append(firewall, ...about, '-s', `${address}/32`, ...jump(outside))
  nat.append(firewall, ...about, ...MARK_DROP)
}

function nodePortRules(port: ServicePortInfo, { outside }: Chains, { nat }: RuleContext): void {
  if (port.nodePort === 0) return
  const match = [...comment(port.name), ...matching(port.protocol), '--dport', String(port.nodePort)]
  nat.append('KUBE-NODEPORTS', ...match, ...(port.externalLocal ? ['-s', '127.0.0.0/8'] : []), ...MARK_MASQUERADE)
  nat.append('KUBE-NODEPORTS', ...match, ...jump(outside))
}

const chainOf = (port: ServicePortInfo, { ip, port: number }: ProxyEndpoint): string => endpointChain(port.name, port.protocol, `${ip}:${String(number)}`)

const seenBefore = (chain: string, seconds: number): string[] => ['-m', 'recent', '--name', chain, '--rcheck', '--seconds', String(seconds), '--reap']

function endpointRules(port: ServicePortInfo, endpoints: readonly ProxyEndpoint[], service: string, { nat, shortComment }: RuleContext): void {
  const { name, protocol, stickySeconds } = port
  const about = shortComment(name)
  for (const endpoint of endpoints) nat.chain(chainOf(port, endpoint))
  if (stickySeconds !== null)
    for (const chain of endpoints.map((endpoint) => chainOf(port, endpoint))) nat.append(service, ...about, ...seenBefore(chain, stickySeconds), ...jump(chain))
  for (const [index, endpoint] of endpoints.entries()) {
    const chain = chainOf(port, endpoint)
    const left = endpoints.length - index
    nat.append(service, ...about, ...(left > 1 ? chanceOf(left) : []), ...jump(chain))
    nat.append(chain, ...about, '-s', `${endpoint.ip}/32`, ...MARK_MASQUERADE)
    const remember = stickySeconds === null ? [] : ['-m', 'recent', '--name', chain, '--set']
    nat.append(chain, ...about, ...remember, ...matching(protocol), ...jump('DNAT'), '--to-destination', `${endpoint.ip}:${String(endpoint.port)}`)
  }
}

function localRules(port: ServicePortInfo, endpoints: readonly ProxyEndpoint[], { service, outside }: Chains, { nat, clusterCIDR }: RuleContext): void {
  if (clusterCIDR !== '')
    nat.append(outside, ...quoted('Redirect pods trying to reach external loadbalancer VIP to clusterIP'), '-s', clusterCIDR, ...jump(service))
  nat.append(outside, ...quoted(`masquerade LOCAL traffic for ${port.name} LB IP`), ...FROM_LOCAL, ...MARK_MASQUERADE)
  nat.append(outside, ...quoted(`route LOCAL traffic for ${port.name} LB IP to service chain`), ...FROM_LOCAL, ...jump(service))
  const own = endpoints.filter(({ local }) => local).map((endpoint) => chainOf(port, endpoint))
  if (own.length === 0) {
    nat.append(outside, ...quoted(`${port.name} has no local endpoints`), ...MARK_DROP)
    return
  }
  if (port.stickySeconds !== null) for (const chain of own) nat.append(outside, ...comment(port.name), ...seenBefore(chain, port.stickySeconds), ...jump(chain))
  for (const [index, chain] of own.entries()) {
    const left = own.length - index
    nat.append(outside, ...quoted(`Balancing rule ${String(index)} for ${port.name}`), ...(left > 1 ? chanceOf(left) : []), ...jump(chain))
  }
}
