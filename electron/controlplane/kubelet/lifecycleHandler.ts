import type { Duplex } from 'node:stream'
import type { Clock } from '#shared/base/clock.ts'
import type { ContainerProcess } from './containerProcess.ts'
import { execProbe, httpStatus, portOf } from './probe.ts'
import type { Container, LifecycleHandler } from './types.ts'

/** A hook that did not end well; the message is the kubelet's. */
export class HookFault extends Error {
  override readonly name = 'HookFault'
}

export interface HandlerContext {
  container: Container
  process: ContainerProcess
  podIP: string
  /** Connects from the node. */
  connect(to: { address: string; port: number }, signal: AbortSignal): Promise<Duplex>
  clock: Clock
}

/** Runs what a pod wants done after a container's start or before its stop. @throws HookFault */
export async function runLifecycleHandler(handler: LifecycleHandler, context: HandlerContext, signal: AbortSignal): Promise<void> {
  const { container, process, podIP, connect, clock } = context
  const { exec, httpGet, tcpSocket, sleep } = handler
  if (sleep !== undefined) await clock.sleep(sleep.seconds * 1000, { signal })
  if (exec !== undefined) {
    const { ok, message } = await execProbe(exec.command ?? [], process, signal)
    if (!ok)
      throw new HookFault(`Exec lifecycle hook (${JSON.stringify(exec.command ?? [])}) for Container ${JSON.stringify(container.name)} failed: ${message}`)
  }
  const asked = httpGet ?? tcpSocket
  if (asked === undefined) return
  const address = asked.host ?? podIP
  const port = portOf(asked.port ?? 80, container)
  if (port === null) throw new HookFault(`couldn't find port: ${JSON.stringify(asked.port)}`)
  const path = `/${(httpGet?.path ?? '').replace(/^\//, '')}`
  try {
    const connection = await connect({ address, port }, signal)
    if (httpGet === undefined) connection.destroy()
    else {
      const isTls = httpGet.scheme === 'HTTPS'
      await httpStatus(connection, { isTls, path, host: `${address}:${String(port)}`, headers: httpGet.httpHeaders ?? [], signal })
    }
  } catch (error) {
    throw new HookFault(
      `HTTP lifecycle hook (${httpGet?.path ?? ''}) for Container ${JSON.stringify(container.name)} failed: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
