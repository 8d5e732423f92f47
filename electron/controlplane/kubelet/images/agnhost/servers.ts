import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import type { ProcessContext, Program } from '../../shell/process.ts'
import { parseFlags } from './flags.ts'
import { log, ProcessExit, serveHttp, untilExit, type HttpSaid } from './httpServer.ts'

const BOOLEANS = ['tcp', 'udp', 'http', 'close', 'json-response']
/** For so long `liveness` is well. */
const ALIVE_MS = 10_000

/** Well for ten seconds, then not any more. */
export const liveness: Program = (context) => {
  const startedMs = context.clock.now()
  return untilExit(context, (failed) => {
    serveHttp(
      context,
      8080,
      ({ url, form }): HttpSaid => {
        const aliveMs = context.clock.now() - startedMs
        if (url.pathname === '/started') return { body: `${String(aliveMs / 1000)}s` }
        if (url.pathname === '/redirect') return { status: 302, headers: { location: decodeURIComponent(form.get('loc') ?? '') } }
        if (url.pathname !== '/healthz') return { status: 404, body: '404 page not found\n' }
        return aliveMs > ALIVE_MS ? { status: 500, body: `error: ${String(aliveMs / 1000)}` } : { body: 'ok' }
      },
      { failed },
    )
  })
}

/** Answers every request with the host's name. */
export const serveHostname: Program = (context) => {
  const { flags } = parseFlags(context.args, BOOLEANS)
  const port = Number(flags.get('port') ?? 9376)
  return untilExit(context, (failed) => {
    if (flags.get('udp') === 'true') context.sockets?.receive(port, () => Buffer.from(context.hostname))
    if (flags.get('tcp') === 'true')
      context.sockets?.listen(port, (connection) => {
        connection.end(context.hostname)
      })
    else if (flags.get('http') !== 'false')
      serveHttp(
        context,
        port,
        ({ from }) => {
          log(context, `HTTP request from ${from}`)
          return { body: context.hostname, ...(flags.get('close') === 'true' ? { headers: { connection: 'close' } } : {}) }
        },
        { failed },
      )
    log(context, `Serving on port ${String(port)}.`)
  })
}

/** The container's files over HTTP. */
export const testWebserver: Program = (context) => {
  const { flags } = parseFlags(context.args)
  return untilExit(context, (failed) => {
    serveHttp(
      context,
      Number(flags.get('port') ?? 80),
      ({ url }): HttpSaid => {
        const path = posix.normalize(decodeURIComponent(url.pathname))
        let host: string
        try {
          host = context.files.host(path)
        } catch {
          // A link out of the container.
          return { status: 403, body: '403 Forbidden\n' }
        }
        if (!existsSync(host)) return { status: 404, body: '404 page not found\n' }
        if (!statSync(host).isDirectory()) return { type: 'application/octet-stream', body: readFileSync(host) }
        const links = readdirSync(host)
          .sort()
          .map((name) => `<a href="${name}">${name}</a>\n`)
        return { type: 'text/html; charset=utf-8', body: `<pre>\n${links.join('')}</pre>\n` }
      },
      { failed },
    )
  })
}

/** A file that a variable names. */
const readFile = ({ env, files }: ProcessContext, variable: string, otherwise: string): string =>
  readFileSync(files.host(env.get(variable) ?? otherwise), 'utf8')

/** Serves what the variables `SERVE_PORT_N` say on the ports N. */
export const porter: Program = (context) => {
  const { flags } = parseFlags(context.args, BOOLEANS)
  const said = (method: string, value: string): HttpSaid =>
    flags.get('json-response') === 'true'
      ? { type: 'application/json', body: JSON.stringify({ Method: method, Body: value }) }
      : { body: value, ...(value.startsWith('<') ? { type: 'text/html; charset=utf-8' } : {}) }
  return untilExit(context, (failed) => {
    for (const [name, value] of context.env) {
      const [, tls, port] = /^SERVE_(TLS_)?PORT_(\d+)$/.exec(name) ?? []
      if (port === undefined) continue
      const own =
        tls === undefined ? {} : { tls: { cert: readFile(context, 'CERT_FILE', '/localhost.crt'), key: readFile(context, 'KEY_FILE', '/localhost.key') } }
      serveHttp(context, Number(port), ({ method }) => said(method, value), { failed, ...own })
    }
  })
}

/** Remembers who wrote to it. */
export const nettest: Program = (context) => {
  const { flags } = parseFlags(context.args)
  const received = new Map<string, number>()
  const errors: string[] = []
  return untilExit(context, (failed) => {
    serveHttp(
      context,
      Number(flags.get('port') ?? 8080),
      ({ url, body }): HttpSaid => {
        switch (url.pathname) {
          case '/quit':
            throw new ProcessExit(0)
          case '/status':
            return { body: received.size >= Number(flags.get('peers') ?? 8) ? 'pass' : 'running' }
          case '/write': {
            const source = sourceOf(body.toString('utf8'))
            if (source === '') errors.push(`${context.hostname}: Got request with no source`)
            else received.set(source, (received.get(source) ?? 0) + 1)
            return { body: `${JSON.stringify({ Hostname: context.hostname })}\n` }
          }
          case '/read':
            return {
              body: JSON.stringify(
                { Hostname: context.hostname, Sent: null, Received: Object.fromEntries(received), Errors: errors, Log: null, StillContactingPeers: true },
                null,
                '\t',
              ),
            }
          default:
            return { status: 404, body: '404 page not found\n' }
        }
      },
      { failed },
    )
  })
}

function sourceOf(text: string): string {
  try {
    const { Source } = JSON.parse(text) as { Source?: string }
    return Source ?? ''
  } catch {
    return ''
  }
}
