import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Done, Report, Requests, Watches } from './work.ts'

/** A process that makes load, apart from the one that measures. */
export class LoadProcess {
  readonly #child: ChildProcess

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'loadClient.ts'), [], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  }

  requests(work: Omit<Requests, 'type'>): Promise<Done> {
    return this.#run({ type: 'requests', ...work }, () => undefined)
  }

  /** @param onReady all watches were answered */
  watches(work: Omit<Watches, 'type'>, onReady: () => void): Promise<Done> {
    return this.#run({ type: 'watches', ...work }, onReady)
  }

  #run(work: Requests | Watches, onReady: () => void): Promise<Done> {
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
