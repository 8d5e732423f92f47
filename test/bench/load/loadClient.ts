import { Http1Connection, http1Request } from './http1Connection.ts'
import type { Done, Report, Requests, Watches, Work } from './work.ts'

const send = (report: Report): void => {
  process.send?.(report)
}

async function requests(work: Requests): Promise<Done> {
  const { method, path, headers = {}, body, from = 0, count, expect } = work
  const varies = path.includes('{i}') || body?.includes('{i}') === true
  const made = (index: number): Buffer =>
    http1Request(method, path.replaceAll('{i}', String(index)), { headers, ...(body === undefined ? {} : { body: body.replaceAll('{i}', String(index)) }) })
  const same = varies ? null : made(0)
  const all = varies ? Array.from({ length: count }, (_, index) => made(from + index)) : []
  const connections = await Promise.all(Array.from({ length: work.connections }, () => Http1Connection.open(work.target)))
  const latenciesMs: number[] = []
  let bytes = 0
  let next = 0
  const cpu = process.cpuUsage()
  const started = performance.now()
  await Promise.all(
    connections.map(async (connection) => {
      for (;;) {
        const index = next++
        const request = same ?? all[index]
        if (index >= count || request === undefined) return
        const before = performance.now()
        const answer = await connection.request(request)
        latenciesMs.push(performance.now() - before)
        bytes += answer.bytes
        if (answer.status !== expect) throw new Error(`${method} ${path} (${String(from + index)}) was answered with ${String(answer.status)}`)
      }
    }),
  )
  const elapsedMs = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  for (const connection of connections) connection.close()
  latenciesMs.sort((a, b) => a - b)
  return { type: 'done', elapsedMs, latenciesMs, bytes, clientCpuMs: (user + system) / 1000 }
}

const EVENT = Buffer.from('{"type":"')

async function watches({ target, path, watchers, events }: Watches): Promise<Done> {
  const connections = await Promise.all(Array.from({ length: watchers }, () => Http1Connection.open(target)))
  let left = watchers
  let answered = 0
  let bytes = 0
  const all = Promise.withResolvers<undefined>()
  for (const connection of connections) {
    let seen = 0
    let begun = false
    let tail: Buffer = Buffer.alloc(0)
    connection.stream(http1Request('GET', path), (data) => {
      bytes += data.length
      // The answer's head comes at once, its first line only with the first event.
      if (!begun && ++answered >= watchers) send({ type: 'ready' })
      begun = true
      const text = tail.length === 0 ? data : Buffer.concat([tail, data])
      let at = text.indexOf(EVENT)
      let after = 0
      for (; at >= 0; at = text.indexOf(EVENT, after)) {
        seen++
        after = at + EVENT.length
      }
      tail = text.subarray(Math.max(after, text.length - EVENT.length + 1))
      if (seen >= events && left > 0) {
        seen = -Infinity
        if (--left === 0) all.resolve(undefined)
      }
    })
  }
  const cpu = process.cpuUsage()
  const started = performance.now()
  await all.promise
  const { user, system } = process.cpuUsage(cpu)
  for (const connection of connections) connection.close()
  return { type: 'done', elapsedMs: performance.now() - started, latenciesMs: [], bytes, clientCpuMs: (user + system) / 1000 }
}

process.on('message', (work: Work) => {
  ;(work.type === 'requests' ? requests(work) : watches(work)).then(send, (error: unknown) => {
    send({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  })
})
