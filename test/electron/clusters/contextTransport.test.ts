import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { SystemClock } from '#shared/base/clock.ts'
import { ContextTransport } from '../../../electron/clusters/contextTransport.ts'
import { parseKubeconfig } from '../../../electron/clusters/kubeconfig.ts'

let close: (() => void) | undefined
afterEach(() => close?.())

/** What the server was sent by one request through the context whose user has `fields`. */
async function sent(fields: string, headers?: Record<string, string[]>): Promise<[string, string][]> {
  let seen: IncomingMessage | undefined
  const server = createServer((request, response) => {
    seen = request
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const port = (server.address() as AddressInfo).port
  const [context] = parseKubeconfig(
    `clusters: [{ name: c, cluster: { server: "http://127.0.0.1:${String(port)}" } }]
users: [{ name: u, user: ${fields} }]
contexts: [{ name: x, context: { cluster: c, user: u } }]
current-context: x`,
    '/nowhere/config',
  )
  if (context === undefined) throw new Error('no context was read')
  const transport = new ContextTransport(context, new SystemClock())
  close = () => {
    transport.close()
    server.close()
  }
  await transport.request({ method: 'GET', path: '/version', signal: AbortSignal.timeout(5000), ...(headers === undefined ? {} : { headers }) })
  const raw = seen?.rawHeaders ?? []
  return raw.flatMap((name, index) => (index % 2 === 0 && /^impersonate-/i.test(name) ? [[name.toLowerCase(), raw[index + 1] ?? ''] as [string, string]] : []))
}

describe('impersonation by a kubeconfig', () => {
  it('sends each group and each value of extra as a header of its own', async () => {
    expect(await sent('{ as: anna, as-groups: ["a,b", c], as-uid: "7", as-user-extra: { acme.com/project: [p, q] } }')).toEqual([
      ['impersonate-user', 'anna'],
      ['impersonate-group', 'a,b'],
      ['impersonate-group', 'c'],
      ['impersonate-uid', '7'],
      ['impersonate-extra-acme.com%2Fproject'.toLowerCase(), 'p'],
      ['impersonate-extra-acme.com%2Fproject'.toLowerCase(), 'q'],
    ])
  })

  it('sends none without a user', async () => {
    expect(await sent('{ token: t, as-groups: [a] }')).toEqual([])
  })

  it('sends the values a request itself names one by one', async () => {
    expect(await sent('{ token: t }', { 'impersonate-group': ['x', 'y'] })).toEqual([
      ['impersonate-group', 'x'],
      ['impersonate-group', 'y'],
    ])
  })
})
