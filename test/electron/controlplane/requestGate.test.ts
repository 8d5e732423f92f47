import { describe, expect, it } from 'vitest'
import type { Transport, TransportRequest, TransportResponse } from '#shared/kubernetes/transport.ts'
import { RequestGate } from '#electron/controlplane/requestGate.ts'

/** Answers when it is told to, in any order. */
class Slow implements Transport {
  readonly asked: string[] = []
  readonly #answers = new Map<string, (response: TransportResponse) => void>()

  request({ path }: TransportRequest): Promise<TransportResponse> {
    this.asked.push(path)
    return new Promise((resolve) => this.#answers.set(path, resolve))
  }
  stream(): Promise<never> {
    return Promise.reject(new Error('not asked for'))
  }
  async answer(path: string): Promise<void> {
    this.#answers.get(path)?.({ status: 200, headers: {}, body: new Uint8Array() })
    await settle()
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/w1'

describe('RequestGate', () => {
  const ask = (transport: Transport, path: string, signal = new AbortController().signal): Promise<TransportResponse> =>
    transport.request({ method: 'GET', path, signal })

  it('lets so many through, the others in order, and Leases before all', async () => {
    const slow = new Slow()
    const gate = new RequestGate(2)
    const [one, two] = [gate.through(slow), gate.through(slow)]
    const asked = [ask(one, '/a'), ask(two, '/b'), ask(one, '/c'), ask(two, '/d'), ask(one, LEASE)]
    await settle()
    expect(slow.asked).toEqual(['/a', '/b'])
    await slow.answer('/b')
    expect(slow.asked).toEqual(['/a', '/b', LEASE])
    await slow.answer('/a')
    await slow.answer(LEASE)
    expect(slow.asked).toEqual(['/a', '/b', LEASE, '/c', '/d'])
    await slow.answer('/c')
    await slow.answer('/d')
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    const late = ask(one, '/e')
    await settle()
    await slow.answer('/e')
    expect((await late).status).toBe(200)
  })

  it('forgets a request that is given up while it waits', async () => {
    const slow = new Slow()
    const transport = new RequestGate(1).through(slow)
    const first = ask(transport, '/a')
    const given = new AbortController()
    const second = expect(ask(transport, '/b', given.signal)).rejects.toThrow('given up')
    const third = ask(transport, '/c')
    given.abort(new Error('given up'))
    await second
    await settle()
    await slow.answer('/a')
    await slow.answer('/c')
    expect(slow.asked).toEqual(['/a', '/c'])
    await Promise.all([first, third])
  })
})
