import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout, clearTimeout } from 'node:timers'
import type { Random } from '#shared/base/random.ts'

/** A TCP way to a port that cuts each connection some time after it was made. */
export interface CuttingProxy {
  port: number
  /** Connections cut so far. */
  readonly cuts: number
  close(): Promise<void>
}

export async function startCuttingProxy(
  target: number,
  { random, shortestMs, longestMs }: { random: Random; shortestMs: number; longestMs: number },
): Promise<CuttingProxy> {
  const open = new Set<Socket>()
  let cuts = 0
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    const timer = setTimeout(
      () => {
        cuts += 1
        near.destroy()
        far.destroy()
      },
      shortestMs + random.below(longestMs - shortestMs),
    )
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        clearTimeout(timer)
        open.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}
