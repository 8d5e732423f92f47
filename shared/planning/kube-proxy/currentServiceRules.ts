import { categorizeEndpoints, isExternallyAccessible, type CategorizedEndpoints } from './categorizedEndpoints.ts'
import { endpointChain, serviceChain } from './chainNames.ts'
import { ipv4Range } from './ipv4.ts'
import type { ProxyEndpoint } from './proxyEndpoints.ts'
import type { RuleContext } from './proxyRules.ts'
import { chanceOf, comment, jump, matching, quoted } from './ruleTable.ts'
import type { ServicePortInfo } from './servicePorts.ts'

const MARK_MASQUERADE = jump('KUBE-MARK-MASQ')
const FROM_LOCAL = ['-m', 'addrtype', '--src-type', 'LOCAL']

/** One port with what its rules have in common. */
interface Port extends RuleContext, CategorizedEndpoints {
  info: ServicePortInfo
  clusterChain: string
  localChain: string
  /** Where ClusterIP traffic goes. */
  internalChain: string
  externalChain: string
  /** Where an external chain leads in the end. */
  externalPolicyChain: string
  firewallChain: string
  hasInternal: boolean
  hasExternal: boolean
  /** Only some sources may use the load balancer. */
  guarded: boolean
}

/** The rules of one port as releases with KUBE-EXT write them. */
export function currentServiceRules(info: ServicePortInfo, context: RuleContext): void {
  const categorized = categorizeEndpoints(info, context.endpoints.of(info), context.node.zone)
  const chain = (kind: Parameters<typeof serviceChain>[0]): string => serviceChain(kind, info.name, info.protocol)
  const { any, local } = categorized
  const port: Port = {
    ...context,
    ...categorized,
    info,
    clusterChain: chain('SVC'),
    localChain: chain('SVL'),
    internalChain: chain(info.internalLocal ? 'SVL' : 'SVC'),
    externalChain: chain('EXT'),
    externalPolicyChain: chain(info.externalLocal ? 'SVL' : 'SVC'),
    firewallChain: chain('FW'),
    hasInternal: info.internalLocal ? any && local.length > 0 : any,
    hasExternal: info.externalLocal ? any && local.length > 0 : any,
    guarded: any && info.loadBalancerIPs.length > 0 && info.sourceRanges.length > 0,
  }
  captureRules(port)
  refusals(port)
  if (port.hasInternal) masqueradeInternal(port)
  if (any && isExternallyAccessible(info)) externalRules(port)
  if (port.guarded) firewallRules(port)
  if (port.cluster.length > 0) balancingRules(port, port.clusterChain, port.cluster)
  if (local.length > 0) balancingRules(port, port.localChain, local)
  for (const endpoint of port.reachable) endpointRules(port, endpoint)
}

const to = ({ info }: Port, address: string): string[] => [...matching(info.protocol), '-d', address, '--dport', String(info.port)]

/** What is sent to the Service's addresses. */
function captureRules(port: Port): void {
  const { info, nat, filter, any, externalChain, firewallChain, guarded } = port
  const capture = (address: string, what: string, chain: string): void => {
    nat.append('KUBE-SERVICES', ...quoted(`${info.name} ${what}`), ...to(port, address), ...jump(chain))
  }
  if (port.hasInternal) capture(info.clusterIP, 'cluster IP', port.internalChain)
  if (any) {
    for (const address of info.externalIPs) capture(address, 'external IP', externalChain)
    for (const address of info.loadBalancerIPs) capture(address, 'loadbalancer IP', guarded ? firewallChain : externalChain)
    if (info.nodePort !== 0)
      nat.append('KUBE-NODEPORTS', ...comment(info.name), ...matching(info.protocol), '--dport', String(info.nodePort), ...jump(externalChain))
  }
  if (!guarded) return
  for (const address of info.loadBalancerIPs)
    filter.append('KUBE-PROXY-FIREWALL', ...quoted(`${info.name} traffic not accepted by ${firewallChain}`), ...to(port, address), ...jump('DROP'))
}

/** Without any endpoint clients are told so; where only this node has none, they are to try another. */
function refusals(port: Port): void {
  const { info, filter, any } = port
  const about = quoted(`${info.name} has no ${any ? 'local ' : ''}endpoints`)
  const verdict = jump(any ? 'DROP' : 'REJECT')
  if (!port.hasInternal) filter.append('KUBE-SERVICES', ...about, ...to(port, info.clusterIP), ...verdict)
  if (!port.hasExternal) {
    for (const address of [...info.externalIPs, ...info.loadBalancerIPs]) filter.append('KUBE-EXTERNAL-SERVICES', ...about, ...to(port, address), ...verdict)
    if (info.nodePort !== 0) {
      const toNode = ['-m', 'addrtype', '--dst-type', 'LOCAL', ...matching(info.protocol), '--dport', String(info.nodePort)]
      filter.append('KUBE-EXTERNAL-SERVICES', ...about, ...toNode, ...verdict)
    }
  }
  if (info.healthCheckNodePort === 0) return
  const health = [...matching('tcp'), '--dport', String(info.healthCheckNodePort), ...jump('ACCEPT')]
  filter.append('KUBE-NODEPORTS', ...quoted(`${info.name} health check node port`), ...health)
}

function masqueradeInternal(port: Port): void {
  const { info, nat, clusterCIDR, internalChain } = port
  if (clusterCIDR === '') return
  nat.append(internalChain, ...quoted(`${info.name} cluster IP`), ...to(port, info.clusterIP), '!', '-s', clusterCIDR, ...MARK_MASQUERADE)
}

function externalRules({ info, nat, externalChain, clusterChain, clusterCIDR, hasExternal, externalPolicyChain }: Port): void {
  nat.chain(externalChain)
  const about = (what: string): string[] => quoted(`${what} traffic for ${info.name} external destinations`)
  if (info.externalLocal) {
    if (clusterCIDR !== '') nat.append(externalChain, ...about('pod'), '-s', clusterCIDR, ...jump(clusterChain))
    nat.append(externalChain, ...about('masquerade LOCAL'), ...FROM_LOCAL, ...MARK_MASQUERADE)
    nat.append(externalChain, ...about('route LOCAL'), ...FROM_LOCAL, ...jump(clusterChain))
  } else nat.append(externalChain, ...about('masquerade'), ...MARK_MASQUERADE)
  if (hasExternal) nat.append(externalChain, ...jump(externalPolicyChain))
}

function firewallRules({ info, nat, node, firewallChain, externalChain }: Port): void {
  nat.chain(firewallChain)
  const about = quoted(`${info.name} loadbalancer IP`)
  const ranges = info.sourceRanges.flatMap((text) => ipv4Range(text) ?? [])
  for (const range of ranges) nat.append(firewallChain, ...about, '-s', range.toString(), ...jump(externalChain))
  // A load balancer on this very node sends from its own address.
  if (ranges.some((range) => range.contains(node.address)))
    for (const address of info.loadBalancerIPs) nat.append(firewallChain, ...about, '-s', address, ...jump(externalChain))
  nat.append(firewallChain, ...quoted(`other traffic to ${info.name} will be dropped by KUBE-PROXY-FIREWALL`))
}

const textOf = ({ ip, port }: ProxyEndpoint): string => `${ip}:${String(port)}`
const chainOf = ({ info }: Port, endpoint: ProxyEndpoint): string => endpointChain(info.name, info.protocol, textOf(endpoint))

function balancingRules(port: Port, chain: string, endpoints: readonly ProxyEndpoint[]): void {
  const { info, nat, shortComment } = port
  nat.chain(chain)
  const about = (endpoint: ProxyEndpoint): string[] => shortComment(`"${info.name} -> ${textOf(endpoint)}"`)
  if (info.stickySeconds !== null)
    for (const endpoint of endpoints) {
      const target = chainOf(port, endpoint)
      const seen = ['-m', 'recent', '--name', target, '--rcheck', '--seconds', String(info.stickySeconds), '--reap']
      nat.append(chain, ...about(endpoint), ...seen, ...jump(target))
    }
  for (const [index, endpoint] of endpoints.entries()) {
    const left = endpoints.length - index
    nat.append(chain, ...about(endpoint), ...(left > 1 ? chanceOf(left) : []), ...jump(chainOf(port, endpoint)))
  }
}

function endpointRules(port: Port, endpoint: ProxyEndpoint): void {
  const { info, nat, shortComment } = port
  const chain = chainOf(port, endpoint)
  const about = shortComment(info.name)
  nat.chain(chain)
  nat.append(chain, ...about, '-s', endpoint.ip, ...MARK_MASQUERADE)
  const remember = info.stickySeconds === null ? [] : ['-m', 'recent', '--name', chain, '--set']
  nat.append(chain, ...about, ...remember, ...matching(info.protocol), ...jump('DNAT'), '--to-destination', textOf(endpoint))
}
