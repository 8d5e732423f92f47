import { readFileSync } from 'node:fs'
import type { ProcessContext, Program } from '../../shell/process.ts'
import { admissionWebhook } from './admissionWebhook.ts'
import { conversionWebhook } from './conversionWebhook.ts'
import { durationMs, parseFlags } from './flags.ts'
import { guestbook } from './guestbook.ts'
import { log, untilExit } from './httpServer.ts'
import { mountTest } from './mountTest.ts'
import { netexec } from './netexec.ts'
import { liveness, nettest, porter, serveHostname, testWebserver } from './servers.ts'

const pause: Program = (context) => {
  context.out('Paused\n')
  return untilExit(context, () => undefined)
}

const METHODS = ['GET', 'POST', 'PUT']
const NAMESPACES = ['kube-system', 'default', 'ns']
const LEAST_STATUS = 200
const STATUSES = 400

/** So many lines, evenly over so long a time. */
const logsGenerator: Program = async (context) => {
  const { flags } = parseFlags(context.args)
  const lines = Number(flags.get('log-lines-total') ?? flags.get('t') ?? 0)
  const runMs = durationMs(flags.get('run-duration') ?? flags.get('d') ?? '') ?? 0
  if (lines <= 0 || runMs <= 0) {
    log(context, lines <= 0 ? `Invalid total number of lines: ${String(lines)}` : `Invalid duration: ${String(runMs)}ms`)
    return 255
  }
  for (let line = 0; line < lines; line++) {
    const at = new Date(context.clock.now()).toISOString()
    const status = LEAST_STATUS + ((line * 37) % STATUSES)
    context.err(
      `I${at.slice(5, 7)}${at.slice(8, 10)} ${at.slice(11, 23)}000       1 logs_generator.go:76] ${String(line)} ${METHODS[line % METHODS.length] ?? ''} /api/v1/namespaces/${NAMESPACES[line % NAMESPACES.length] ?? ''}/pods/p${String(line)} ${String(status)}\n`,
    )
    await context.clock.sleep(runMs / lines, { signal: context.signal })
  }
  return 0
}

const resolvWords = ({ files }: ProcessContext, word: string): string[] =>
  readFileSync(files.host('/etc/resolv.conf'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(word))
    .flatMap((line) => line.split(' ').slice(1))

const SUBCOMMANDS: ReadonlyMap<string, Program> = new Map<string, Program>([
  ['crd-conversion-webhook', conversionWebhook],
  ['dns-suffix', (context) => (context.out(`${resolvWords(context, 'search').join(',')}\n`), 0)],
  ['dns-server-list', (context) => (context.out(`${resolvWords(context, 'nameserver').join(',')}\n`), 0)],
  ['etc-hosts', ({ files, out }) => (out(readFileSync(files.host('/etc/hosts'), 'utf8')), 0)],
  ['guestbook', guestbook],
  ['liveness', liveness],
  ['logs-generator', logsGenerator],
  ['mounttest', mountTest],
  ['netexec', netexec],
  ['nettest', nettest],
  ['pause', pause],
  ['porter', porter],
  ['serve-hostname', serveHostname],
  ['test-webserver', testWebserver],
  ['webhook', admissionWebhook],
])

function agnhost(path: string): Program {
  return (context) => {
    const [name = '', ...args] = context.args
    if (name === 'entrypoint-tester') return (context.out(`[${[path, ...context.args].join(' ')}]\n`), 0)
    const program = SUBCOMMANDS.get(name)
    if (program !== undefined) return program({ ...context, args })
    context.err(name === '' ? 'Usage:\n  app [command]\n' : `Error: unknown command ${JSON.stringify(name)} for "app"\nRun 'app --help' for usage.\n`)
    return name === '' ? 0 : 1
  }
}

/**
 * The test program of upstream's end-to-end tests, as far as a simulated container carries it: what it prints and serves.
 *
 * @see kubernetes test/images/agnhost/README.md
 */
export const agnhostPrograms: ReadonlyMap<string, Program> = new Map([
  ['agnhost', agnhost('/agnhost')],
  ['agnhost-2', agnhost('/agnhost-2')],
])
