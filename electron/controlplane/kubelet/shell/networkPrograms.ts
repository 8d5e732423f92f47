import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { readFileSync, writeFileSync } from 'node:fs'
import type { ProcessContext, Program } from './process.ts'

export interface HttpOptions {
  method: string
  headers: Record<string, string>
  body: string | null
  /** Accepts any certificate. */
  insecure: boolean
  followRedirects: boolean
  timeoutSeconds: number
}

export interface HttpAnswer {
  status: number
  statusText: string
  headers: [string, string][]
  body: Buffer
  address: string
}

/** The step that failed, for the exit code, and what to say. */
export class HttpFault extends Error {
  override readonly name = 'HttpFault'
  readonly step: 'url' | 'resolve' | 'connect' | 'transfer' | 'timeout'

  constructor(step: HttpFault['step'], message: string) {
    super(message)
    this.step = step
  }
}

const MAX_REDIRECTS = 20

/** One HTTP request, as a program of the context makes it. @throws HttpFault */
export async function fetchHttp(context: Pick<ProcessContext, 'clock' | 'signal' | 'network'>, text: string, options: HttpOptions): Promise<HttpAnswer> {
  const late = new AbortController()
  const cancel =
    options.timeoutSeconds > 0
      ? context.clock.schedule(options.timeoutSeconds * 1000, () => {
          late.abort()
        })
      : () => undefined
  try {
    return await follow(context, text, options, AbortSignal.any([context.signal, late.signal]))
  } catch (error) {
    context.signal.throwIfAborted()
    if (late.signal.aborted) throw new HttpFault('timeout', `Operation timed out after ${String(options.timeoutSeconds * 1000)} milliseconds`)
    throw error instanceof HttpFault ? error : new HttpFault('transfer', error instanceof Error ? error.message : String(error))
  } finally {
    cancel()
  }
}

async function follow(context: Pick<ProcessContext, 'network'>, text: string, options: HttpOptions, signal: AbortSignal): Promise<HttpAnswer> {
  let url = parseUrl(text)
  for (let turn = 0; ; turn++) {
    const answer = await once(context, url, options, signal)
    const location = answer.headers.find(([name]) => name.toLowerCase() === 'location')?.[1]
    if (!options.followRedirects || answer.status < 300 || answer.status >= 400 || location === undefined || turn >= MAX_REDIRECTS) return answer
    url = new URL(location, url)
  }
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`)
    if (url.protocol === 'http:' || url.protocol === 'https:') return url
  } catch {
    // Told below.
  }
  throw new HttpFault('url', `bad URL: ${text}`)
}

async function once(context: Pick<ProcessContext, 'network'>, url: URL, options: HttpOptions, signal: AbortSignal): Promise<HttpAnswer> {
  const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port)
  const [address] = await context.network.resolve(url.hostname, signal)
  if (address === undefined) throw new HttpFault('resolve', url.hostname)
  const plain = await context.network.connect({ address, port }, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new HttpFault('connect', `${url.hostname} port ${String(port)}: ${error instanceof Error ? error.message : String(error)}`)
  })
  const connection: Duplex = url.protocol === 'https:' ? connectTls({ socket: plain, servername: url.hostname, rejectUnauthorized: !options.insecure }) : plain
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      connection.on('error', reject)
      const asked = httpRequest({
        createConnection: () => connection,
        method: options.method,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host, accept: '*/*', ...options.headers, ...(options.body === null ? {} : { 'content-length': Buffer.byteLength(options.body) }) },
        signal,
      })
      asked.on('response', resolve)
      asked.on('error', reject)
      asked.end(options.body ?? undefined)
    })
    const parts: Buffer[] = []
    for await (const part of response as AsyncIterable<Buffer>) parts.push(part)
    const { rawHeaders, statusCode = 0, statusMessage = '' } = response
    const headers = rawHeaders.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? '']] : []))
    return { status: statusCode, statusText: statusMessage, headers, body: Buffer.concat(parts), address }
  } finally {
    connection.destroy()
  }
}

const headText = ({ status, statusText, headers }: HttpAnswer): string =>
  `HTTP/1.1 ${String(status)} ${statusText}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`

const CURL_VALUED = new Set([
  '-X',
  '--request',
  '-H',
  '--header',
  '-d',
  '--data',
  '--data-raw',
  '-o',
  '--output',
  '-w',
  '--write-out',
  '-m',
  '--max-time',
  '--connect-timeout',
  '-A',
  '--user-agent',
  '--cacert',
  '--retry',
  '--interface',
])

/** Short flags that stand together, each apart. */
function curlWords(args: string[]): string[] {
  return args.flatMap((arg) => {
    if (!/^-[A-Za-z]{2,}/.test(arg)) return [arg]
    const words: string[] = []
    for (let index = 1; index < arg.length; index++) {
      const flag = `-${arg.charAt(index)}`
      words.push(flag)
      if (!CURL_VALUED.has(flag)) continue
      if (index + 1 < arg.length) words.push(arg.slice(index + 1))
      break
    }
    return words
  })
}

const curl: Program = async (context) => {
  const { out, err, files, workingDirectory } = context
  const values = new Map<string, string[]>()
  const flags = new Set<string>()
  const urls: string[] = []
  const words = curlWords(context.args)
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ''
    if (CURL_VALUED.has(word)) values.set(word, [...(values.get(word) ?? []), words[++index] ?? ''])
    else if (word.startsWith('-')) flags.add(word)
    else urls.push(word)
  }
  const value = (...names: string[]): string | undefined => names.flatMap((name) => values.get(name) ?? []).at(-1)
  const flag = (...names: string[]): boolean => names.some((name) => flags.has(name))
  const data = ['-d', '--data', '--data-raw']
    .flatMap((name) => values.get(name) ?? [])
    .map((text) => (text.startsWith('@') ? readFileSync(files.host(text.slice(1), workingDirectory), 'utf8') : text))
  const body = data.length === 0 ? null : data.join('&')
  const headers = Object.fromEntries(
    ['-H', '--header']
      .flatMap((name) => values.get(name) ?? [])
      .map((text) => [text.slice(0, text.indexOf(':')).toLowerCase(), text.slice(text.indexOf(':') + 1).trim()]),
  )
  if (urls.length === 0) return (err('curl: (2) no URL specified\n'), 2)
  const head = flag('-I', '--head')
  for (const url of urls) {
    let answer: HttpAnswer
    try {
      answer = await fetchHttp(context, url, {
        method: value('-X', '--request') ?? (head ? 'HEAD' : body === null ? 'GET' : 'POST'),
        body,
        insecure: flag('-k', '--insecure'),
        followRedirects: flag('-L', '--location'),
        headers: {
          'user-agent': value('-A', '--user-agent') ?? 'curl/8',
          ...(body === null ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
          ...headers,
        },
        timeoutSeconds: Number(value('-m', '--max-time', '--connect-timeout') ?? 0),
      })
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error
      const [code, message] = (
        {
          url: [3, error.message],
          resolve: [6, `Could not resolve host: ${error.message}`],
          connect: [7, `Failed to connect to ${error.message}`],
          transfer: [56, error.message],
          timeout: [28, error.message],
        } as const
      )[error.step]
      if (!flag('-s', '--silent') || flag('-S', '--show-error')) err(`curl: (${String(code)}) ${message}\n`)
      if (value('-w', '--write-out') !== undefined) out((value('-w', '--write-out') ?? '').replaceAll('%{http_code}', '000').replaceAll('\\n', '\n'))
      return code
    }
    const failed = flag('-f', '--fail') && answer.status >= 400
    if (flag('-v', '--verbose')) err(`* Connected to ${answer.address}\n< ${headText(answer).trimEnd().replaceAll('\r\n', '\n< ')}\n`)
    const shown = Buffer.concat([Buffer.from(flag('-i', '--include') || head ? headText(answer) : ''), failed ? Buffer.alloc(0) : answer.body])
    const target = value('-o', '--output') ?? (flag('-O', '--remote-name') ? parseUrl(url).pathname.split('/').at(-1) : undefined)
    if (target === undefined) out(shown)
    else if (target !== '/dev/null') writeFileSync(files.hostToChange(target, workingDirectory), shown)
    const format = value('-w', '--write-out')
    if (format !== undefined)
      out(
        format
          .replaceAll('%{http_code}', String(answer.status))
          .replaceAll('%{size_download}', String(answer.body.length))
          .replaceAll('%{remote_ip}', answer.address)
          .replaceAll('\\n', '\n'),
      )
    if (failed) return (err(`curl: (22) The requested URL returned error: ${String(answer.status)}\n`), 22)
  }
  return 0
}

/** BusyBox's. */
const wget: Program = async (context) => {
  const { args, out, err, files, workingDirectory } = context
  const joined = args.join(' ')
  const quiet = args.some((arg) => /^-[a-zA-Z]*q/.test(arg)) || args.includes('--quiet')
  const toStdout = /(^| )-[a-zA-Z]*O ?-( |$)/.test(joined) || joined.includes('--output-document=-')
  const target = /(?:^| )-[a-zA-Z]*O ?([^ -]\S*)/.exec(joined)?.[1]
  const timeoutSeconds = Number(/(?:-T ?|--timeout[= ])(\d+)/.exec(joined)?.[1] ?? 0)
  const url = args.filter((arg, index) => !arg.startsWith('-') && !/^-[a-zA-Z]*[OT]$/.test(args[index - 1] ?? '') && args[index - 1] !== '--timeout').at(-1)
  if (url === undefined) return (err('wget: missing URL\n'), 1)
  try {
    const parsed = parseUrl(url)
    const posted = args.find((arg) => arg.startsWith('--post-data='))?.slice('--post-data='.length)
    const answer = await fetchHttp(context, url, {
      method: posted === undefined ? 'GET' : 'POST',
      headers: { 'user-agent': 'Wget', ...(posted === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }) },
      body: posted ?? null,
      insecure: args.includes('--no-check-certificate'),
      followRedirects: true,
      timeoutSeconds,
    })
    if (!quiet) err(`Connecting to ${parsed.host} (${answer.address}:${parsed.port === '' ? (parsed.protocol === 'https:' ? '443' : '80') : parsed.port})\n`)
    if (args.includes('-S')) err(headText(answer).trimEnd().replace(/^/gm, '  ') + '\n')
    if (answer.status >= 400) return (err(`wget: server returned error: HTTP/1.1 ${String(answer.status)} ${answer.statusText}\n`), 1)
    if (args.includes('--spider')) return 0
    if (toStdout) out(answer.body)
    else {
      const name = target ?? (parsed.pathname.split('/').at(-1) || 'index.html')
      writeFileSync(files.hostToChange(name, workingDirectory), answer.body)
      if (!quiet) err(`saving to '${name}'\n'${name}' saved\n`)
    }
    return 0
  } catch (error) {
    if (!(error instanceof HttpFault)) throw error
    const reason = error.message.split(': ').at(-1) ?? error.message
    err(
      `wget: ${error.step === 'resolve' ? `bad address '${error.message}'` : error.step === 'connect' ? `can't connect to remote host: ${reason}` : error.step === 'timeout' ? 'download timed out' : error.message}\n`,
    )
    return 1
  }
}

/** `nc -z HOST PORT`, a connection on stdin and stdout, and with -u a datagram and its answer. */
const nc: Program = async (context) => {
  const { args, input, out, err, network, signal } = context
  const [host = '', port = ''] = args.filter((arg, index) => !arg.startsWith('-') && !/^-[a-z]*w$/.test(args[index - 1] ?? ''))
  const short = (flag: string): boolean => args.some((arg) => /^-[a-z0-9]+$/.test(arg) && arg.includes(flag))
  const [address] = await network.resolve(host, signal)
  if (address === undefined) return (err(`nc: bad address '${host}'\n`), 1)
  if (short('u')) return datagram(context, { host, address, port })
  let connection: Duplex
  try {
    connection = await network.connect({ address, port: Number(port) }, signal)
  } catch (error) {
    err(`nc: ${host} (${address}:${port}): ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
  if (short('v')) err(`${host} (${address}:${port}) open\n`)
  if (!short('z')) {
    const sending = (async (): Promise<void> => {
      for (let bytes = await input.readBytes(); bytes !== null; bytes = await input.readBytes()) connection.write(bytes)
    })()
    sending.catch(() => undefined)
    for await (const part of connection as AsyncIterable<Buffer>) out(part)
  }
  connection.destroy()
  return 0
}

const DATAGRAM_SECONDS = 5

async function datagram(context: ProcessContext, { host, address, port }: { host: string; address: string; port: string }): Promise<number> {
  const { args, input, out, err, network, clock, signal } = context
  if (args.some((arg) => /^-[a-z]*z/.test(arg))) return (err(`${host} (${address}:${port}) open\n`), 0)
  const seconds = Number(args[args.findIndex((arg) => /^-[a-z]*w$/.test(arg)) + 1] ?? DATAGRAM_SECONDS) || DATAGRAM_SECONDS
  const late = new AbortController()
  const cancel = clock.schedule(seconds * 1000, () => {
    late.abort(new Error('timed out'))
  })
  try {
    out(await network.exchange({ address, port: Number(port) }, Buffer.from(await input.readAll()), AbortSignal.any([signal, late.signal])))
    return 0
  } catch (error) {
    signal.throwIfAborted()
    if (late.signal.aborted) return 0
    err(`nc: ${host} (${address}:${port}): ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  } finally {
    cancel()
  }
}

/** Programs that talk to the pod network. */
export const networkPrograms: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['curl', curl],
  ['wget', wget],
  ['nc', nc],
])
