import type { DnsAnswer } from '#shared/planning/cluster-dns/records.ts'
import { CoreDns, type CoreDnsOptions } from './coredns/coreDns.ts'
import type { Supervisor } from './supervisor.ts'

export interface SupervisedDns {
  /** UDP and TCP, on loopback; the same after the DNS was started again. */
  readonly port: number
  /** @throws Error while it is not there, or when the API server does not tell what there is */
  ask(name: string, type: string, signal: AbortSignal): Promise<DnsAnswer>
  close(): Promise<void>
}

/** The cluster's DNS as a part that is started again when it fails. @param port 0 picks one. @throws Error when the port is taken */
export async function superviseDns(supervisor: Supervisor, options: CoreDnsOptions, port: number): Promise<SupervisedDns> {
  const end = new AbortController()
  const listening = Promise.withResolvers<number>()
  let current: CoreDns | null = null
  let listensOn = port
  const running = supervisor.run('coredns', end.signal, async (signal) => {
    const dns = new CoreDns(options)
    try {
      listensOn = await dns.listen(listensOn)
      current = dns
      listening.resolve(listensOn)
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        else signal.addEventListener('abort', () => resolve(), { once: true })
      })
    } catch (error) {
      // Before it was there once, nobody waits for a free port: who starts the cluster is told.
      if (current === null) end.abort(error)
      listening.reject(error)
      throw error
    } finally {
      await dns.close()
    }
  })
  const ask = (name: string, type: string, signal: AbortSignal): Promise<DnsAnswer> =>
    current?.ask(name, type, signal) ?? Promise.reject(new Error('the DNS is not there'))
  return {
    port: await listening.promise,
    ask,
    close: async () => {
      end.abort(new Error('the DNS is closed'))
      await running
    },
  }
}
