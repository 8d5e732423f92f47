import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Calls, EtcdWatches } from './etcdWork.ts'
import type { Done, Report, Requests, Watches } from './work.ts'

/** A process that makes load, apart from the one that measures. */
class Forked {
  readonly #child: ChildProcess

  constructor(program: string) {
    this.#child = fork(join(import.meta.dirname, program), [], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  }

  protected run(work: object, onReady: () => void): Promise<Done> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => {
        reject(new Error('the load process ended'))
      }
      const onReport = (report: Report): void => {
        if (report.type === 'ready') {
          onReady()
          return
        }
        this.#child.off('message', onReport)
        this.#child.off('exit', onExit)
        if (report.type === 'done') resolve(report)
        else reject(new Error(report.message))
      }
      this.#child.on('message', onReport)
      this.#child.once('exit', onExit)
      this.#child.send(work)
    })
  }

  end(): void {
    this.#child.kill()
  }
}

/** Load on an API server. */
export class LoadProcess extends Forked {
  constructor() {
    super('loadClient.ts')
  }

  requests(work: Omit<Requests, 'type'>): Promise<Done> {
    return this.run({ type: 'requests', ...work }, () => undefined)
  }

  /** @param onReady all watches were answered */
  watches(work: Omit<Watches, 'type'>, onReady: () => void): Promise<Done> {
    return this.run({ type: 'watches', ...work }, onReady)
  }
}

/** Load on an etcd. */
export class EtcdLoadProcess extends Forked {
  constructor() {
    super('etcdClient.ts')
  }

  calls(work: Omit<Calls, 'type'>): Promise<Done> {
    return this.run({ type: 'calls', ...work }, () => undefined)
  }

  watches(work: Omit<EtcdWatches, 'type'>, onReady: () => void): Promise<Done> {
    return this.run({ type: 'watches', ...work }, onReady)
  }
}
