import type { KubeObject } from '#shared/kubernetes/object.ts'
import { isObject } from '#shared/kubernetes/json.ts'
import { logContainer, nodeOf } from '../handlers/subresources.ts'
import type { ExecSession, NodeConnection } from '../interface.ts'
import { badRequest } from '../registry/failures.ts'
import type { ApiRequest } from '../request/apiRequest.ts'
import { isTrue } from '../request/requestInfo.ts'
import type { ConnectPort } from './portForward.ts'
import type { CommandStreams } from './remoteCommand.ts'

/** What an upgraded connection is joined to. */
export type StreamTarget =
  | { kind: 'command'; streams: CommandStreams; start: (signal: AbortSignal) => Promise<ExecSession> }
  | { kind: 'ports'; ports: number[]; connect: ConnectPort }
  /** What is also answered over plain HTTP, as it comes. */
  | { kind: 'bytes'; stream: AsyncIterable<Uint8Array | string> }

/** Subresources that are served on upgraded connections. */
export type StreamSubresource = 'exec' | 'attach' | 'portforward'

/** @throws StatusError 400 when the pod runs nowhere, or the container or the streams do not make sense */
export function streamTarget(subresource: StreamSubresource, pod: KubeObject, request: Pick<ApiRequest, 'query'>, nodes: NodeConnection): StreamTarget {
  const { name = '', namespace = '', uid = '' } = pod.metadata
  const { query } = request
  const container = subresource === 'portforward' ? '' : logContainer(pod, query.get('container'))
  const node = nodeOf(pod)
  if (node === '') throw badRequest(`pod ${name} does not have a host assigned`)
  const target = { node, namespace, name, uid }
  if (subresource === 'portforward') {
    const ports = query
      .getAll('ports')
      .flatMap((text) => text.split(','))
      .map(Number)
    for (const port of ports)
      if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badRequest(`ports: Invalid value: ${String(port)}: must be a port number`)
    const where = `port forward to pod ${namespace}_${name}, uid ${uid}`
    return {
      kind: 'ports',
      ports,
      connect: (port, signal) =>
        nodes.portForward(target, { port, signal }).catch((cause: unknown) => {
          throw new Error(`error forwarding port ${String(port)} (${where}): ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
        }),
    }
  }
  const tty = isTrue(query.get('tty'))
  // A terminal has one output.
  const streams = { stdin: isTrue(query.get('stdin')), stdout: isTrue(query.get('stdout')), stderr: isTrue(query.get('stderr')) && !tty, tty }
  if (!streams.stdin && !streams.stdout && !streams.stderr) throw badRequest('you must specify at least one of stdin, stdout, stderr')
  const { stdin } = streams
  if (subresource === 'attach') {
    // What the container was made with decides, whatever the client asks for.
    const made = specOf(pod, container)
    if (tty && made['tty'] !== true) throw badRequest(`container ${container} of pod ${name} has no terminal`)
    return { kind: 'command', streams, start: (signal) => nodes.attach(target, { container, tty, stdin, signal }) }
  }
  const command = query.getAll('command')
  if (command.length === 0 || command[0] === '') throw badRequest('you must specify the command to run')
  return { kind: 'command', streams, start: (signal) => nodes.exec(target, { container, command, tty, stdin, signal }) }
}

/** The query of such a request as the object that admission looks at. */
export function connectOptions(kind: string, query: ApiRequest['query']): KubeObject {
  const flags = ['stdin', 'stdout', 'stderr', 'tty'].filter((name) => isTrue(query.get(name)))
  const [container, command, ports] = [query.get('container') ?? '', query.getAll('command'), query.getAll('ports')]
  return {
    kind,
    apiVersion: 'v1',
    metadata: {},
    ...Object.fromEntries(flags.map((name) => [name, true])),
    ...(container === '' ? {} : { container }),
    ...(command.length === 0 ? {} : { command }),
    ...(ports.length === 0 ? {} : { ports: ports.flatMap((text) => text.split(',')).map(Number) }),
  }
}

function specOf(pod: KubeObject, container: string): Record<string, unknown> {
  const spec = isObject(pod['spec']) ? pod['spec'] : {}
  const all = ['containers', 'initContainers', 'ephemeralContainers'].flatMap((field) => (Array.isArray(spec[field]) ? spec[field].filter(isObject) : []))
  return all.find((each) => each['name'] === container) ?? {}
}
