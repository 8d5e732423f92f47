import { fetchHttp } from '../../shell/networkPrograms.ts'
import type { ProcessContext, Program } from '../../shell/process.ts'
import { parseFlags } from './flags.ts'
import { log, serveHttp, untilExit, type HttpAsked, type HttpSaid } from './httpServer.ts'

const REGISTER_MS = 15_000
const RETRY_MS = 1_000
const DIAL_SECONDS = 5

/** A store of keys and values: a primary that passes changes on, replicas that register with it, and a front end before both. */
export const guestbook: Program = (context) => {
  const { flags } = parseFlags(context.args)
  const backendPort = flags.get('backend-port') ?? '6379'
  const primary = flags.get('replicaof') ?? ''
  const store = new Map<string, string>()
  const replicas: string[] = []
  const dial = async (host: string, request: string): Promise<string> => {
    const options = { method: 'GET', headers: {}, body: null, insecure: false, followRedirects: true, timeoutSeconds: DIAL_SECONDS }
    return (await fetchHttp(context, `http://${host}:${backendPort}/${request}`, options)).body.toString('utf8')
  }
  const refused = (text: string, status = 400): HttpSaid => ({ status, body: `${text}\n` })
  const handler = async ({ url, form, from }: HttpAsked): Promise<HttpSaid> => {
    const [key, value, command] = [form.get('key') ?? '', form.get('value') ?? '', (form.get('cmd') ?? '').toLowerCase()]
    switch (url.pathname) {
      case '/register': {
        log(context, `GET /register?host=${form.get('host') ?? ''}`)
        replicas.push(form.get('host') ?? from)
        log(context, `Node '${form.get('host') ?? ''}' registered.`)
        return { body: JSON.stringify({ data: Object.fromEntries(store) }) }
      }
      case '/get':
        log(context, `GET /get?key=${key}`)
        return { body: JSON.stringify({ data: key === '' ? Object.fromEntries(store) : (store.get(key) ?? '') }) }
      case '/set': {
        log(context, `GET /set?key=${key}&value=${value}`)
        if (key === '') return refused('cannot set with empty key.')
        store.set(key, value)
        for (const replica of replicas) {
          try {
            await dial(replica, `set?key=${encodeURIComponent(key)}&value=${encodeURIComponent(value)}`)
          } catch (error) {
            return refused(`encountered error while propagating to replica '${replica}': ${messageOf(error)}`, 417)
          }
        }
        return { body: JSON.stringify({ message: 'Updated' }) }
      }
      case '/guestbook': {
        log(context, `GET /guestbook?cmd=${command}&key=${key}&value=${value}`)
        if (command !== 'get' && command !== 'set') return refused(`unsupported cmd: '${command}'`)
        if (command === 'set' && key === '') return refused('cannot set with empty key.')
        const host = command === 'get' ? 'agnhost-replica' : 'agnhost-primary'
        try {
          return { body: await dial(host, `${command}?key=${encodeURIComponent(key)}&value=${encodeURIComponent(value)}`) }
        } catch (error) {
          return refused(`encountered error: ${messageOf(error)}`, 417)
        }
      }
      default:
        return { status: 404, body: '404 page not found\n' }
    }
  }
  return untilExit(context, (failed) => {
    serveHttp(context, Number(flags.get('http-port') ?? '80'), handler, { failed })
    if (primary !== '') register(context, { primary, backendPort, dial, store }).catch(failed)
  })
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

async function register(
  context: ProcessContext,
  {
    primary,
    backendPort,
    dial,
    store,
  }: { primary: string; backendPort: string; dial(host: string, request: string): Promise<string>; store: Map<string, string> },
): Promise<void> {
  const endMs = context.clock.now() + REGISTER_MS
  for (; context.clock.now() < endMs; await context.clock.sleep(RETRY_MS, { signal: context.signal })) {
    try {
      const [own = ''] = await context.network.resolve(context.hostname, context.signal)
      log(context, `Registering to primary: ${primary}:${backendPort}/register?host=${own}`)
      const { data } = JSON.parse(await dial(primary, `register?host=${own}`)) as { data: Record<string, string> }
      for (const [key, value] of Object.entries(data)) store.set(key, value)
      log(context, `Registered to node: ${primary}`)
      return
    } catch (error) {
      context.signal.throwIfAborted()
      log(context, `encountered error while registering to primary: ${messageOf(error)}. Retrying in 1s.`)
    }
  }
  log(context, 'Timed out while registering to primary.')
}
