import { request } from 'node:http'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { Clock } from '#shared/base/clock.ts'
import type { ContainerProcess } from './containerProcess.ts'
import { emptyInput, textOf } from './shell/process.ts'
import type { Container, Probe } from './types.ts'

export interface ProbeResult {
  ok: boolean
  /** Why not, as the kubelet's event tells it. */
  message: string
}

const DEFAULT_TIMEOUT_SECONDS = 1

/** Asks a container once. Servers the simulation does not know are taken to be well. */
export async function runProbe(
  probe: Probe,
  { container, process, podIP, clock, signal }: { container: Container; process: ContainerProcess; podIP: string; clock: Clock; signal: AbortSignal },
): Promise<ProbeResult> {
  const late = new AbortController()
  const seconds = probe.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS
  const cancel = clock.schedule(seconds * 1000, () => {
    late.abort(new Error('timeout'))
  })
  const within = AbortSignal.any([signal, late.signal])
  let url = ''
  try {
    if (probe.exec !== undefined) return await execProbe(probe.exec.command ?? [], process, within)
    const asked = probe.httpGet ?? probe.tcpSocket
    if (asked === undefined) return { ok: true, message: '' }
    const port = portOf(asked.port ?? 0, container)
    if (port === null) return { ok: false, message: `couldn't find port: ${JSON.stringify(asked.port)}` }
    if (process.listensOn(port) === 'unknown') return { ok: true, message: '' }
    const connection = process.connect(port)
    const path = `/${(probe.httpGet?.path ?? '').replace(/^\//, '')}`
    const isTls = probe.httpGet?.scheme === 'HTTPS'
    url = probe.httpGet === undefined ? '' : `${isTls ? 'https' : 'http'}://${podIP}:${String(port)}${path}`
    if (connection === null)
      return { ok: false, message: `${url === '' ? '' : `Get "${url}": `}dial tcp ${podIP}:${String(port)}: connect: connection refused` }
    if (probe.httpGet === undefined) {
      connection.destroy()
      return { ok: true, message: '' }
    }
    const status = await httpStatus(connection, {
      isTls,
      path,
      host: `${podIP}:${String(port)}`,
      headers: probe.httpGet.httpHeaders ?? [],
      signal: within,
    })
    return status >= 200 && status < 400 ? { ok: true, message: '' } : { ok: false, message: `HTTP probe failed with statuscode: ${String(status)}` }
  } catch (error) {
    signal.throwIfAborted()
    const text = error instanceof Error ? error.message : String(error)
    // Whatever a server does to its prober, the answer is that it is not well.
    if (!late.signal.aborted) return { ok: false, message: url === '' ? text : `Get "${url}": ${text === 'socket hang up' ? 'EOF' : text}` }
    return {
      ok: false,
      message:
        probe.exec === undefined
          ? 'context deadline exceeded'
          : `command timed out: ${JSON.stringify((probe.exec.command ?? []).join(' '))} timed out after ${String(seconds)}s`,
    }
  } finally {
    cancel()
  }
}

/** A port by its number, or by the name the container gives it; null for a name it does not have. */
export function portOf(port: number | string, container: Container): number | null {
  if (typeof port === 'number' || /^\d+$/.test(port)) return Number(port)
  return container.ports?.find(({ name }) => name === port)?.containerPort ?? null
}

/** Runs a command in the container and judges its exit code. */
export async function execProbe(command: string[], process: ContainerProcess, signal: AbortSignal): Promise<ProbeResult> {
  const output: string[] = []
  const exitCode = await process
    .shell(signal)
    .execute(command, { input: emptyInput, out: (piece) => output.push(textOf(piece)), err: (text) => output.push(text) })
  return { ok: exitCode === 0, message: output.join('').trim() }
}

/** The status of a GET over the connection, which is closed afterwards; over TLS without a look at the certificate, as upstream's probes. */
export function httpStatus(
  connection: Duplex,
  options: { isTls: boolean; path: string; host: string; headers: readonly { name: string; value?: string }[]; signal: AbortSignal },
): Promise<number> {
  const { isTls, path, host, headers, signal } = options
  const own = Object.fromEntries(headers.map(({ name, value = '' }) => [name.toLowerCase(), value]))
  return new Promise((resolve, reject) => {
    const asked = request({
      createConnection: () => (isTls ? connectTls({ socket: connection, rejectUnauthorized: false }) : connection),
      path,
      headers: { host, 'user-agent': 'kube-probe/1.36', ...own },
      signal,
    })
    asked.on('response', (response) => {
      response.resume()
      response.on('end', () => {
        connection.destroy()
      })
      resolve(response.statusCode ?? 0)
    })
    asked.on('error', reject)
    asked.end()
  })
}
