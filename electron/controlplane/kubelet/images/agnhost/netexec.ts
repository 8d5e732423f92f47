import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fetchHttp } from '../../shell/networkPrograms.ts'
import { textOf, type ProcessContext, type Program } from '../../shell/process.ts'
import { durationMs, parseFlags } from './flags.ts'
import { log, ProcessExit, serveHttp, untilExit, type HttpAsked, type HttpSaid } from './httpServer.ts'

const DIAL_SECONDS = 5

/** A server that tells who it is and who asks, and does what it is asked: dial others, run commands, end. */
export const netexec: Program = (context) => {
  const { flags } = parseFlags(context.args)
  const httpPort = Number(flags.get('http-port') ?? 8080)
  const udpPort = Number(flags.get('udp-port') ?? 8081)
  const override = flags.get('http-override')
  const certFile = flags.get('tls-cert-file') ?? ''
  const read = (path: string): string => readFileSync(context.files.host(path), 'utf8')
  const tls = certFile === '' ? {} : { tls: { cert: read(certFile), key: read(flags.get('tls-private-key-file') ?? '') } }
  return untilExit(context, (failed) => {
    const handler = (asked: HttpAsked): HttpSaid | Promise<HttpSaid> => {
      if (override === undefined) return route(context, asked, failed)
      const url = new URL(override, 'http://container')
      return route(context, { ...asked, method: 'GET', url, form: url.searchParams }, failed)
    }
    serveHttp(context, httpPort, handler, { failed, ...tls })
    context.sockets?.receive(udpPort, (message, from) => datagram(context, message.toString('utf8'), from))
    log(context, `Started HTTP server on port ${String(httpPort)}`)
    log(context, `Started UDP server on port  ${String(udpPort)}`)
  })
}

function datagram(context: ProcessContext, text: string, from: string): Buffer | null {
  const command = text.trim()
  if (command.toLowerCase() === 'hostname') return Buffer.from(context.hostname)
  if (command.startsWith('echo ')) return Buffer.from(command.slice(5))
  if (command === 'clientip') return Buffer.from(from)
  log(context, `Unknown udp command received: ${command}`)
  return null
}

function route(context: ProcessContext, asked: HttpAsked, failed: (error: unknown) => void): HttpSaid | Promise<HttpSaid> {
  const { url, form, from } = asked
  const value = (name: string): string => form.get(name) ?? ''
  switch (url.pathname) {
    case '/clientip':
      log(context, 'GET /clientip')
      return { body: `${from}:${String(32768 + (context.clock.now() % 28232))}` }
    case '/dial':
      return dial(context, value)
    case '/echo':
      log(context, `GET /echo?msg=${value('msg')}&code=${value('code')}`)
      return { status: value('code') === '' ? 200 : Number(value('code')), body: value('msg') }
    case '/exit':
      return exit(context, value, failed)
    case '/healthz':
      log(context, 'GET /healthz')
      return {}
    case '/hostname':
    case '/hostName':
      log(context, `GET ${url.pathname}`)
      return { body: context.hostname }
    case '/redirect':
      log(context, `GET /redirect?location=${value('location')}&code=${value('code')}`)
      return { status: value('code') === '' ? 302 : Number(value('code')), headers: { location: value('location') } }
    case '/shell':
      return shell(context, value('shellCommand') === '' ? value('cmd') : value('shellCommand'))
    case '/shutdown':
      log(context, 'GET /shutdown')
      throw new ProcessExit(0)
    case '/upload':
      return upload(context, asked)
    default:
      log(context, 'GET /')
      return { body: `NOW: ${new Date(context.clock.now()).toISOString()}` }
  }
}

const bad = (text: string): HttpSaid => ({ status: 400, body: `${text}\n` })

async function dial(context: ProcessContext, value: (name: string) => string): Promise<HttpSaid> {
  const [host, port, request, tries] = [value('host'), value('port'), value('request'), value('tries')]
  const protocol = value('protocol').toLowerCase() || 'http'
  log(context, `GET /dial?host=${host}&protocol=${value('protocol')}&port=${port}&request=${request}&tries=${tries}`)
  if (tries !== '' && !/^\d+$/.test(tries)) return bad(`tries parameter is invalid. strconv.Atoi: parsing ${JSON.stringify(tries)}: invalid syntax`)
  if (request === '') return bad('request parameter not specified. <nil>')
  if (protocol !== 'http' && protocol !== 'udp') return bad(`unsupported protocol. ${protocol}`)
  const responses: string[] = []
  const errors: string[] = []
  for (let turn = 0; turn < (tries === '' ? 1 : Number(tries)); turn++) {
    try {
      responses.push(protocol === 'http' ? await dialHttp(context, host, port, request) : await dialUdp(context, host, Number(port), request))
    } catch (error) {
      context.signal.throwIfAborted()
      errors.push(error instanceof Error ? error.message : String(error))
    }
  }
  return { body: JSON.stringify({ ...(errors.length > 0 ? { errors } : {}), ...(responses.length > 0 ? { responses } : {}) }) }
}

async function dialHttp(context: ProcessContext, host: string, port: string, request: string): Promise<string> {
  const options = { method: 'GET', headers: {}, body: null, insecure: false, followRedirects: true, timeoutSeconds: DIAL_SECONDS }
  return (await fetchHttp(context, `http://${host}:${port}/${request}`, options)).body.toString('utf8')
}

async function dialUdp({ network, clock, signal }: ProcessContext, host: string, port: number, request: string): Promise<string> {
  const [address] = await network.resolve(host, signal)
  if (address === undefined) throw new Error(`udp dial failed. err:lookup ${host}: no such host`)
  const late = new AbortController()
  const cancel = clock.schedule(DIAL_SECONDS * 1000, () => {
    late.abort(new Error(`reading from udp connection failed. err:'read udp ${address}:${String(port)}: i/o timeout'`))
  })
  try {
    return (await network.exchange({ address, port }, Buffer.from(request), AbortSignal.any([signal, late.signal]))).toString('utf8')
  } finally {
    cancel()
  }
}

async function exit(context: ProcessContext, value: (name: string) => string, failed: (error: unknown) => void): Promise<HttpSaid> {
  const [code, timeout, wait] = [value('code'), value('timeout'), value('wait')]
  log(context, `GET /exit?code=${code}&timeout=${timeout}&wait=${wait}`)
  const waitMs = wait === '' ? 0 : durationMs(wait)
  const timeoutMs = timeout === '' ? 0 : durationMs(timeout)
  if (timeoutMs === null) return { body: `argument 'timeout' must be a valid golang duration or empty, got ${JSON.stringify(timeout)}\n` }
  if (waitMs === null) return { body: `argument 'wait' must be a valid golang duration or empty, got ${JSON.stringify(wait)}\n` }
  if (!/^\d*$/.test(code)) return { body: `argument 'code' must be an integer [0-127] or empty, got ${JSON.stringify(code)}\n` }
  log(context, `Will begin shutdown in ${wait || '0s'}, allowing ${timeout || '0s'} for connections to close, then will exit with ${code || '0'}`)
  if (waitMs > 0) await context.clock.sleep(waitMs, { signal: context.signal })
  if (timeoutMs === 0) throw new ProcessExit(Number(code))
  context.clock.schedule(1, () => {
    failed(new ProcessExit(Number(code)))
  })
  return {}
}

async function shell(context: ProcessContext, command: string): Promise<HttpSaid> {
  log(context, `GET /shell?cmd=${command}`)
  let output = ''
  const code = await context.spawn(['sh', '-c', command], {
    out: (piece) => (output += textOf(piece)),
    err: (text) => (output += text),
  })
  const said = { ...(code === 0 ? {} : { error: `exit status ${String(code)}` }), ...(output === '' ? {} : { output }) }
  log(
    context,
    `Output: map[${Object.entries(said)
      .map(([key, text]) => `${key}:${text}`)
      .join(' ')}]`,
  )
  return { body: JSON.stringify(said) }
}

/** The first file of a multipart form. */
function upload(context: ProcessContext, { headers, body }: HttpAsked): HttpSaid {
  log(context, 'GET /upload')
  const boundary = /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1]
  const text = body.toString('latin1')
  const start = boundary === undefined ? -1 : text.indexOf('\r\n\r\n')
  const end = text.indexOf(`\r\n--${boundary ?? ''}`, start)
  if (start < 0 || end < 0) return { body: JSON.stringify({ error: 'Unable to upload file.' }) }
  const name = `/uploads/upload${String(Math.floor(context.clock.now() * 1000) % 1_000_000_000)}`
  mkdirSync(context.files.hostToChange('/uploads'), { recursive: true })
  const host = context.files.hostToChange(name)
  writeFileSync(host, Buffer.from(text.slice(start + 4, end), 'latin1'))
  chmodSync(host, 0o700)
  return { body: JSON.stringify({ output: name }) }
}
