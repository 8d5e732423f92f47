import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout, clearTimeout } from 'node:timers'
import type { Random } from '#shared/base/random.ts'

/** A TCP way to a port that cuts connections some time after they were made, as many as it is told to. */
export interface CuttingProxy {
  port: number
  /** The next `count` connections that live long enough are cut, besides one that is open now. */
  arm(count: number): void
  /** Connections cut so far. */
  readonly cuts: number
  close(): Promise<void>
}

export async function startCuttingProxy(
  target: number,
  { random, shortestMs, longestMs }: { random: Random; shortestMs: number; longestMs: number },
): Promise<CuttingProxy> {
  const open = new Set<Socket>()
  const pending = new Set<() => void>()
  let cuts = 0
  let left = 0
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    let timer: NodeJS.Timeout | undefined
    const plan = (): void => {
      timer ??= setTimeout(
        () => {
          timer = undefined
          if (left === 0) return
          left -= 1
          cuts += 1
          near.destroy()
          far.destroy()
        },
        shortestMs + random.below(longestMs - shortestMs),
      )
    }
    pending.add(plan)
    if (left > 0) plan()
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        clearTimeout(timer)
        pending.delete(plan)
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
    arm: (count) => {
      left = count
      for (const plan of pending) plan()
    },
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
